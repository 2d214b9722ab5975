// The small menu of a conversation: one element, opened beside the button that was pressed.

import { byId } from "./dom.js";

const GAP = 4;
const EDGE = 8;

/** Puts a shown popover beside its button, inside the window: below its end, or (`start`) below its beginning. */
export function placeBeside(menu, button, { start = false } = {}) {
  const from = button.getBoundingClientRect();
  const { width, height } = menu.getBoundingClientRect();
  const below = from.bottom + GAP + height <= innerHeight - EDGE;
  const top = below ? from.bottom + GAP : Math.max(EDGE, from.top - GAP - height);
  const left = Math.min(Math.max(EDGE, from.right - width), innerWidth - width - EDGE);
  menu.style.top = `${top}px`;
  menu.style.left = `${from.left + width <= innerWidth - EDGE && (start || from.left < EDGE * 4) ? from.left : left}px`;
}

/** Arrow keys, Home and End walk through a menu's entries. */
export function walkByKeys(menu) {
  menu.addEventListener("keydown", (event) => {
    const entries = [...menu.querySelectorAll("a, button")].filter((entry) => !entry.hidden);
    const at = entries.indexOf(document.activeElement);
    const step = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: entries.length - 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    entries[(step + entries.length) % entries.length].focus();
  });
}

export class ConversationMenu {
  #menu = byId("conversation-menu");
  #button = null;
  #id = null;

  /** `onChoose(act, id)`: what is to be done with a conversation. */
  constructor({ onChoose }) {
    walkByKeys(this.#menu);
    this.#menu.addEventListener("click", (event) => {
      const entry = event.target.closest("[data-act]");
      if (!entry) return;
      const id = this.#id;
      this.#menu.hidePopover();
      onChoose(entry.dataset.act, id);
    });
    this.#menu.addEventListener("toggle", (event) => {
      if (event.newState === "closed") this.#button?.setAttribute("aria-expanded", "false");
    });
  }

  /** What has been done cannot be done again: one entry of each pair is offered. */
  open(id, button, { pinned, archived }) {
    const hidden = { pin: pinned, unpin: !pinned, archive: archived, unarchive: !archived };
    for (const [act, isHidden] of Object.entries(hidden)) this.#menu.querySelector(`[data-act=${act}]`).hidden = isHidden;
    this.#id = id;
    this.#button = button;
    this.#menu.showPopover();
    placeBeside(this.#menu, button);
    button.setAttribute("aria-expanded", "true");
    this.#menu.querySelector("button").focus();
  }
}

/** The account menu opens by itself (popovertarget); it only needs its place. */
export function setUpAccountMenu() {
  const menu = byId("account-menu");
  const button = byId("account-button");
  walkByKeys(menu);
  menu.addEventListener("toggle", (event) => {
    button.setAttribute("aria-expanded", String(event.newState === "open"));
    if (event.newState !== "open") return;
    placeBeside(menu, button);
    menu.querySelector("a, button").focus();
  });
}
