// One line above the list of conversations: how many questions wait elsewhere than in what is shown.

import { byId } from "./dom.js";
import { laneOf } from "./outbox.js";
import { text } from "./strings.js";

export class Unsent {
  #button = byId("unsent");
  #outbox;
  #lane;

  /** `lane()` is what the page shows; `onShow(entry)` goes to where a question waits. */
  constructor({ outbox, lane, onShow }) {
    this.#outbox = outbox;
    this.#lane = lane;
    this.#button.addEventListener("click", () => {
      const [entry] = this.#elsewhere();
      if (entry) onShow(entry);
    });
  }

  #elsewhere() {
    return this.#outbox.all().filter((entry) => laneOf(entry) !== this.#lane());
  }

  show() {
    const n = this.#elsewhere().length;
    this.#button.hidden = n === 0;
    byId("unsent-text").textContent = text(n === 1 ? "unsent_one" : "unsent_some", { n });
  }
}
