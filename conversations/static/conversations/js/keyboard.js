// Keyboard shortcuts: the list in the page is the table, and one listener decides, so that no chord is handled twice.

import { codeOf, copyText } from "./code.js";
import { byId } from "./dom.js";
import { setting } from "./look.js";
import { sourceOf } from "./message.js";

const root = document.documentElement;
// By place, where a modifier makes another sign of it ("Shift+;" is ":", "Alt+R" is ® on a Mac).
const PLACES = { Semicolon: ";", Quote: "'", Slash: "/", Comma: ",", Period: "." };

/** "Mod+Shift+O" for what was pressed. */
function chordOf({ key, code, ctrlKey, metaKey, altKey, shiftKey }) {
  const name = /^[a-z]$/i.test(key) ? key.toUpperCase() : (PLACES[code] ?? code.match(/^(?:Key|Digit)(.)$/)?.[1] ?? key);
  return `${ctrlKey || metaKey ? "Mod+" : ""}${altKey ? "Alt+" : ""}${shiftKey ? "Shift+" : ""}${name}`;
}

/** Does something with the last of these; false where there is none. */
function withLast(selector, act) {
  const found = [...document.querySelectorAll(`#thread ${selector}`)].at(-1);
  return found ? act(found) : false;
}

/** `id()` names the open conversation; `begin()` shows a new chat. An act that answers false leaves the chord to the browser. */
export function setUpKeyboard({ id, begin, remove, regenerate, overlay }) {
  const open = () => byId("shortcuts-dialog").showModal();
  const acts = {
    new_chat: begin,
    temporary: () => document.querySelector("[data-temporary]")?.click(),
    search: () => byId("search-open")?.click(),
    focus: () => byId("composer-input").focus(),
    // On a wide page the list gives its room to the conversation; on a narrow one it lies above it.
    sidebar: () => {
      if (!matchMedia("(width < 48rem)").matches) root.toggleAttribute("data-folded");
      else if (!overlay.close()) overlay.open();
    },
    copy_answer: () => withLast(".message-assistant", (answer) => copyText(sourceOf(answer))),
    copy_code: () => withLast(".code-copy", (button) => copyText(codeOf(button))),
    regenerate: () => withLast(".message-assistant", regenerate),
    delete_chat: () => (id() ? remove(id()) : false),
    shortcuts: open,
  };
  document.addEventListener("keydown", (event) => {
    // In the middle of a composition keys belong to the input method; what lies on top has them before us.
    if (event.defaultPrevented || event.isComposing || event.keyCode === 229 || event.repeat) return;
    if (setting("use_shortcuts") === "off" || document.querySelector("dialog[open], :popover-open")) return;
    const row = document.querySelector(`[data-keys="${CSS.escape(chordOf(event))}"]`);
    if (row && acts[row.dataset.shortcut]() !== false) event.preventDefault();
  });
  byId("sidebar-open").addEventListener("click", () => root.removeAttribute("data-folded"));
  byId("shortcuts-open")?.addEventListener("click", () => {
    byId("account-menu").hidePopover();
    open();
  });
}
