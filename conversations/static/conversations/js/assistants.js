// Whom a new chat asks: the cards of the empty page, the search among many, and the name in the head of the page.

import { byId, element, icon } from "./dom.js";

const FEW = 6;

export class Assistants {
  #known;
  #list = document.querySelector(".assistants");
  #head = byId("header-assistant");
  #chosen;
  #onChoose;

  /** `known` are the assistants that can be picked, `chosen` the one of a new chat; `onChoose(assistant)` hears of another. */
  constructor({ known, chosen, onChoose }) {
    this.#known = new Map(known.map((each) => [each.id, each]));
    this.#chosen = chosen;
    this.#onChoose = onChoose;
    this.#list?.addEventListener("click", (event) => this.#clicked(event));
    this.#list?.addEventListener("keydown", (event) => this.#key(event));
    const search = this.#list?.querySelector("input");
    if (search) {
      search.hidden = known.length <= FEW;
      search.addEventListener("input", () => this.#filter(search.value));
    }
  }

  /** The assistant that a new chat asks. */
  get chosen() {
    return this.#chosen;
  }

  /** All that is known of an assistant that a frame names; one that cannot be picked any more has no form. */
  about({ id, name, kind }) {
    return { form: false, inputs: [], ...this.#known.get(id), id, name, kind };
  }

  /** Who answers in what is open, in the head of the page; nobody for a new chat, whose cards say it. */
  name(assistant) {
    this.#head.hidden = !assistant;
    this.#head.querySelector(".header-assistant-name").textContent = assistant?.name ?? "";
    this.#head.querySelector(".avatar").textContent = initial(assistant?.name ?? "");
  }

  #clicked(event) {
    const link = event.target.closest("a.assistant");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.#choose(link);
  }

  /** Arrow keys walk through the cards that are in sight. */
  #key(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const links = [...this.#list.querySelectorAll("li:not([hidden]) a.assistant")];
    if (!step || !links.length) return;
    const at = links.indexOf(document.activeElement);
    if (at < 0 && step < 0) return;
    if (at < 0 && event.key !== "ArrowDown") return;
    event.preventDefault();
    links[(at + step + links.length) % links.length].focus();
  }

  #filter(words) {
    const wanted = words.trim().toLowerCase();
    let found = 0;
    for (const row of this.#list.querySelectorAll("li")) {
      row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
      found += row.hidden ? 0 : 1;
    }
    this.#list.querySelector(".assistants-none").hidden = found > 0;
  }

  #choose(link) {
    const assistant = this.#known.get(link.dataset.assistant);
    if (!assistant || assistant.id === this.#chosen?.id) return;
    this.#chosen = assistant;
    this.#list.querySelector("[aria-current]")?.removeAttribute("aria-current");
    link.setAttribute("aria-current", "true");
    history.replaceState(history.state, "", link.href);
    byId("greeting").querySelector(".greeting-lead").textContent = assistant.description;
    setSuggestions(assistant.suggestions);
    this.#onChoose(assistant);
  }
}

const initial = (name) => ([...name.trim()][0] ?? "").toUpperCase();

/** Shows these instead of those before. */
function setSuggestions(suggestions) {
  const list = document.querySelector(".suggestions");
  if (!list) return;
  list.hidden = !suggestions.length;
  list.replaceChildren(
    ...suggestions.map((words) => {
      const row = element("li");
      const button = element("button", "suggestion", words);
      button.type = "button";
      button.dataset.suggestion = words;
      button.append(icon("up-right"));
      row.append(button);
      return row;
    }),
  );
}
