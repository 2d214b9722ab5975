// The menu of one message, and what a finger that rests on one does.

import { byId } from "./dom.js";
import { placeBeside, walkByKeys } from "./menu.js";

const HELD_AFTER = 450;

/**
 * One element for all messages (`message_menu.html`). An entry is a button with `data-act`; `data-for` says whose
 * messages it is for. What shows only sometimes is told by `offer`.
 */
export class MessageMenu {
  #menu = byId("message-menu");
  #offers = new Map();
  #item = null;
  #button = null;

  /** `onChoose(act, item)` does it. */
  constructor({ onChoose }) {
    walkByKeys(this.#menu);
    this.#menu.addEventListener("click", (event) => {
      const entry = event.target.closest("[data-act]");
      if (!entry) return;
      this.#menu.hidePopover();
      onChoose(entry.dataset.act, this.#item);
    });
    this.#menu.addEventListener("toggle", (event) => {
      if (event.newState === "closed") this.#button?.setAttribute("aria-expanded", "false");
    });
  }

  /** `shown(item)` tells whether the entry is for this message. */
  offer(act, shown) {
    this.#offers.set(act, shown);
    return this;
  }

  open(item, button) {
    this.#item = item;
    this.#button = button;
    for (const entry of this.#menu.querySelectorAll("[data-act]")) {
      const { act, for: whose } = entry.dataset;
      entry.hidden = Boolean(whose && !item.matches(`.message-${whose}`)) || this.#offers.get(act)?.(item) === false;
    }
    const facts = this.#menu.querySelector(".menu-facts");
    facts.textContent = item.querySelector(".message-facts")?.textContent ?? "";
    facts.hidden = !facts.textContent;
    this.#menu.showPopover();
    placeBeside(this.#menu, button, { start: item.matches(".message-assistant") });
    button.setAttribute("aria-expanded", "true");
    this.#menu.querySelector("[data-act]:not([hidden])").focus();
  }
}

/** A finger that rests on a message shows what can be done with it, until it rests on another. */
export function showOnHold(list) {
  let timer;
  const forget = () => clearTimeout(timer);
  list.addEventListener("pointerdown", ({ pointerType, target }) => {
    forget();
    const item = target.closest(".message");
    if (pointerType === "mouse" || !item) return;
    timer = setTimeout(() => {
      for (const held of list.querySelectorAll("[data-held]")) held.removeAttribute("data-held");
      item.dataset.held = "";
    }, HELD_AFTER);
  });
  for (const end of ["pointerup", "pointercancel", "pointermove"]) list.addEventListener(end, forget, { passive: true });
}
