// The conversation that is open: what its frames mean for the page, and what the person does in it.

import { Asking } from "./asking.js";
import { finished } from "./attention.js";
import { listMessages } from "./api.js";
import { openQuestions } from "./asked.js";
import { answeredBy, parametersOf } from "./message.js";
import { announce, toast } from "./notices.js";
import { newClientId } from "./outbox.js";
import { errorText, text } from "./strings.js";
import { applyFrame, matches, resumeFrame } from "./turns.js";

const SPOKEN = { completed: "finished", canceled: "stopped", interrupted: "interrupted", failed: "answer_failed" };

export class OpenConversation {
  #thread;
  #composer;
  #send;
  #onAdopt;
  #onWho;
  #assistants;
  #runs;
  #onGone;
  #isOnline;
  #stopWhenBegun = false;
  #stopping = null;
  #sought = null;

  /**
   * `chat` names a conversation that has no id yet, `assistant` whom it asks if that was chosen. `send` says a frame; `onAdopt(id, content)` hears that a
   * new chat has become a conversation, `onGone(id)` that one does not exist any more, `onChat(chat)` that a
   * new chat is to be shown, `onWho(assistant, {isNew})` who answers here. `assistants` knows them, `runs` is the form. `outbox`, `sender` and `isOnline` are for the questions.
   */
  constructor({ id, chat, assistant, revision, branch, thread, send, onAdopt, onWho, assistants, runs, onGone, onChat, outbox, sender, isOnline }) {
    this.id = id;
    this.revision = id ? revision : null;
    this.branch = branch;
    this.chat = chat;
    this.assistant = assistant;
    this.onChat = onChat;
    this.#thread = thread;
    this.#send = send;
    this.#onAdopt = onAdopt;
    this.#onWho = onWho;
    this.#assistants = assistants;
    this.#runs = runs;
    this.#onGone = onGone;
    this.#isOnline = isOnline;
    this.asking = new Asking({ open: this, thread, outbox, sender, send, isOnline });
  }

  /** The composer needs us and we need it: it comes second. */
  attach(composer) {
    this.#composer = composer;
  }

  /** Another conversation, or null for a new chat (`chat`, if it has been begun). */
  show(id, { chat = newClientId(), at = null } = {}) {
    this.id = id;
    this.revision = null;
    this.branch = null;
    this.#sought = at;
    this.chat = chat;
    this.#stopping = null;
    this.#stopWhenBegun = false;
    this.#thread.clear();
    this.asking.clear();
    this.#thread.showGreeting(!id);
    if (id) this.#thread.showSkeleton();
    this.asking.show();
    this.#composer.switchTo(id);
    if (!id) this.answeredBy(this.#assistants.chosen);
    this.refresh();
    this.open();
  }

  /** Somebody else is to answer in the new chat. */
  choose(assistant) {
    this.assistant = assistant.id;
    if (!this.id) this.answeredBy(assistant);
  }

  /** Who answers here: the name stands above each answer, and a run's form where the message box would be. */
  answeredBy(assistant) {
    const described = assistant && this.#assistants.about(assistant);
    answeredBy({ ...described, hasBox: !described?.form });
    this.#thread.nameAnswers();
    this.#onWho(described, { isNew: !this.id });
  }

  /** A question that was asked back is answered. */
  answer(turn, { content, parameters }) {
    this.asking.ask(content, { parameters, answers: turn });
  }

  /** Values that the server did not take, in their form again, each with what is wrong. */
  refill({ parameters, answers, content }, { fields, message }) {
    if (answers || this.#runs.hasBox) {
      toast(Object.values(fields)[0] ?? message);
      if (!answers) this.restore(content);
      this.complete();
    } else this.#runs.edit(parameters ?? {}, fields);
  }

  /** Asks for the state; sent again whenever the socket comes back. */
  open() {
    if (this.id) this.#send({ type: "conversation.open", conversation: this.id });
  }

  /** An empty new chat greets; anything else does not. */
  greet() {
    this.#thread.showGreeting(!this.id && !this.#thread.list.children.length);
  }

  /** A question was accepted: if it was asked in the new chat that is open, that chat has its id now. */
  adopt(conversation, { chat, content, createdAt }) {
    if (this.id !== null || chat !== this.chat) return;
    this.id = conversation;
    this.#composer.rename(conversation);
    this.#onAdopt(conversation, content);
    this.answeredBy(this.#assistants.chosen);
    // After a reconnect the answer may have run on, or ended: the state tells.
    if (!createdAt || Date.now() - Date.parse(createdAt) > 2_000) this.open();
  }

  stop() {
    const { running } = this.#thread;
    if (running) {
      this.#stopping = running.id;
      this.#send({ type: "turn.stop", turn: running.id });
    } else this.#stopWhenBegun = true;
    this.refresh();
  }

  /** Is an answer on its way, or a question that will bring one? */
  get busy() {
    const { running } = this.#thread;
    if (running) return running.id !== this.#stopping;
    return !this.#stopWhenBegun && this.asking.sending;
  }

  refresh() {
    this.#composer?.setRunning(this.busy);
    this.#runs.setRunning(this.busy);
  }

  restore(content, attachments) {
    this.#composer.restore(content, attachments);
  }

  /** Takes one frame about turns or the state of this conversation. */
  take(frame) {
    if (frame.type === "turn.accepted") this.asking.accepted(frame);
    else if (frame.type === "turn.started") this.#started(frame);
    else if (frame.type === "conversation.state") this.#state(frame);
    else if (frame.type === "turn.suggestions" || frame.type === "turn.feedback") this.#thread.annotate(frame);
    else if (frame.type === "message.created") this.#received(frame);
    else if (frame.type === "error") this.#error(frame);
    else if (frame.conversation === this.id && this.#aboutQueue(frame)) return;
    else this.#turnFrame(frame);
    this.refresh();
  }

  #aboutQueue(frame) {
    if (frame.type === "turn.queued") this.asking.queued(frame);
    else if (frame.type === "turn.edited") this.asking.edited(frame);
    else if (frame.withdrawn) this.asking.withdrawn(frame);
    else return false;
    return true;
  }

  /** An answer begins; a stop that was pressed before is said now. */
  begin(turn) {
    if (!this.#thread.turn(turn)) announce(text("started"));
    const begun = this.#thread.begin(turn);
    if (this.#stopWhenBegun) {
      this.#stopWhenBegun = false;
      this.stop();
    }
    return begun;
  }

  #started(frame) {
    if (frame.conversation !== this.id || this.#thread.turn(frame.turn)) return;
    // It runs on another branch than the one that is shown here: what is to be shown now, the revision tells.
    if (frame.branch !== this.branch) {
      this.asking.leftQueue(frame);
      return;
    }
    this.asking.started(frame);
    this.begin(frame.turn);
    this.#thread.follow.keep();
  }

  /** Something was said here outside of any turn. */
  #received({ conversation, branch, message }) {
    if (conversation !== this.id || branch !== this.branch) return;
    if (this.#thread.receive(message)) this.complete();
    announce(text("received"));
  }

  #turnFrame(frame) {
    const turn = this.#thread.turn(frame.turn);
    if (!turn) return;
    const { changed, send, ended, refetch, mismatch, begun } = applyFrame(turn, frame);
    if (send) this.#send(send);
    if (changed) this.#thread.changed(turn.id);
    if (begun) announce(text("steps_using", { tool: begun.title }));
    if (mismatch) this.#thread.countMismatch();
    if (refetch) this.complete();
    if (!ended) return;
    if (!mismatch) this.#verify(turn.text, frame.digest);
    this.#thread.draw();
    if (this.#stopping === turn.id) this.#stopping = null;
    announce(text(SPOKEN[turn.status] ?? "finished"));
    if (turn.status !== "canceled") finished(text(SPOKEN[turn.status] ?? "finished"));
    // What was asked before may be answered now, or wait again: the stored messages say it.
    if (openQuestions(this.#thread.list).some((box) => box.closest(".message").dataset.turn !== turn.id)) this.complete();
  }

  async #verify(content, digest) {
    if (await matches(content, digest)) return;
    this.#thread.countMismatch();
    this.complete();
  }

  /** Shows the stored form of what arrived incomplete. */
  async complete() {
    const { id } = this;
    try {
      const { items } = await listMessages(id);
      if (id === this.id) this.#thread.fill(items);
    } catch (error) {
      // The text that arrived stays; opening the conversation again brings the whole.
      if (error.status === 404) this.#onGone(id);
    }
  }

  /** What the server says of this conversation: where something else is to be shown than stands here, it is read. */
  revised({ revision, branch }) {
    const known = this.revision;
    this.revision = revision;
    this.branch = branch;
    const isOther = known !== null && known !== revision;
    if (isOther) this.reload();
    return isOther;
  }

  /** Something was changed by this page: the line tells what, or it is read where there is none. */
  catchUp(id) {
    if (id === this.id && !this.#isOnline()) this.reload();
    else if (id === this.id) this.open();
  }

  /** Shows exactly what the server has, then follows what runs; `described` is the conversation, if that is known. */
  async reload(described = this) {
    const { id } = this;
    this.revision = described.revision;
    this.branch = described.branch;
    try {
      const { items, next } = await listMessages(id, { limit: this.#thread.pageSize });
      if (id !== this.id) return;
      for (const typed of this.#thread.show(items, { older: Boolean(next) })) this.restore(typed);
      this.asking.show();
      this.open();
      this.refresh();
    } catch (error) {
      if (error.status === 404) this.#onGone(id);
      else toast(text("not_loaded"));
    }
  }

  #state({ conversation, messages, has_more: hasMore, turn, queued = [] }) {
    if (conversation.id !== this.id) return;
    if (conversation.assistant) this.answeredBy(conversation.assistant);
    // The messages come with the rest then, and this once more.
    if (this.revised(conversation)) return;
    const incomplete = this.#thread.reconcile(messages);
    // A state may be shorter than what the page already shows: then it says nothing about what is before that.
    if (String(messages[0]?.id) === this.#thread.firstId) this.#thread.offerOlder(hasMore);
    if (incomplete) this.complete();
    if (turn) this.begin(turn);
    if (turn && turn === this.#stopping) this.#send({ type: "turn.stop", turn });
    const { running } = this.#thread;
    // A turn we believe to be running and the server does not: its end was missed.
    if (running && running.id !== turn) this.#send(resumeFrame(running));
    this.asking.setQueue(queued);
    this.asking.show();
    this.#thread.follow.keep();
    if (this.#sought) this.seek(this.#sought);
  }

  #error(frame) {
    if (frame.client_id) {
      this.#stopWhenBegun = false;
      this.asking.refused(frame);
    } else if (this.asking.notChanged(frame)) toast(errorText(frame));
    // It may be the open conversation that another tab deleted while we were away.
    else if (frame.code === "not_found" && this.id) this.complete();
    else toast(errorText(frame));
  }

  /** What the buttons inside a message do. */
  act(name, item) {
    if (name === "lookup") this.asking.ask(text("look_up_again"), { lookUp: item.dataset.turn });
    else if (name === "rerun") this.#runs.edit(parametersOf(item) ?? {});
    else this.asking.act(name, item);
    this.refresh();
  }

  /** Shows a message of this conversation, however far up it is: what lies between is loaded. */
  async seek({ message, turn }) {
    const { id } = this;
    this.#sought = null;
    let first;
    while (id === this.id && first !== this.#thread.firstId) {
      if (this.#thread.lookAt(message)) return;
      first = this.#thread.firstId;
      if (this.#thread.hasOlder) await this.older({ limit: 100 });
    }
    // It may stand on another branch than the one that is shown.
    if (id !== this.id || !turn) return;
    await this.onElsewhere(turn);
    this.seek({ message });
  }

  async older({ limit } = {}) {
    const { id } = this;
    this.#thread.offerOlder(false);
    try {
      const { items, next } = await listMessages(id, { before: this.#thread.firstId, limit });
      if (id !== this.id) return;
      this.#thread.prepend(items);
      this.#thread.offerOlder(Boolean(next) && items.length > 0);
    } catch {
      this.#thread.offerOlder(true);
      toast(text("not_loaded"));
    }
  }
}
