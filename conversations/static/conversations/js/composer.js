// The message box: grows with its text, keeps drafts, and sends only what is meant to be sent.

import { byId } from "./dom.js";
import { setting } from "./look.js";
import { text } from "./strings.js";

const GROWS_BY_ITSELF = CSS.supports("field-sizing", "content");

export class Composer {
  #form = byId("composer");
  #input = byId("composer-input");
  #button = byId("send");
  #label = byId("send-label");
  #stop = byId("stop");
  #count = byId("composer-count");
  #seconds = byId("send-seconds");
  #drafts;
  #attachments;
  #limit;
  #conversation;
  #running = false;
  #wait = 0;

  /** `onSend(content, {draft, attachments})` takes a question, the name of its draft and its files; `onStop()` ends the running answer; `onUp(field)` hears ↑ in the empty box. */
  constructor({ drafts, attachments, conversation, limit, onSend, onStop, onUp }) {
    this.#drafts = drafts;
    this.#attachments = attachments;
    this.#limit = limit;
    this.#conversation = conversation;
    this.#input.addEventListener("input", () => this.#typed());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#button.dataset.mode === "stop") onStop();
      else this.#send();
    });
    this.#stop.addEventListener("click", () => {
      onStop();
      this.#input.focus();
    });
    // The second click of a double click must not stop what the first one sent.
    this.#button.addEventListener("click", (event) => event.detail > 1 && event.preventDefault());
    this.#form.querySelector(".composer-box").addEventListener("click", (event) => {
      if (event.target === event.currentTarget) this.#input.focus();
    });
    this.onSend = onSend;
    this.onUp = onUp;
    this.#drafts.listen((changed, before, now) => this.#elsewhere(changed, before, now));
    // What was typed before the drafts were read is newer than they are.
    drafts.opened.then(() => {
      this.#input.value ||= drafts.get(this.#conversation);
      this.refresh();
    });
    addEventListener("look", () => this.#explainKeys());
    this.#explainKeys();
    this.refresh();
  }

  focus() {
    if (matchMedia("(hover: hover) and (pointer: fine)").matches) this.#input.focus({ preventScroll: true });
  }

  /** Another conversation is shown: each has its own draft. */
  switchTo(conversation) {
    this.#drafts.flush();
    this.#conversation = conversation;
    this.#input.value = this.#drafts.get(conversation);
    this.#attachments.switchTo(conversation);
    this.refresh();
    this.focus();
  }

  /** The new chat got its name on the server; what was typed meanwhile moves along. */
  rename(conversation) {
    const typed = this.#input.value;
    const before = this.#conversation;
    this.#conversation = conversation;
    this.#attachments.rename(conversation);
    if (!typed) return;
    this.#drafts.set(conversation, typed);
    this.#drafts.set(before, "");
    this.#drafts.flush();
  }

  setRunning(running) {
    this.#running = running;
    this.refresh();
  }

  /** For so many seconds nothing goes out (Infinity: nobody knows when); what is typed stays. */
  setWait(seconds) {
    if (seconds === this.#wait) return;
    this.#wait = seconds;
    this.refresh();
  }

  /** Puts a text back for another try, before whatever is there. */
  restore(content, attachments) {
    this.#attachments.restore(attachments);
    this.#input.value = this.#input.value.trim() ? `${content}\n\n${this.#input.value}` : content;
    this.#typed();
    this.#drafts.flush();
    this.#input.focus();
  }

  /** Sends a text that was not typed, as if it had been. */
  submit(content) {
    if (this.#wait) this.restore(content);
    else if (!this.#input.disabled) this.onSend(content);
  }

  /** Puts a proposed text into the box; once it stands there, the same again sends it. */
  propose(content) {
    const typed = this.#input.value.trim();
    if (typed === content) this.#send();
    else this.restore(content);
  }

  #send() {
    const content = this.#input.value.trim();
    const files = this.#attachments.any;
    if (!(content || files) || this.#attachments.pending) return;
    if (this.#input.disabled || this.#wait || this.#length(content) > this.#limit) return;
    // The draft is stored until its question is: one transaction puts the one and takes the other.
    this.#drafts.flush();
    this.#input.value = "";
    this.#drafts.forget(this.#conversation);
    this.refresh();
    const attachments = files ? this.#attachments.take() : undefined;
    this.onSend(content, { draft: this.#drafts.nameOf(this.#conversation), attachments });
  }

  /** What sends is a choice of the person's; a narrow box has no room for the explanation. */
  #explainKeys() {
    if (this.#input.disabled) return;
    const narrow = matchMedia("(width < 48rem)").matches;
    this.#input.placeholder = text(narrow ? "message" : this.#sendsByCtrl ? "message_ctrl" : "message_enter");
  }

  get #sendsByCtrl() {
    return setting("send_key") === "ctrl_enter";
  }

  #key(event) {
    // While an IME composes, Enter picks a candidate; Safari reports that key as 229 after the composition's end.
    if (event.isComposing || event.keyCode === 229 || event.shiftKey || event.altKey) return;
    if (event.key === "ArrowUp" && !this.#input.value && this.onUp(this.#input)) event.preventDefault();
    if (event.key !== "Enter") return;
    if (this.#sendsByCtrl && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    if (!event.repeat) this.#send();
  }

  #typed() {
    this.#drafts.set(this.#conversation, this.#input.value);
    this.refresh();
  }

  /** Another tab typed or sent here. What stands in this box is replaced only if it is the same draft. */
  #elsewhere(changed, before, now) {
    if (changed !== this.#conversation) return;
    const mine = this.#input.value;
    if (mine === before && document.activeElement !== this.#input) {
      this.#input.value = now;
      this.refresh();
    } else if (mine && mine !== now && !now) this.#drafts.set(this.#conversation, mine);
  }

  /** Characters as the server counts them; a long text costs nothing until it nears the limit. */
  #length(content) {
    return content.length <= this.#limit * 0.9 ? content.length : [...content].length;
  }

  refresh() {
    const content = this.#input.value;
    const length = this.#length(content);
    const near = length > this.#limit * 0.9;
    this.#count.hidden = !near;
    if (near) this.#count.textContent = text("too_long", { n: length, limit: this.#limit });
    this.#count.toggleAttribute("data-over", length > this.#limit);
    const typed = content.trim() !== "" || this.#attachments.any;
    const counts = Number.isFinite(this.#wait) && this.#wait > 0;
    const mode = this.#running && !typed ? "stop" : counts ? "wait" : "send";
    this.#button.dataset.mode = mode;
    this.#seconds.textContent = mode === "wait" ? this.#wait : "";
    this.#label.textContent = mode === "wait" ? text("limited", { n: this.#wait }) : text(mode);
    this.#button.title = this.#label.textContent;
    const cannot = this.#wait > 0 || !typed || this.#attachments.pending || length > this.#limit;
    this.#button.disabled = this.#input.disabled || (mode !== "stop" && cannot);
    // While something is typed the button sends; stopping has one of its own then.
    this.#stop.hidden = !(this.#running && typed);
    if (!GROWS_BY_ITSELF) this.#grow();
  }

  #grow() {
    this.#input.style.height = "auto";
    this.#input.style.height = `${this.#input.scrollHeight}px`;
  }
}
