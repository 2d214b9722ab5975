// Follows new text only while the reader is at the end, and never moves what is being read.

import { byId } from "./dom.js";

const NEAR = 24;
// Nearer than this the end is in sight, and a button to it would only cover the text.
const FAR = 96;

export class Follow {
  #box;
  #toEnd = byId("to-end");
  #top = 0;
  following = true;

  constructor(box) {
    this.#box = box;
    box.addEventListener("scroll", () => this.#moved(), { passive: true });
    box.addEventListener("wheel", (event) => event.deltaY < 0 && this.#leave(), { passive: true });
    box.addEventListener("keydown", (event) => ["ArrowUp", "PageUp", "Home"].includes(event.key) && this.#leave());
    this.#toEnd.addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this.keep()).observe(box);
  }

  /** Jumps to the last message. */
  toEnd() {
    this.following = true;
    this.keep();
  }

  /** After a change: stay at the end, if that is where the reader is. */
  keep() {
    if (this.following) this.#box.scrollTop = this.#box.scrollHeight;
    this.#show();
  }

  /** Runs `change`, which puts something above, and leaves the text under the reader's eyes where it is. */
  holding(change) {
    const fromEnd = this.#box.scrollHeight - this.#box.scrollTop;
    change();
    this.#box.scrollTop = this.#box.scrollHeight - fromEnd;
  }

  /** Runs `change`, which may take anything away, and leaves the first of `items` that is in sight where it is. */
  anchored(items, change) {
    const top = (item) => item.getBoundingClientRect().top;
    const edge = top(this.#box);
    const stood = items.filter((item) => item.isConnected);
    const anchor = stood.find((item) => item.getBoundingClientRect().bottom > edge) ?? stood.at(-1);
    const before = anchor && top(anchor);
    change();
    if (anchor && !this.following) this.#box.scrollTop += top(anchor) - before;
    this.keep();
  }

  #distance() {
    return this.#box.scrollHeight - this.#box.clientHeight - this.#box.scrollTop;
  }

  #leave() {
    if (this.#box.scrollHeight > this.#box.clientHeight) this.following = false;
  }

  #moved() {
    const top = this.#box.scrollTop;
    const distance = this.#distance();
    if (top < this.#top && distance > NEAR) this.following = false;
    else if (top > this.#top && distance <= NEAR) this.following = true;
    this.#top = top;
    this.#show();
  }

  #show() {
    this.#toEnd.hidden = this.following || this.#distance() <= FAR;
  }
}
