// What the keyboard can do on the chat page: the acts of the shortcuts, and the list of chats folded away.

import { codeOf, copyText } from "./code.js";
import { byId } from "./dom.js";
import { sourceOf } from "./message.js";
import { Shortcuts } from "./shortcuts.js";

const last = (list, selector) => [...list.querySelectorAll(selector)].at(-1);

/** Presses what the page has for it; false where it has nothing. */
function press(selector) {
  const found = document.querySelector(selector);
  found?.click();
  return Boolean(found);
}

/** On a wide page the list gives its room to the conversation; on a narrow one it lies above it. */
function setUpFolding(overlay) {
  const root = document.documentElement;
  const opener = byId("sidebar-open");
  opener.addEventListener(
    "click",
    (event) => {
      if (!root.hasAttribute("data-folded")) return;
      event.stopImmediatePropagation();
      root.removeAttribute("data-folded");
    },
    { capture: true },
  );
  return () => {
    if (!matchMedia("(width < 48rem)").matches) root.toggleAttribute("data-folded");
    else if (!overlay.close()) overlay.open();
  };
}

/** `list` holds the messages; `id()` names the open conversation; `begin()` shows a new chat. */
export function setUpKeyboard({ list, id, begin, remove, regenerate, overlay }) {
  const sidebar = setUpFolding(overlay);
  const shortcuts = new Shortcuts({
    new_chat: () => begin(),
    temporary: () => press("[data-temporary]"),
    search: () => press("#search-open"),
    focus: () => byId("composer-input").focus(),
    sidebar,
    copy_answer: () => {
      const answer = last(list, ".message-assistant");
      return answer ? copyText(sourceOf(answer)) : false;
    },
    copy_code: () => {
      const button = last(list, ".code-copy");
      return button ? copyText(codeOf(button)) : false;
    },
    regenerate: () => {
      const answer = last(list, ".message-assistant");
      return answer ? regenerate(answer) : false;
    },
    delete_chat: () => (id() ? remove(id()) : false),
  });
  byId("shortcuts-open")?.addEventListener("click", () => {
    byId("account-menu").hidePopover();
    shortcuts.open();
  });
}
