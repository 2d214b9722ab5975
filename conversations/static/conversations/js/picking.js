// Several conversations at once: a click with Shift picks all from the last one clicked to this one.

import { byId } from "./dom.js";
import { text } from "./strings.js";

export class Picking {
  #list;
  #bar = byId("picked");
  #from = null;

  /** `onAct(act, ids)`: "archive", "move" or "delete" for what is picked. */
  constructor(list, { onAct }) {
    this.#list = list;
    this.#bar.addEventListener("click", (event) => {
      const { act } = event.target.closest("[data-act]")?.dataset ?? {};
      if (!act) return;
      const ids = this.ids;
      this.clear();
      if (act !== "none" && ids.length) onAct(act, ids);
    });
    list.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.ids.length) {
        event.preventDefault();
        this.clear();
      }
    });
  }

  get #picked() {
    return [...this.#list.querySelectorAll("[data-picked]")];
  }

  get ids() {
    return this.#picked.map((item) => item.dataset.id);
  }

  /** A click with Shift; true if it was one. The range begins at the last one clicked. */
  clicked(item, event) {
    if (!event.shiftKey) {
      this.#from = item;
      return false;
    }
    const items = [...this.#list.querySelectorAll(".conversation")];
    const start = items.indexOf(this.#from ?? items.find((other) => "current" in other.dataset) ?? item);
    const [from, to] = [start < 0 ? items.indexOf(item) : start, items.indexOf(item)].sort((a, b) => a - b);
    for (const [at, each] of items.entries()) each.toggleAttribute("data-picked", at >= from && at <= to);
    getSelection().removeAllRanges();
    this.show();
    return true;
  }

  clear() {
    for (const item of this.#picked) item.removeAttribute("data-picked");
    this.show();
  }

  show() {
    const { length } = this.#picked;
    this.#bar.hidden = !length;
    byId("picked-count").textContent = text("picked", { n: length });
  }
}
