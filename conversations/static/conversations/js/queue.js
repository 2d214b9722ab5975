// The questions that wait behind the running answer: a short list above the message box.

import { byId, fromTemplate } from "./dom.js";
import { announce } from "./notices.js";
import { text } from "./strings.js";

export class Queue {
  #box = byId("queue");
  #list = byId("queue-list");
  #onEdit;
  #onRemove;

  /** `onEdit(turn, content)` and `onRemove({turn, clientId})` say what the person wants; true if it was passed on. */
  constructor({ onEdit, onRemove }) {
    this.#onEdit = onEdit;
    this.#onRemove = onRemove;
    this.#list.addEventListener("click", (event) => this.#clicked(event));
    this.#list.addEventListener("keydown", (event) => this.#key(event));
    this.#list.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save(event.target.closest(".queued"));
    });
  }

  get items() {
    return [...this.#list.children];
  }

  get empty() {
    return this.#list.children.length === 0;
  }

  find({ turn, clientId }) {
    return this.items.find(({ dataset }) => (turn && dataset.turn === turn) || (clientId && dataset.client === clientId));
  }

  /** The server's whole list: it alone says what is queued, and in which order. */
  set(queued) {
    const turns = new Set(queued.map(({ turn }) => turn));
    for (const item of this.items) if (item.dataset.turn && !turns.has(item.dataset.turn)) this.#drop(item);
    const items = queued.map((entry) => this.#put(entry));
    for (const { turn, question } of queued) {
      this.edited({ turn, ...question });
      this.refused(turn);
    }
    const local = this.items.filter(({ dataset }) => !dataset.turn);
    for (const item of [...items, ...local]) if (item !== this.#list.lastElementChild) this.#list.append(item);
    this.#show();
  }

  /** A question that the server has queued. */
  add(entry) {
    const known = Boolean(this.find({ turn: entry.turn }));
    const item = this.#put(entry);
    const local = this.items.find((other) => !other.dataset.turn);
    if (!known && local && local !== item) local.before(item);
    if (!known) announce(text("queued"));
    this.#show();
  }

  /** A question that has not reached the server yet and will have to wait there. */
  addLocal({ clientId, content, attempted, parameters }) {
    const item = this.#put({ client_id: clientId, question: { content }, form: Boolean(parameters) });
    item.toggleAttribute("data-sent", Boolean(attempted));
    this.#show();
  }

  #put({ turn = "", client_id: clientId = "", question, form = false }) {
    let item = this.find({ turn, clientId });
    if (!item) {
      item = fromTemplate("queued");
      this.#list.append(item);
    }
    item.dataset.turn = turn || item.dataset.turn || "";
    item.dataset.client = clientId;
    item.dataset.status = item.dataset.turn ? "queued" : "local";
    // What was filled in as a form is not reworded.
    if (form) item.querySelector("[data-queue=edit]").hidden = true;
    this.#say(item, question);
    return item;
  }

  /** The words of a line. A frame may carry only their beginning: what is not whole cannot be changed here. */
  #say(item, { content, truncated = false }) {
    const words = item.querySelector(".queued-text");
    const known = words.textContent.startsWith(content) && !item.hasAttribute("data-truncated");
    if (truncated && known && words.textContent !== content) return;
    words.textContent = content;
    item.toggleAttribute("data-truncated", truncated);
  }

  /** The whole text of a question here, if it is known. */
  textOf({ turn, clientId }) {
    const item = this.find({ turn, clientId });
    return item && !item.hasAttribute("data-truncated") ? item.querySelector(".queued-text").textContent : null;
  }

  edited({ turn, content, truncated }) {
    const item = this.find({ turn });
    if (!item) return;
    const typed = item.querySelector("textarea")?.value.trim();
    const mine = item.hasAttribute("data-saving") && typed.startsWith(content);
    if (mine) this.#say(item, { content: typed });
    else this.#say(item, { content, truncated });
    if (mine || typed === content) this.#close(item);
  }

  /** It began, or was withdrawn. Returns what was being typed over it, if that differs; else null. */
  remove({ turn, clientId }) {
    const item = this.find({ turn, clientId });
    return item ? this.#drop(item) : null;
  }

  clear() {
    for (const item of this.items) this.#drop(item);
  }

  /** The server did not take a change or a removal: what was typed stays in its field. */
  refused(turn) {
    const item = this.find({ turn });
    item?.removeAttribute("data-saving");
    item?.removeAttribute("data-leaving");
  }

  #drop(item) {
    const typed = item.querySelector("textarea")?.value.trim();
    const before = item.querySelector(".queued-text").textContent;
    const focused = item.contains(document.activeElement);
    const next = item.nextElementSibling ?? item.previousElementSibling;
    item.remove();
    this.#show();
    if (focused) (next?.querySelector("button") ?? byId("composer-input")).focus();
    return typed && typed !== before ? typed : null;
  }

  #show() {
    this.#box.hidden = this.empty;
    byId("queue-count").textContent = this.#list.children.length > 1 ? this.#list.children.length : "";
  }

  #clicked(event) {
    const pressed = event.target.closest("button[data-queue]");
    const item = pressed?.closest(".queued");
    if (!item) return;
    if (pressed.dataset.queue === "edit") this.#open(item);
    else if (pressed.dataset.queue === "cancel") this.#close(item);
    else if (this.#onRemove({ turn: item.dataset.turn, clientId: item.dataset.client })) item.dataset.leaving = "";
  }

  #key(event) {
    if (!event.target.matches("textarea") || event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      this.#close(event.target.closest(".queued"));
    } else if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      if (!event.repeat) this.#save(event.target.closest(".queued"));
    }
  }

  #open(item) {
    const form = fromTemplate("queued-editor");
    const field = form.querySelector("textarea");
    field.value = item.querySelector(".queued-text").textContent;
    item.querySelector("form")?.remove();
    item.append(form);
    item.dataset.editing = "";
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  }

  #close(item) {
    const focused = item.contains(document.activeElement);
    item.querySelector("form")?.remove();
    item.removeAttribute("data-editing");
    item.removeAttribute("data-saving");
    if (focused) item.querySelector("[data-queue=edit]").focus();
  }

  #save(item) {
    const content = item.querySelector("textarea").value.trim();
    if (!content || item.hasAttribute("data-saving")) return;
    if (content === item.querySelector(".queued-text").textContent) this.#close(item);
    else if (this.#onEdit({ turn: item.dataset.turn, clientId: item.dataset.client, content })) item.dataset.saving = "";
  }
}
