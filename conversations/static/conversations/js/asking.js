// What a person asks, until its answer begins: kept, shown, sent, queued, refused, asked again.

import { bring } from "./files.js";
import { markQuestion, sourceOf } from "./message.js";
import { announce, toast } from "./notices.js";
import { laneOf, newClientId } from "./outbox.js";
import { Queue } from "./queue.js";
import { retryTime } from "./sender.js";
import { errorText, text } from "./strings.js";

const OURS = ".message-user[data-client]:is([data-status=local], [data-status=failed], [data-status=retrying])";

export class Asking {
  #open;
  #thread;
  #outbox;
  #sender;
  #send;
  #isOnline;
  #queue;
  #unwanted = new Set();

  /** `open` is the conversation on the page; `send` says a frame and tells whether there is a line. */
  constructor({ open, thread, outbox, sender, send, isOnline }) {
    this.#open = open;
    this.#thread = thread;
    this.#outbox = outbox;
    this.#sender = sender;
    this.#send = send;
    this.#isOnline = isOnline;
    this.#queue = new Queue({ onEdit: (change) => this.#edit(change), onRemove: (which) => this.#withdraw(which) });
  }

  get #entries() {
    const entries = this.#outbox.of(laneOf({ conversation: this.#open.id, chat: this.#open.chat }));
    return entries.filter(({ clientId }) => !this.#unwanted.has(clientId));
  }

  /** Is a question on its way at this moment? */
  get sending() {
    return this.#isOnline() && this.#entries.some(({ attempted, error }) => attempted && !error);
  }

  clear() {
    this.#queue.clear();
  }

  /** Brings bubbles and list in line with the outbox. */
  show() {
    const entries = this.#entries;
    const known = new Set(entries.map(({ clientId }) => clientId));
    for (const item of this.#thread.list.querySelectorAll(OURS)) {
      if (!item.dataset.turn && !known.has(item.dataset.client)) item.remove();
    }
    for (const { dataset } of this.#queue.items) {
      if (!dataset.turn && !known.has(dataset.client)) this.#queue.remove({ clientId: dataset.client });
    }
    for (const entry of entries) this.#place(entry);
    this.#open.greet();
  }

  /** Behind a running answer a question waits in the list; else, and with any trouble, it is a bubble. */
  #place(entry) {
    const { clientId, retryAt } = entry;
    let item = this.#thread.question(clientId);
    if (item?.dataset.turn) return;
    // Who was only too fast needs no bubble out of line for it: the message box says how long.
    const error = retryAt && entry.error?.limit === "minute" && !item ? undefined : entry.error;
    const queued = this.#queue.find({ clientId });
    const beside = Boolean(entry.about?.edits ?? entry.about?.regenerates);
    if (!item && !error && !beside && (queued || this.#thread.running || !this.#queue.empty)) {
      this.#queue.addLocal(entry);
      return;
    }
    if (queued) this.#queue.remove({ clientId });
    item ??= this.#thread.addQuestion(entry);
    if (!entry.error) markQuestion(item, "local", entry);
    else markQuestion(item, retryAt ? "retrying" : "failed", entry);
  }

  /** Keeps a question, shows it and lets it go. `draft` is the name of the draft that it was, `about` see outbox.js. */
  ask(words, { draft, about, parameters, answers, lookUp, attachments } = {}) {
    const { id, chat, assistant } = this.#open;
    // As the server does: files alone have their names for words.
    const content = words || attachments?.map(({ name }) => name).join(", ") || "";
    const online = this.#isOnline();
    const fields = { conversation: id, chat, assistant, content, about, attempted: online, parameters, answers, lookUp, attachments };
    const [entry, saved] = this.#outbox.add({ ...fields, draft: draft && { name: draft } });
    if (!id) history.replaceState({ chat }, "");
    const replaced = about?.edits ?? about?.regenerates;
    if (replaced) this.#thread.leave(replaced);
    this.#place(entry);
    this.#thread.follow.toEnd();
    if (!online) announce(text("waits"));
    this.#sender.pump();
    return saved;
  }

  /** The server has a question of ours. */
  accepted(frame) {
    const clientId = frame.client_id;
    const entry = this.#outbox.get(clientId);
    this.#outbox.accept(frame).then(() => this.#sender.settled(clientId));
    if (entry) this.#open.adopt(frame.conversation, entry);
    if (frame.conversation !== this.#open.id) return;
    const item = this.#bubbleOf(frame);
    if (frame.queued) this.#toQueue(frame, { item, entry });
    else {
      if (item) this.#mark(item, frame);
      this.#open.begin(frame.turn);
    }
    if (!this.#unwanted.delete(clientId)) return;
    this.#send({ type: "turn.stop", turn: frame.turn });
    this.#open.open();
  }

  /** Another tab of this browser brought a question to the server. */
  acceptedElsewhere(frame, { chat, content = "" }) {
    this.#open.adopt(frame.conversation, { chat, content });
    if (frame.conversation !== this.#open.id) return;
    const item = this.#bubbleOf(frame);
    if (!item && !this.#queue.find({ clientId: frame.client_id })) return;
    if (item && !frame.queued) this.#mark(item, frame);
    // What became of it meanwhile is in the state.
    this.#open.open();
  }

  /** The bubble of a client_id; where the stored question stands already, there must not be two. */
  #bubbleOf({ client_id: clientId, turn }) {
    const local = this.#thread.question(clientId);
    const stored = this.#thread.questionOf(turn);
    if (local && stored && stored !== local) {
      local.remove();
      return stored;
    }
    if (local || stored) return local ?? stored;
    const queued = this.#queue.find({ clientId });
    if (!queued || queued.dataset.turn) return null;
    const content = queued.querySelector(".queued-text").textContent;
    this.#queue.remove({ clientId });
    return this.#thread.addQuestion({ clientId, content });
  }

  #mark(item, { turn, message }) {
    item.dataset.turn = turn;
    if (message) item.dataset.message = message;
    markQuestion(item, "accepted");
  }

  #toQueue({ client_id: clientId, turn }, { item, entry }) {
    const content = entry?.content ?? (item && sourceOf(item));
    item?.remove();
    if (content) this.#queue.add({ turn, client_id: clientId, question: { content }, form: Boolean(entry?.parameters) });
  }

  /** Frames about queued questions, from whichever tab. */
  queued(frame) {
    this.#thread.question(frame.client_id)?.remove();
    this.#queue.add(frame);
  }

  edited(frame) {
    this.#queue.edited(frame);
  }

  withdrawn({ turn }) {
    this.#queue.remove({ turn });
    this.#thread.forget(turn);
    announce(text("withdrawn"));
  }

  /** The list as the server has it, from the state of the conversation. */
  setQueue(queued) {
    this.#queue.set(queued);
    for (const { client_id: clientId } of queued) this.#thread.question(clientId)?.remove();
  }

  /** A question waits no more; what was being typed over it is not lost. */
  leftQueue({ turn, client_id: clientId }) {
    const typed = this.#queue.remove({ turn, clientId });
    if (!typed) return;
    this.#open.restore(typed);
    toast(text("edit_too_late"));
  }

  /** A question's answer begins: its line in the list becomes a bubble. */
  started({ turn, client_id: clientId, question }) {
    const whole = question.truncated ? this.#queue.textOf({ turn, clientId }) : question.content;
    this.leftQueue({ turn, client_id: clientId });
    if (this.#thread.questionOf(turn)) return;
    const { id, created_at: createdAt } = question;
    const asked = this.#thread.question(clientId);
    const content = whole ?? question.content;
    const item = asked ?? this.#thread.addQuestion({ id, turn, content, createdAt, attachments: question.attachments });
    this.#mark(item, { turn, message: id });
    if (!asked && whole === null) this.#open.complete();
  }

  /** The server refused a question: for now, or until its author decides. */
  refused(frame) {
    const { client_id: clientId, code, message, limit } = frame;
    const entry = this.#outbox.get(clientId);
    if (!entry || this.#unwanted.delete(clientId)) {
      if (entry) this.#outbox.remove(clientId).then(() => this.#sender.settled(clientId));
      else toast(errorText(frame));
      return;
    }
    if (frame.fields && laneOf(entry) === laneOf({ conversation: this.#open.id, chat: this.#open.chat })) {
      this.#outbox.remove(clientId).then(() => this.#sender.settled(clientId));
      this.#thread.question(clientId)?.remove();
      this.#open.greet();
      this.#open.refill(entry, frame);
      announce(errorText(frame));
      return;
    }
    const retryAt = retryTime(frame, { tries: entry.tries });
    const error = { code, message, limit };
    // What it was to take the place of is still there.
    if (entry.about) this.#open.catchUp(this.#open.id);
    this.#outbox.refuse(clientId, { error, retryAt }).then(() => {
      // The reason below the question is in sight, too.
      this.#thread.follow.keep();
      this.#sender.settled(clientId);
    });
    announce(errorText(error));
    if (laneOf(entry) !== laneOf({ conversation: this.#open.id, chat: this.#open.chat })) toast(errorText(error));
  }

  /** Brings the files of a question to the server before it is said; null, and marked, if that did not work. */
  async prepare(entry) {
    try {
      return await bring(entry);
    } catch ({ status, words }) {
      const error = { code: "attachment", message: words || text("upload_failed") };
      await this.#outbox.refuse(entry.clientId, { error, retryAt: status ? undefined : Date.now() + 5_000 });
      return null;
    }
  }

  /** A queued question could not be changed or removed. True if it was about one. */
  notChanged({ turn }) {
    if (!turn || !this.#queue.find({ turn })) return false;
    this.#queue.refused(turn);
    this.#open.open();
    return true;
  }

  #edit({ turn, clientId, content }) {
    if (turn) return this.#send({ type: "turn.edit", turn, content }) || this.#noLine();
    // Not sent yet: it is ours alone, and keeps its place.
    this.#outbox.change(clientId, content);
    this.#queue.remove({ clientId });
    return true;
  }

  #withdraw({ turn, clientId }) {
    if (turn) return this.#send({ type: "turn.stop", turn }) || this.#noLine();
    this.discard(clientId);
    return true;
  }

  #noLine() {
    toast(text("no_line"));
    return false;
  }

  /** Out of the outbox; if it is on its way at this moment, its answer is stopped. */
  discard(clientId) {
    if (this.#sender.sending(clientId)) this.#unwanted.add(clientId);
    else this.#outbox.remove(clientId);
  }

  /** What the buttons of a question say. */
  act(name, item) {
    const { client: clientId } = item.dataset;
    const entry = this.#outbox.get(clientId);
    if (!entry) return;
    if (name === "resend") this.#outbox.retry(clientId).then(() => this.#sender.pump());
    else if (name === "anew") this.#anew(clientId);
    else {
      // As a draft first: at no moment it is kept nowhere.
      if (name === "edit") this.#open.restore(entry.content, entry.attachments);
      this.discard(clientId);
      item.remove();
    }
    this.#open.greet();
  }

  /** Its conversation is gone: the question begins a new one. */
  #anew(clientId) {
    const chat = newClientId();
    this.#outbox.retry(clientId, { chat }).then(() => {
      this.#open.onChat(chat);
      this.#sender.pump();
    });
  }

  /** The questions of a conversation that does not exist any more must not vanish with it. */
  keep(conversation) {
    const chat = newClientId();
    const kept = this.#outbox.of(conversation);
    const error = { code: "not_found", message: text("gone") };
    for (const { clientId } of kept) this.#outbox.orphan(clientId, { chat, error });
    return kept.length ? chat : undefined;
  }
}
