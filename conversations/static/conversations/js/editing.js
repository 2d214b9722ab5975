// A question that was asked already, worded anew in its place.

import { fromTemplate } from "./dom.js";
import { sourceOf } from "./message.js";

export class Editing {
  #limit;
  #onSend;
  #leave = null;

  /** `onSend(item, content)` takes the new words. */
  constructor({ limit, onSend }) {
    this.#limit = limit;
    this.#onSend = onSend;
  }

  /** Opens the box; `back` gets the focus when it closes. */
  open(item, { back }) {
    this.#leave?.();
    const form = fromTemplate("question-editor");
    const field = form.querySelector("textarea");
    field.value = sourceOf(item);
    const close = () => {
      const focused = form.contains(document.activeElement);
      form.remove();
      item.removeAttribute("data-editing");
      this.#leave = null;
      if (focused) back.focus();
    };
    const send = () => {
      const content = field.value.trim();
      if (!content || [...content].length > this.#limit) return;
      close();
      this.#onSend(item, content);
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send();
    });
    form.querySelector("[data-act=leave]").addEventListener("click", close);
    field.addEventListener("keydown", (event) => {
      if (event.isComposing || event.keyCode === 229) return;
      if (event.key === "Escape") {
        event.preventDefault();
        event.stopPropagation();
        close();
      } else if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
        event.preventDefault();
        if (!event.repeat) send();
      }
    });
    item.dataset.editing = "";
    item.querySelector(".bubble").after(form);
    this.#leave = close;
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  }
}

/** What is being typed in a message's box and differs from what was asked; "" if nothing is. */
export function typedIn(item) {
  const typed = item.querySelector(".question-editor textarea")?.value.trim() ?? "";
  return typed === sourceOf(item) ? "" : typed;
}
