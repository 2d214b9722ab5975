// What a person does with single messages: another version of a turn, another question in its place, neither of them.

import { chooseVersion, clearContext, deleteTurn, restoreContext, restoreTurn } from "./api.js";
import { confirmDeleteTurn } from "./dialogs.js";
import { byId } from "./dom.js";
import { Editing } from "./editing.js";
import { filesOf } from "./files.js";
import { parametersOf, sourceOf } from "./message.js";
import { announce, toast } from "./notices.js";
import { text } from "./strings.js";
import { focusVersions, versionOf } from "./versions.js";

const shorten = (content) => (content.length > 120 ? `${content.slice(0, 119)}…` : content);

export class Tree {
  #open;
  #thread;
  #editing;

  /** `open` is the conversation on the page, `limit` how long a question may be. */
  constructor({ open, thread, limit }) {
    this.#open = open;
    this.#thread = thread;
    this.#editing = new Editing({ limit, onSend: (item, content) => this.#resend(item, content) });
  }

  /** Opens a stored question for editing. */
  revise(item, back = item.querySelector("[data-act=revise]")) {
    // The values of a form are changed in the form.
    if (parametersOf(item)) this.#open.act("rerun", item);
    else if (item.dataset.turn) this.#editing.open(item, { back });
  }

  /** The last question of one's own, if there is one: the same as its button. */
  reviseLast(back) {
    const queued = byId("queue-list").lastElementChild;
    const last = [...this.#thread.list.querySelectorAll('.message-user:not([data-turn=""])')].at(-1);
    if (queued) queued.querySelector("[data-queue=edit]").click();
    else if (last) this.revise(last, back);
    return Boolean(queued ?? last);
  }

  #resend(item, content) {
    const { turn } = item.dataset;
    if (this.#open.busy) this.#open.stop();
    const about = content === sourceOf(item) ? { regenerates: turn } : { edits: turn };
    this.#open.asking.ask(content, { about, attachments: filesOf(item) });
  }

  regenerate(item) {
    const { turn } = item.dataset;
    const question = this.#thread.questionOf(turn);
    if (this.#open.busy) toast(text("busy_here"));
    else if (question) {
      const about = { regenerates: turn };
      this.#open.asking.ask(sourceOf(question), { about, parameters: parametersOf(question), attachments: filesOf(question) });
    }
  }

  goOn(item) {
    if (this.#open.busy) toast(text("busy_here"));
    else this.#open.asking.ask(text("please_go_on"), { about: { continues: item.dataset.turn } });
  }

  /** A pressed arrow beside a message. */
  step(link) {
    const turn = versionOf(link);
    if (turn) this.choose(turn, link.dataset.version);
  }

  /** Shows a version and what came after it; `direction` is the arrow that keeps the focus. */
  async choose(turn, direction) {
    const chosen = await this.#try(() => chooseVersion(this.#open.id, turn));
    if (!chosen) return;
    this.#thread.follow.following = false;
    await this.#open.reload(chosen);
    if (direction) focusVersions(this.#thread.list, turn, direction);
    else this.#thread.questionOf(turn)?.scrollIntoView({ block: "start" });
    const at = this.#thread.list.querySelector(`[data-turn="${CSS.escape(turn)}"] .versions:not([hidden])`);
    if (at) announce(at.getAttribute("aria-label"));
  }

  /** Asks once; for five seconds it can be undone. */
  async remove(item) {
    const { turn } = item.dataset;
    const { id } = this.#open;
    const question = this.#thread.questionOf(turn);
    if (!(await confirmDeleteTurn(shorten(sourceOf(question ?? item))))) return;
    if (!(await this.#try(() => deleteTurn(id, turn)))) return;
    byId("composer-input").focus({ preventScroll: true });
    this.#open.catchUp(id);
    toast(text("turn_deleted"), { label: text("undo"), act: () => this.#restore(id, turn) });
  }

  async #restore(id, turn) {
    if (!(await this.#try(() => restoreTurn(id, turn)))) return;
    this.#open.catchUp(id);
    announce(text("turn_restored"));
  }

  /** Cuts the context of any conversation at its end. */
  async clear(id) {
    if (!(await this.#try(() => clearContext(id)))) return;
    this.#open.catchUp(id);
    announce(text("context_cut"));
  }

  async uncut(item) {
    const { id } = this.#open;
    const { cut } = item.querySelector(".cut").dataset;
    if (!(await this.#try(() => restoreContext(id, cut)))) return;
    this.#open.catchUp(id);
    announce(text("context_back"));
  }

  /** What the server answered (true for nothing), or null and a word about it. */
  async #try(request) {
    try {
      return (await request()) ?? true;
    } catch (error) {
      toast(error.status === 409 ? error.words : text(error.status === 404 ? "not_loaded" : "not_saved"));
      if (error.status === 404) this.#open.catchUp(this.#open.id);
      return null;
    }
  }
}
