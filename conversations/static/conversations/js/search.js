// The search: results while one types, never in the middle of a composition, each leading to where it was said.

import { findConversations } from "./api.js";
import { byId, element } from "./dom.js";
import { text } from "./strings.js";

const PAUSE = 150;

export class Search {
  #dialog = byId("search-dialog");
  #input = byId("search-input");
  #results = byId("search-results");
  #note = byId("search-note");
  #onOpen;
  #timer;
  #asked = 0;

  /** `onOpen(id, message, turn)` shows a conversation at a message (none for a hit in the title). */
  constructor({ onOpen }) {
    this.#onOpen = onOpen;
    byId("search-open")?.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.open();
    });
    byId("search-close").addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
    this.#input.addEventListener("input", (event) => event.isComposing || this.#later());
    this.#input.addEventListener("compositionend", () => this.#later());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#results.addEventListener("click", (event) => {
      const hit = event.target.closest(".search-hit");
      if (!hit || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.#choose(hit);
    });
  }

  open() {
    this.#dialog.showModal();
    this.#input.select();
    this.#later(0);
  }

  #later(pause = PAUSE) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#search(), pause);
  }

  async #search() {
    const query = this.#input.value.trim();
    const mine = (this.#asked += 1);
    if (!query) {
      this.#show([], text("search_hint"));
      return;
    }
    let items;
    try {
      ({ items } = await findConversations(query));
    } catch (error) {
      if (mine === this.#asked) this.#show([], error.words ?? text("not_loaded"));
      return;
    }
    // An answer that was overtaken by another question says nothing any more.
    if (mine === this.#asked) {
      this.#show(items, items.length ? text("search_found", { n: items.length }) : text("search_none"));
    }
  }

  #show(items, note) {
    this.#results.replaceChildren(...items.map(made));
    this.#note.textContent = note;
    this.#input.setAttribute("aria-expanded", String(items.length > 0));
    this.#mark(this.#results.firstElementChild);
  }

  #mark(option) {
    for (const each of this.#results.children) each.setAttribute("aria-selected", String(each === option));
    if (option) this.#input.setAttribute("aria-activedescendant", option.id);
    else this.#input.removeAttribute("aria-activedescendant");
    option?.scrollIntoView({ block: "nearest" });
  }

  #key(event) {
    if (event.isComposing || event.keyCode === 229) return;
    const options = [...this.#results.children];
    const at = options.findIndex((option) => option.ariaSelected === "true");
    const step = { ArrowDown: at + 1, ArrowUp: at - 1 }[event.key];
    if (step !== undefined && options.length) {
      event.preventDefault();
      this.#mark(options[(step + options.length) % options.length]);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (at >= 0) this.#choose(options[at].firstElementChild);
    }
  }

  #choose(hit) {
    this.#dialog.close();
    const { id, message, turn } = hit.dataset;
    if (!this.#onOpen(id, message, turn)) location.assign(hit.href);
  }
}

function made({ id, message, turn, parts }, at) {
  const option = element("li");
  Object.assign(option, { id: `search-option-${at}`, role: "option" });
  const hit = element("a", "search-hit");
  hit.href = `/c/${id}/${message ? `?${new URLSearchParams({ at: message, ...(turn && { turn }) })}` : ""}`;
  hit.tabIndex = -1;
  Object.assign(hit.dataset, { id, message: message ?? "", turn: turn ?? "" });
  const title = parts.title.length ? parts.title : [[text("new_chat"), false]];
  hit.append(marked("search-title", title), marked("search-excerpt", parts.excerpt));
  option.append(hit);
  return option;
}

function marked(name, parts) {
  const line = element("span", name);
  for (const [words, isHit] of parts) line.append(isHit ? element("mark", "", words) : words);
  return line;
}
