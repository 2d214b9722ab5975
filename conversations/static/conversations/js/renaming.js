// A title that is changed where it stands.

import { element } from "./dom.js";
import { text } from "./strings.js";

const TITLE_LENGTH = 100;

/** Enter or leaving the field saves, Esc keeps the old title, blank is refused. `save(title, before)` hears of a new one. */
export function renameInPlace(link, save) {
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
    if (title && title !== before) save(title, before);
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
