// The list of conversations: kept in order, renamed in place, an overlay on narrow screens.

import { pathOf } from "./address.js";
import { deleteConversation, listConversations, renameConversation } from "./api.js";
import { confirmDelete } from "./dialogs.js";
import { byId, element, fromTemplate } from "./dom.js";
import { toast } from "./notices.js";
import { text } from "./strings.js";

const TITLE_LENGTH = 100;

export class Sidebar {
  #list = byId("conversations");
  #empty = byId("sidebar-empty");
  #menu;
  #onOpen;
  #onTitle;
  #onDeleted;
  #loading = false;

  /** `onOpen(id)` shows a conversation, `onTitle(id, title)` and `onDeleted(id)` hear of changes made here. */
  constructor({ menu, onOpen, onTitle, onDeleted }) {
    this.#menu = menu;
    this.#onOpen = onOpen;
    this.#onTitle = onTitle;
    this.#onDeleted = onDeleted;
    this.#list.addEventListener("click", (event) => this.#clicked(event));
    this.#watchEnd();
  }

  #item(id) {
    return this.#list.querySelector(`[data-id="${CSS.escape(id)}"]`);
  }

  titleOf(id) {
    return this.#item(id)?.querySelector(".conversation-link").textContent ?? "";
  }

  /** Is an answer under way there, as far as the list knows? */
  isRunning(id) {
    return this.#item(id)?.querySelector(".conversation-running").hidden === false;
  }

  select(id) {
    for (const item of this.#list.children) {
      const current = item.dataset.id === id;
      item.toggleAttribute("data-current", current);
      const link = item.querySelector(".conversation-link");
      if (current) link?.setAttribute("aria-current", "page");
      else link?.removeAttribute("aria-current");
    }
  }

  /** Adds a conversation or takes over what changed; the one last active stands first. */
  put({ id, title, updated_at: updatedAt, running }) {
    const known = this.#item(id);
    const item = known ?? this.#make(id);
    const link = item.querySelector(".conversation-link");
    if (title !== undefined && link) link.textContent = title || text("new_chat");
    if (running !== undefined) item.querySelector(".conversation-running").hidden = !running;
    if (!known || (updatedAt && Date.parse(updatedAt) > Date.parse(item.dataset.updated))) this.#lift(item, updatedAt);
    else if (updatedAt) item.dataset.updated = updatedAt;
    this.#empty.hidden = true;
  }

  #make(id) {
    const item = fromTemplate("conversation-item");
    item.dataset.id = id;
    item.querySelector(".conversation-link").href = pathOf(id);
    item.querySelector(".conversation-link").textContent = text("new_chat");
    return item;
  }

  #lift(item, updatedAt) {
    item.dataset.updated = updatedAt ?? new Date().toISOString();
    const when = Date.parse(item.dataset.updated);
    const older = [...this.#list.children].find((other) => other !== item && !(Date.parse(other.dataset.updated) > when));
    // Moving an element takes the focus away from what is inside it; one that is in place stays.
    if (older && older.previousElementSibling === item) return;
    const focused = item.contains(document.activeElement) ? document.activeElement : null;
    this.#list.insertBefore(item, older ?? null);
    focused?.focus();
  }

  remove(id) {
    this.#item(id)?.remove();
    this.#empty.hidden = this.#list.children.length > 0;
  }

  #clicked(event) {
    const item = event.target.closest(".conversation");
    const more = event.target.closest(".conversation-more");
    const link = event.target.closest(".conversation-link");
    if (more) this.#menu.open(item.dataset.id, more);
    else if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && this.#onOpen(item.dataset.id)) {
      event.preventDefault();
    }
  }

  /** Rename in place: Enter or leaving the field saves, Esc keeps the old title, blank is refused. */
  rename(id) {
    const item = this.#item(id);
    const link = item?.querySelector(".conversation-link");
    if (!link) return;
    const before = link.textContent;
    const input = element("input", "conversation-rename");
    input.value = before;
    input.maxLength = TITLE_LENGTH;
    input.setAttribute("aria-label", text("rename"));
    link.replaceWith(input);
    let done = false;
    const finish = (title) => {
      if (done) return;
      done = true;
      input.replaceWith(link);
      if (title && title !== before) this.#saveTitle(id, title, before);
    };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") finish("");
      else if (event.key === "Enter" && !event.isComposing && event.keyCode !== 229 && input.value.trim()) {
        finish(input.value.trim());
        link.focus();
      }
    });
    input.addEventListener("blur", () => finish(input.value.trim()));
    input.focus();
    input.select();
  }

  async #saveTitle(id, title, before) {
    const show = (shown) => {
      this.put({ id, title: shown });
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

  async delete(id) {
    if (!(await confirmDelete(this.titleOf(id)))) return;
    try {
      await deleteConversation(id);
    } catch (error) {
      if (error.status !== 404) {
        toast(text("not_saved"));
        return;
      }
    }
    this.remove(id);
    this.#onDeleted(id);
    toast(text("deleted"));
  }

  /** After a time without a line: what changed meanwhile among the newest. */
  async refresh() {
    let page;
    try {
      page = await listConversations("");
    } catch {
      return;
    }
    const ids = new Set(page.items.map(({ id }) => id));
    const oldest = page.next ? Date.parse(page.items.at(-1).updated_at) : 0;
    for (const item of [...this.#list.children]) {
      if (!ids.has(item.dataset.id) && Date.parse(item.dataset.updated) > oldest) this.remove(item.dataset.id);
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
      const { items, next } = await listConversations(after);
      for (const item of items) if (!this.#item(item.id)) this.put(item);
      this.#list.dataset.next = next ?? "";
    } catch {
      // The next scroll tries again.
    }
    this.#loading = false;
  }
}

/** Opens and closes the sidebar where it is an overlay. */
export function setUpOverlay() {
  const shell = byId("shell");
  const opener = byId("sidebar-open");
  const narrow = matchMedia("(width < 48rem)");
  const set = (open) => {
    shell.toggleAttribute("data-sidebar", false);
    if (open) shell.dataset.sidebar = "open";
    opener.setAttribute("aria-expanded", String(open));
    byId("main").inert = open && narrow.matches;
    if (open) byId("sidebar-close").focus();
  };
  const close = () => {
    if (shell.dataset.sidebar !== "open") return false;
    set(false);
    opener.focus();
    return true;
  };
  opener.addEventListener("click", () => set(true));
  byId("sidebar-close").addEventListener("click", close);
  byId("scrim").addEventListener("click", close);
  narrow.addEventListener("change", () => set(false));
  return { close, open: () => narrow.matches && set(true) };
}
