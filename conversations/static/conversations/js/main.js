// The chat page: reads its configuration, joins the parts, and routes frames, keys and addresses.

import { addressed, pathOf } from "./address.js";
import { Asides } from "./asides.js";
import { codeOf, copy, copyText } from "./code.js";
import { Assistants } from "./assistants.js";
import { setUpQuestions } from "./asked.js";
import { Attachments } from "./attach.js";
import { entitle, finished } from "./attention.js";
import { Banner } from "./banner.js";
import { Composer } from "./composer.js";
import { OpenConversation } from "./conversation.js";
import { byId } from "./dom.js";
import { Drafts } from "./drafts.js";
import { setUpFrame } from "./frame.js";
import { RunForm } from "./form.js";
import { setUpKeyboard } from "./keyboard.js";
import { ConversationMenu, setUpAccountMenu } from "./menu.js";
import { MessageMenu, showOnHold } from "./message-menu.js";
import { sourceOf, startWaitingClock } from "./message.js";
import { toast } from "./notices.js";
import { laneOf, newClientId, Outbox } from "./outbox.js";
import { Pace } from "./pace.js";
import { Quota } from "./quota.js";
import { Sender } from "./sender.js";
import { Session } from "./session.js";
import { setUpOverlay } from "./overlay.js";
import { Search } from "./search.js";
import { Sidebar } from "./sidebar.js";
import { Socket } from "./socket.js";
import { Store } from "./store.js";
import { text } from "./strings.js";
import { Thread } from "./thread.js";
import { Tree } from "./tree.js";
import { Unsent } from "./unsent.js";
import { claimKept, forget, identified, setUpLeaving } from "./visitor.js";

const config = await identified(JSON.parse(byId("page-config").textContent));
const siteTitle = document.title.split("·").at(-1).trim();
const { user, pass, visiting, framed } = config;
const store = new Store(user, { inTab: visiting });
const drafts = new Drafts({ user, store });
const overlay = setUpOverlay();
let wasOnline = false;
const menu = new ConversationMenu({ onChoose: choose });
const thread = new Thread({ onOlder: () => open.older() });
const banner = new Banner({ onRetry: () => socket.connect(), waiting: () => outbox.all().length });
const socket = new Socket({ path: config.socket_path, user, pass, onFrame: route, onState: connection });
const quota = new Quota(config);
const isOnline = () => socket.online;
const send = (frame) => socket.send(frame);
const outbox = new Outbox({
  user,
  store,
  onChange: () => {
    open.asking.show();
    open.refresh();
    unsent.show();
    sender.pump();
  },
  onAccepted: (frame, entry) => open.asking.acceptedElsewhere(frame, entry),
});
const sender = new Sender({ outbox, say: send, ready: isOnline, doubt: () => socket.check(), prepare: (entry) => open.asking.prepare(entry) });
const runs = new RunForm({ onRun: ({ content, ...given }) => open.asking.ask(content, given), onStop: () => open.stop() });
const assistants = new Assistants({
  known: config.assistants,
  chosen: config.greeting,
  onChoose: (assistant) => open.choose(assistant),
});
const open = new OpenConversation({
  id: config.conversation,
  chat: history.state?.chat ?? newClientId(),
  assistant: config.chosen,
  revision: config.revision,
  branch: config.branch,
  thread,
  outbox,
  sender,
  send,
  isOnline,
  onAdopt: (id, content) => {
    history.replaceState(null, "");
    sidebar.put({ id, title: content.slice(0, 40), running: true });
    arrive(id, { push: true });
  },
  onWho: (assistant, { isNew }) => {
    assistants.name(isNew ? null : assistant);
    runs.show(assistant, { folded: !isNew });
    attachments.allow(assistant?.files ?? 0);
  },
  assistants,
  runs,
  onGone: (id) => gone(id),
  onChat: (chat) => go(null, { chat }),
});
const unsent = new Unsent({ outbox, lane: () => open.id ?? open.chat, onShow: (entry) => go(entry.conversation, entry) });
const session = new Session({
  user,
  waiting: () => outbox.all().length > 0 || drafts.any(),
  leave: () => outbox.clear(),
  onEnd: () => visiting && forget(),
  alone: visiting,
});
const frame = framed && setUpFrame(config, { focus: () => composer.focus() });
const attachments = new Attachments({
  limits: config.uploads,
  conversation: config.conversation,
  onChange: () => composer?.refresh(),
});
const composer = new Composer({
  drafts,
  attachments,
  conversation: config.conversation,
  limit: config.content_limit,
  onSend: (content, options) => open.asking.ask(content, options),
  onStop: () => open.stop(),
  onUp: (field) => tree.reviseLast(field),
});
new Asides({ list: thread.list, conversation: () => open.id, composer });
const pace = new Pace({ turns: config.turns, composer });
const tree = new Tree({ open, thread, limit: config.content_limit });
const messageMenu = new MessageMenu({ onChoose: act }).offer("copy_id", (item) => Boolean(item.dataset.log));
const sidebar = new Sidebar({
  menu,
  onOpen: (id) => go(id),
  onTitle: (id, title) => id === open.id && showTitle(title),
  onDeleted: (id) => id === open.id && go(null),
  onAnswered: (id, title) => {
    if (id !== open.id) toast(text("answered_elsewhere", { title }), { label: text("show"), act: () => go(id) });
  },
});
new Search({ onOpen: (id, message, turn) => go(id, { at: message && { message, turn } }) });
open.onElsewhere = (turn) => tree.choose(turn);

/** A new socket: ask for the state of what is open, and repeat what was never accepted. */
function connection(state) {
  banner.show(state);
  document.documentElement.dataset.connection = state.name;
  session.show(state);
  open.refresh();
  if (state.name !== "online") {
    sender.lost();
    return;
  }
  open.open();
  if (wasOnline) sidebar.refresh();
  else arriveFirst();
  wasOnline = true;
  sender.pump();
}

/** A visitor's page comes without its list; a member may have been a visitor in this tab a moment ago. */
async function arriveFirst() {
  const left = visiting ? "" : await claimKept();
  if (left === null) return;
  await sidebar.refresh();
  const newest = document.querySelector(".conversation")?.dataset.id;
  if (open.id) arrive(open.id, { push: false });
  if (left && sidebar.titleOf(left)) go(left);
  else if (framed && newest && !open.id && !open.busy) go(newest);
  if (left) toast(text("chats_kept"));
}

/** "rename" happens in the list, so the list must be in sight. */
function choose(act, id) {
  if (act === "share") return location.assign(`/c/${id}/share/`);
  if (act === "markdown" || act === "json") return location.assign(`/api/conversations/${id}/export?format=${act}`);
  if (act === "rename") overlay.open();
  if (act === "clear") tree.clear(id);
  else sidebar[act](id);
}

/** What the buttons of a message and the entries of its menu do; `pressed` is the button, if it was one. */
const acts = {
  copy: (item) => copyText(sourceOf(item)),
  more: (item, pressed) => messageMenu.open(item, pressed),
  revise: (item) => tree.revise(item),
  regenerate: (item) => tree.regenerate(item),
  again: (item) => tree.regenerate(item),
  continue: (item) => tree.goOn(item),
  remove: (item) => tree.remove(item),
  copy_id: (item) => copyText(item.dataset.log),
  uncut: (item) => tree.uncut(item),
};

function act(name, item, pressed) {
  if (acts[name]) acts[name](item, pressed);
  else open.act(name, item);
}

function route(frame) {
  if (frame.type === "conversation.updated") {
    const { id, running } = frame.conversation;
    if (id !== open.id && running === false && sidebar.isRunning(id)) finished();
    sidebar.put(frame.conversation);
    if (frame.conversation.id === open.id) {
      showTitle(frame.conversation.title);
      open.revised(frame.conversation);
    }
  } else if (frame.type === "usage.updated") {
    quota.take(frame);
    pace.take(frame);
  } else if (frame.type === "conversation.deleted") {
    gone(frame.conversation);
  } else {
    if (frame.type === "error") {
      frame.message = frame.limit ? pace.explain(frame) : quota.explain(frame);
      pace.refused(frame);
    }
    if (frame.type === "turn.failed") frame.error.message = quota.explain(frame.error);
    if (frame.type === "conversation.state" && frame.conversation.id === open.id) {
      showTitle(frame.conversation.title);
      byId("assistant-off").hidden = frame.available !== false;
    }
    open.take(frame);
  }
}

/** A conversation does not exist any more: not in the list, and not before our eyes. */
function gone(id) {
  sidebar.remove(id);
  const chat = open.asking.keep(id);
  if (id !== open.id) return;
  go(null, { chat });
  toast(text("gone"));
}

function showTitle(title) {
  byId("title").textContent = title;
  entitle(title ? `${title} · ${siteTitle}` : siteTitle);
}

/** Address, title and marks for the conversation that is now shown. */
function arrive(id, { push }) {
  const path = pathOf(id);
  // A frame shares its steps back with the page around it, which has its own.
  if (push && !framed && location.pathname !== path) history.pushState(null, "", path + byId("conversations").dataset.place);
  sidebar.select(id);
  showTitle(id ? sidebar.titleOf(id) : "");
  byId("conversation-more").hidden = !id;
  byId("assistant-off").hidden = true;
}

/** Shows a conversation in place; false means: follow the link, the socket is not there to bring it. */
function go(id, { push = true, chat, at } = {}) {
  if (id && !socket.online) return false;
  overlay.close();
  if (id !== open.id || id === null) open.show(id, { chat, at });
  else if (at) open.seek(at);
  arrive(id, { push });
  unsent.show();
  return true;
}

for (const link of document.querySelectorAll("[data-new]")) {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(null);
  });
}
addEventListener("popstate", () => {
  if (!go(addressed(), { push: false, chat: history.state?.chat })) location.reload();
});
byId("greeting").addEventListener("click", (event) => {
  const { suggestion } = event.target.closest("[data-suggestion]")?.dataset ?? {};
  if (suggestion) composer.submit(suggestion);
});
byId("conversation-more").addEventListener("click", (event) => sidebar.openMenu(open.id, event.currentTarget));
thread.list.addEventListener("click", (event) => {
  const pressed = event.target.closest("button, a[data-version]");
  const item = pressed?.closest(".message");
  if (!item) return;
  if (pressed.dataset.version) {
    event.preventDefault();
    tree.step(pressed);
    return;
  }
  if (pressed.matches(".code-copy")) copy(codeOf(pressed), pressed);
  else if (pressed.matches("[data-copy]")) copy(sourceOf(item), pressed);
  else if (pressed.dataset.act) act(pressed.dataset.act, item, pressed);
});
for (const form of document.querySelectorAll("[data-language]")) {
  form.addEventListener("submit", () => (form.elements.next.value = location.pathname));
}
// Esc closes the top layer only: dialogs and menus do so by themselves, then the sidebar, then the answer stops.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.shiftKey || event.defaultPrevented || event.isComposing) return;
  if (document.querySelector("dialog[open], :popover-open") || overlay.close()) return;
  if (open.busy) open.stop();
  else frame?.close();
});

setUpAccountMenu();
setUpKeyboard({
  id: () => open.id,
  begin: () => go(null),
  remove: (id) => sidebar.delete(id),
  regenerate: (answer) => tree.regenerate(answer),
  overlay,
});
if (visiting) setUpLeaving(config, () => open.id);
setUpQuestions((turn, given) => open.answer(turn, given));
startWaitingClock(thread.list);
showOnHold(thread.list);
open.attach(composer);
open.answeredBy(config.assistant);
if (config.turn) open.begin(config.turn);
if (config.seek) open.show(open.id, { at: config.seek });
sidebar.select(open.id);
open.refresh();
composer.focus();
if (config.look_at) {
  history.replaceState(history.state, "", location.pathname);
  tree.choose(config.look_at);
}
socket.connect();
outbox.opened.then(resume);

/** What an earlier page left: a new chat that was named meanwhile, or one with questions nobody shows. */
function resume() {
  if (!open.id) {
    const named = outbox.conversationOf(open.chat);
    const left = outbox.all().findLast(({ conversation }) => !conversation);
    if (named) location.replace(pathOf(named));
    else if (left && !outbox.of(open.chat).length) open.chat = laneOf(left);
  }
  open.asking.show();
  open.refresh();
  unsent.show();
  sender.pump();
}
