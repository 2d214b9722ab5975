// The list of conversations: kept in order and in groups, arranged from its menu, several at once, with a way back.

import { pathOf } from "./address.js";
import { arrangeConversations, discardConversations, listConversations, renameConversation, restoreConversations } from "./api.js";
import { byId, element, fromTemplate } from "./dom.js";
import { chooseFolder, setUpFolder } from "./folders.js";
import { regroup } from "./groups.js";
import { toast } from "./notices.js";
import { Picking } from "./picking.js";
import { renameInPlace } from "./renaming.js";
import { text } from "./strings.js";

const MARKS = ["pinned", "archived", "unread"];

export class Sidebar {
  #list = byId("conversations");
  #empty = byId("sidebar-empty");
  #place = new URLSearchParams(this.#list.dataset.place);
  #menu;
  #onOpen;
  #onTitle;
  #onDeleted;
  #onAnswered;
  #picking;
  #current = null;
  #loading = false;
  #grouping = false;

  /**
   * `onOpen(id)` shows a conversation, `onTitle(id, title)` and `onDeleted(id)` hear of changes made here,
   * `onAnswered(id, title)` that an answer has ended which nobody looks at.
   */
  constructor({ menu, onOpen, onTitle, onDeleted, onAnswered }) {
    this.#menu = menu;
    this.#onOpen = onOpen;
    this.#onTitle = onTitle;
    this.#onDeleted = onDeleted;
    this.#onAnswered = onAnswered;
    this.#picking = new Picking(this.#list, { onAct: (act, ids) => this[act](ids) });
    this.#list.addEventListener("click", (event) => this.#clicked(event));
    document.addEventListener("visibilitychange", () => this.#see());
    setUpFolder();
    this.#watchEnd();
    this.#changed();
  }

  get #items() {
    return [...this.#list.querySelectorAll(".conversation")];
  }

  #item(id) {
    return this.#list.querySelector(`[data-id="${CSS.escape(id)}"]`);
  }

  titleOf(id) {
    return this.#item(id)?.querySelector(".conversation-link")?.textContent ?? "";
  }

  /** What the menu has to know: `{pinned, archived}`. */
  stateOf(id) {
    const { pinned, archived } = this.#item(id)?.dataset ?? {};
    return { pinned: pinned !== undefined, archived: archived !== undefined };
  }

  /** Is an answer under way there, as far as the list knows? */
  isRunning(id) {
    return this.#item(id)?.querySelector(".conversation-running").hidden === false;
  }

  select(id) {
    this.#current = id;
    for (const item of this.#items) {
      const current = item.dataset.id === id;
      item.toggleAttribute("data-current", current);
      const link = item.querySelector(".conversation-link");
      if (current) link?.setAttribute("aria-current", "page");
      else link?.removeAttribute("aria-current");
    }
    this.#see();
  }

  /** What is before one's eyes is read, in every tab and on every device. */
  #see() {
    const item = this.#current && !document.hidden && this.#item(this.#current);
    if (!item || item.dataset.unread === undefined) return;
    item.removeAttribute("data-unread");
    arrangeConversations([this.#current], { unread: false }).catch(() => item.setAttribute("data-unread", ""));
  }

  /** Adds a conversation or takes over what changed; what was asked last stands first, below what is pinned. */
  put(conversation) {
    const { id, title, asked_at: asked, running } = conversation;
    const known = this.#item(id);
    if (!this.#belongs(conversation, known)) {
      this.remove(id);
      return;
    }
    const item = known ?? this.#make(id);
    const link = item.querySelector(".conversation-link");
    if (title !== undefined && link) link.textContent = title || text("new_chat");
    const before = `${item.dataset.pinned} ${item.dataset.asked}`;
    for (const mark of MARKS) {
      if (conversation[mark] !== undefined) item.toggleAttribute(`data-${mark}`, conversation[mark]);
    }
    if (conversation.folder !== undefined) item.dataset.folder = conversation.folder ?? "";
    if (asked || !known) item.dataset.asked = asked ?? new Date().toISOString();
    if (running !== undefined) this.#run(item, conversation);
    if (!known || before !== `${item.dataset.pinned} ${item.dataset.asked}`) this.#insert(item);
    if (id === this.#current) this.#see();
    this.#changed();
  }

  /** Whether it stands in the place that is shown. What says nothing about it was made here: a new chat. */
  #belongs({ archived, folder }, known) {
    if (archived === undefined) return Boolean(known) || !this.#list.dataset.place;
    if (this.#place.get("view")) return archived;
    return !archived && (folder ?? null) === this.#place.get("folder");
  }

  #run(item, { id, title, running, unread }) {
    const mark = item.querySelector(".conversation-running");
    const ended = !mark.hidden && !running;
    mark.hidden = !running;
    if (ended && unread && (id !== this.#current || document.hidden)) this.#onAnswered(id, title);
  }

  #make(id) {
    const item = fromTemplate("conversation-item");
    item.dataset.id = id;
    item.querySelector(".conversation-link").href = pathOf(id) + this.#list.dataset.place;
    item.querySelector(".conversation-link").textContent = text("new_chat");
    item.toggleAttribute("data-current", id === this.#current);
    return item;
  }

  #insert(item) {
    const later = this.#items.find((other) => other !== item && !isBefore(other, item));
    // Moving an element takes the focus away from what is inside it; one that is in place stays.
    if (later && later.previousElementSibling === item) return;
    const focused = item.contains(document.activeElement) ? document.activeElement : null;
    this.#list.insertBefore(item, later ?? null);
    focused?.focus();
  }

  remove(id) {
    this.#item(id)?.remove();
    this.#changed();
  }

  /** Headings and the empty note, once for many changes. */
  #changed() {
    if (this.#grouping) return;
    this.#grouping = true;
    queueMicrotask(() => {
      this.#grouping = false;
      regroup(this.#list);
      this.#picking.show();
      this.#empty.hidden = this.#items.length > 0;
    });
  }

  #clicked(event) {
    const item = event.target.closest(".conversation");
    const more = event.target.closest(".conversation-more");
    const link = event.target.closest(".conversation-link");
    if (more) this.openMenu(item.dataset.id, more);
    else if (!link || event.ctrlKey || event.metaKey) return;
    else if (this.#picking.clicked(item, event)) event.preventDefault();
    else {
      this.#picking.clear();
      if (this.#onOpen(item.dataset.id)) event.preventDefault();
    }
  }

  openMenu(id, button) {
    this.#menu.open(id, button, this.stateOf(id));
  }

  rename(id) {
    const link = this.#item(id)?.querySelector(".conversation-link");
    if (link) renameInPlace(link, (title, before) => this.#saveTitle(id, title, before));
  }

  async #saveTitle(id, title, before) {
    const show = (shown) => {
      this.#item(id)?.querySelector(".conversation-link")?.replaceChildren(shown);
      this.#onTitle(id, shown);
    };
    show(title);
    try {
      await renameConversation(id, title);
    } catch {
      show(before);
      toast(text("not_saved"));
    }
  }

  pin = (id) => this.#arrange([id], { pinned: true });
  unpin = (id) => this.#arrange([id], { pinned: false });
  unarchive = (id) => this.#arrange([id].flat(), { archived: false });

  async archive(id) {
    const ids = [id].flat();
    if (await this.#arrange(ids, { archived: true })) {
      toast(text("archived"), { label: text("undo"), act: () => this.#arrange(ids, { archived: false }) });
    }
  }

  move(id) {
    const ids = [id].flat();
    chooseFolder(this.#item(ids[0])?.dataset.folder, async (folder, isNew) => {
      if ((await this.#arrange(ids, { folder })) && isNew) location.reload();
    });
  }

  /** The list follows what the server says to every tab. */
  async #arrange(ids, wish) {
    try {
      await arrangeConversations(ids, wish);
      return true;
    } catch (error) {
      toast(error.words ?? text("not_saved"));
      return false;
    }
  }

  /** Gone at once; for some seconds there is a way back. */
  async delete(id) {
    const ids = [id].flat();
    const open = ids.find((each) => each === this.#current);
    for (const each of ids) this.remove(each);
    if (open) this.#onDeleted(open);
    try {
      await discardConversations(ids);
    } catch {
      toast(text("not_saved"));
      this.refresh();
      return;
    }
    const sentence = ids.length > 1 ? text("deleted_some", { n: ids.length }) : text("deleted");
    toast(sentence, { label: text("undo"), act: () => this.#restore(ids, open) });
  }

  async #restore(ids, open) {
    const { ids: there } = await restoreConversations(ids).catch(() => ({ ids: [] }));
    if (there.length < ids.length) toast(text("too_late"));
    await this.refresh();
    if (there.includes(open)) this.#onOpen(open);
  }

  #fetch(after) {
    return listConversations(after, this.#place);
  }

  /** After a time without a line: what changed meanwhile among the newest. */
  async refresh() {
    let page;
    try {
      page = await this.#fetch("");
    } catch {
      return;
    }
    const ids = new Set(page.items.map(({ id }) => id));
    const last = page.next && this.#item(page.items.at(-1).id);
    for (const item of this.#items) {
      if (!ids.has(item.dataset.id) && (!page.next || (last && isBefore(item, last)))) this.remove(item.dataset.id);
    }
    for (const item of page.items.reverse()) this.put(item);
  }

  /** Loads the next page when the end of the list comes near. */
  #watchEnd() {
    const sentinel = element("div", "sidebar-end");
    this.#list.after(sentinel);
    new IntersectionObserver(([entry]) => entry.isIntersecting && this.#more(), {
      root: byId("sidebar-list"),
      rootMargin: "200px",
    }).observe(sentinel);
  }

  async #more() {
    const after = this.#list.dataset.next;
    if (!after || this.#loading) return;
    this.#loading = true;
    try {
      const { items, next } = await this.#fetch(after);
      for (const item of items) if (!this.#item(item.id)) this.put(item);
      this.#list.dataset.next = next ?? "";
    } catch {
      // The next scroll tries again.
    }
    this.#loading = false;
  }
}

/** As the server orders them; equals stay as they stand. */
function isBefore(one, other) {
  const pins = ("pinned" in one.dataset) - ("pinned" in other.dataset);
  return pins ? pins > 0 : Date.parse(one.dataset.asked) > Date.parse(other.dataset.asked);
}
