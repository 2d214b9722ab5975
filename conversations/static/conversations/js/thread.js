// The list of messages: finds, adds and reconciles them, and draws running turns once a frame.

import { drawFeedback, drawFollowUps } from "./asides.js";
import { addCopyButtons } from "./code.js";
import { keepDays } from "./days.js";
import { byId, element } from "./dom.js";
import { typedIn } from "./editing.js";
import { showFiles } from "./files.js";
import {
  drawTurn,
  fillAnswer,
  keepParameters,
  makeAnswer,
  makeQuestion,
  markQuestion,
  nameAnswer,
  noteAnswer,
  parametersOf,
  remember,
  showTime,
} from "./message.js";
import { enlargePictures } from "./pictures.js";
import { Follow } from "./scroll.js";
import { isTerminal, newTurn } from "./turns.js";
import { markPlace } from "./versions.js";

// A hidden tab gets no animation frames; its picture may be a little older.
const HIDDEN_DRAW = 250;
const FOUND_FOR = 4_000;

export class Thread {
  #box = byId("thread-scroll");
  #list = byId("thread");
  #inner = byId("thread-inner");
  #greeting = byId("greeting");
  #older = byId("thread-older");
  #turns = new Map();
  #dirty = new Set();
  #scheduled = false;

  constructor({ onOlder }) {
    this.follow = new Follow(this.#box);
    this.#box.classList.remove("from-end");
    this.follow.toEnd();
    addCopyButtons(this.#list);
    for (const item of this.#list.children) showTime(item);
    keepDays(this.#list);
    enlargePictures(this.#list);
    this.#older.querySelector("button").addEventListener("click", onOlder);
    document.addEventListener("visibilitychange", () => document.hidden || this.draw());
  }

  get list() {
    return this.#list;
  }

  /** The turn whose answer is being written here, if any. */
  get running() {
    for (const { turn } of this.#turns.values()) if (!isTerminal(turn.status)) return turn;
    return null;
  }

  /** How much to ask for to show what stands here, and no more than is sent at once. */
  get pageSize() {
    return Math.min(100, Math.max(50, this.#list.children.length));
  }

  get firstId() {
    return this.#list.querySelector(".message")?.dataset.message;
  }

  clear() {
    this.#turns.clear();
    this.#dirty.clear();
    this.#list.replaceChildren();
    this.offerOlder(false);
    this.follow.following = true;
  }

  /** Shows the greeting of an empty chat, or the conversation. */
  showGreeting(shown) {
    this.#greeting.hidden = !shown;
    this.#inner.hidden = shown;
  }

  /** Grey lines after 200 ms, while a conversation is on its way. */
  showSkeleton() {
    const made = element("li", "skeleton");
    for (let line = 0; line < 4; line += 1) made.append(element("i"));
    this.#list.replaceChildren(made);
  }

  get hasOlder() {
    return !this.#older.hidden;
  }

  /** Brings a message before one's eyes and marks it for a moment; false if it is not on the page. */
  lookAt(id) {
    const item = this.#message(String(id));
    if (!item) return false;
    this.follow.following = false;
    item.scrollIntoView({ block: "center" });
    item.dataset.found = "";
    item.tabIndex = -1;
    item.focus({ preventScroll: true });
    setTimeout(() => item.removeAttribute("data-found"), FOUND_FOR);
    return true;
  }

  offerOlder(offered) {
    this.#older.hidden = !offered;
  }

  turn(id) {
    return this.#turns.get(id)?.turn;
  }

  question(clientId) {
    return this.#list.querySelector(`[data-client="${CSS.escape(clientId)}"]`);
  }

  /** The stored question of a turn. */
  questionOf(turn) {
    return this.#ofTurn(turn, "user");
  }

  /** A turn that was withdrawn leaves nothing behind. */
  forget(turn) {
    this.#turns.delete(turn);
    for (const role of ["user", "assistant"]) this.#ofTurn(turn, role)?.remove();
  }

  /** What arrived was not what was sent; whoever watches over the page can count it. */
  countMismatch() {
    this.#list.dataset.mismatches = Number(this.#list.dataset.mismatches ?? 0) + 1;
  }

  #message(id) {
    return this.#list.querySelector(`[data-message="${CSS.escape(id)}"]`);
  }

  #ofTurn(id, role) {
    return id && this.#list.querySelector(`.message-${role}[data-turn="${CSS.escape(id)}"]`);
  }

  addQuestion(fields) {
    this.showGreeting(false);
    const item = makeQuestion(fields);
    this.#list.append(item);
    return item;
  }

  /** The running answer of a turn: as it stands on the page, or begun behind its question. */
  begin(id) {
    const known = this.#turns.get(id);
    if (known) return known.turn;
    const turn = newTurn(id);
    let item = this.#ofTurn(id, "assistant");
    if (!item) {
      item = makeAnswer({ turn: id });
      const question = this.#ofTurn(id, "user");
      if (question) question.after(item);
      else this.#list.append(item);
    }
    item.dataset.status = "in_progress";
    this.#turns.set(id, { turn, item });
    // What the server rendered of it stays until the first frame brings the same and more.
    if (!item.querySelector(".finished").hasChildNodes()) this.changed(id);
    return turn;
  }

  /** The name of who answers here, above all answers. */
  nameAnswers() {
    for (const item of this.#list.querySelectorAll(".message-assistant")) nameAnswer(item);
    for (const item of this.#list.querySelectorAll("[data-parameters]")) keepParameters(item, parametersOf(item));
  }

  /** Questions to go on with, or a thumb that another tab gave: of an answer that has ended. */
  annotate({ type, turn, items, feedback }) {
    const item = this.#ofTurn(turn, "assistant");
    if (!item) return;
    if (type === "turn.feedback") drawFeedback(item, feedback);
    else drawFollowUps(item, items);
    this.follow.keep();
  }

  /** Marks a turn for the next frame. */
  changed(id) {
    this.#dirty.add(id);
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (document.hidden) setTimeout(() => this.draw(), HIDDEN_DRAW);
    else requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.#scheduled = false;
    for (const id of this.#dirty) {
      const known = this.#turns.get(id);
      if (!known) continue;
      drawTurn(known.item, known.turn);
      if (isTerminal(known.turn.status)) this.#turns.delete(id);
    }
    this.#dirty.clear();
    this.follow.keep();
  }

  /** Brings the page in line with the server's newest messages; returns whether some need their full form. */
  reconcile(messages) {
    this.#list.querySelector(".skeleton")?.remove();
    let previous = null;
    let incomplete = false;
    for (const message of messages) {
      const item = this.#place(message, previous);
      if (this.#update(item, message) || message.truncated) incomplete = true;
      previous = item;
    }
    this.follow.keep();
    return incomplete;
  }

  /** A message that belongs to no turn, where its id puts it; returns whether it needs its full form. */
  receive(message) {
    this.showGreeting(false);
    const incomplete = this.#update(this.#place(message, null), message) || Boolean(message.truncated);
    this.follow.keep();
    return incomplete;
  }

  /** Another question takes the place of this turn and of what follows it. */
  leave(turn) {
    const first = this.#ofTurn(turn, "user") ?? this.#ofTurn(turn, "assistant");
    const items = [...this.#list.children];
    for (const item of first ? items.slice(items.indexOf(first)) : []) this.#drop(item);
  }

  #drop(item) {
    this.#turns.delete(item.dataset.turn);
    item.remove();
  }

  /** Shows exactly these messages, and what has not reached the server; returns what was being typed over one that leaves. */
  show(messages, { older }) {
    this.#list.querySelector(".skeleton")?.remove();
    const items = messages.map((message) => this.#known(message) ?? this.#make(message));
    const shown = new Set(items);
    const isOurs = ({ dataset }) => dataset.client && !dataset.turn;
    const leaving = [...this.#list.children].filter((item) => !shown.has(item) && !isOurs(item));
    const typed = leaving.map(typedIn).filter(Boolean);
    this.follow.anchored(items, () => {
      for (const item of leaving) this.#drop(item);
      let next = this.#list.firstElementChild;
      for (const item of items) {
        if (item === next) next = next.nextElementSibling;
        else this.#list.insertBefore(item, next);
      }
      messages.forEach((message, index) => this.#update(items[index], message));
    });
    this.offerOlder(older);
    return typed;
  }

  #known(message) {
    return this.#message(message.id) ?? this.#ofTurn(message.turn, message.role);
  }

  #make({ created_at: createdAt, ...message }) {
    return message.role === "user" ? makeQuestion({ ...message, createdAt }) : makeAnswer(message);
  }

  #place(message, previous) {
    const found = this.#known(message);
    if (found) return found;
    const item = this.#make(message);
    if (previous) previous.after(item);
    else {
      const later = [...this.#list.children].find((other) => Number(other.dataset.message) > Number(message.id));
      if (later) later.before(item);
      else this.#list.append(item);
    }
    return item;
  }

  /** True if the answer is shown without the server's HTML, because a frame carries none. */
  #update(item, message) {
    item.dataset.message = message.id;
    item.dataset.turn = message.turn ?? "";
    markPlace(item, message);
    if (message.role === "user") {
      remember(item, message.content);
      keepParameters(item, message.parameters);
      showFiles(item, message.attachments);
      if (item.dataset.status) markQuestion(item, "accepted");
      return false;
    }
    // A running answer comes as turn.sync; its stored copy is only older.
    if (!isTerminal(message.status)) {
      showTime(item, message.created_at);
      return false;
    }
    this.#turns.delete(message.turn);
    const same = item.dataset.status === message.status && item.querySelector(".live:empty");
    if (same && item.querySelector(".finished:not(:empty)")) {
      remember(item, message.content);
      noteAnswer(item, message.status, message);
      return false;
    }
    fillAnswer(item, message);
    return message.html === undefined && message.content !== "";
  }

  /** Replaces what is shown of stored messages by their full form. */
  fill(messages) {
    for (const message of messages) {
      const item = this.#known(message);
      if (item) markPlace(item, message);
      if (item && message.role === "assistant" && isTerminal(message.status)) fillAnswer(item, message);
      else if (item && message.role === "user") item.querySelector(".bubble").textContent = message.content;
      if (item && message.role === "user") keepParameters(item, message.parameters);
    }
    this.follow.keep();
  }

  /** Puts an earlier page above, without moving what is being read. */
  prepend(messages) {
    this.follow.holding(() => {
      const made = messages.filter((message) => !this.#message(message.id)).map((message) => {
        const item = this.#make(message);
        if (message.role === "assistant") fillAnswer(item, message);
        markPlace(item, message);
        return item;
      });
      this.#list.prepend(...made);
    });
  }
}
