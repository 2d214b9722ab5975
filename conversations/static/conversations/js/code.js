// Code blocks of finished answers get a button that copies exactly the code.

import { element, icon } from "./dom.js";
import { toast } from "./notices.js";
import { text } from "./strings.js";

function button() {
  const made = element("button", "code-copy");
  made.type = "button";
  made.append(icon("copy"), element("span", "", text("copy")));
  return made;
}

/** Adds the buttons to the code blocks in `root` that have none. */
export function addCopyButtons(root) {
  for (const caption of root.querySelectorAll(".code > figcaption:not(:has(.code-copy))")) {
    const language = element("span", "", caption.textContent);
    caption.replaceChildren(language, button());
  }
}

/** Copies, and says so on the button for two seconds. */
export async function copy(content, pressed) {
  const label = pressed.querySelector("span");
  const use = pressed.querySelector("use");
  let said = text("copied");
  try {
    await navigator.clipboard.writeText(content);
    use.setAttribute("href", "#i-check");
  } catch {
    said = text("copy_failed");
  }
  label.textContent = said;
  setTimeout(() => {
    label.textContent = text("copy");
    use.setAttribute("href", "#i-copy");
  }, 2_000);
}

/** The same from a menu that is gone by then. */
export async function copyText(content) {
  try {
    await navigator.clipboard.writeText(content);
    toast(text("copied"));
  } catch {
    toast(text("copy_failed"));
  }
}

/** The code a pressed button belongs to, without the line break that ends every block. */
export function codeOf(pressed) {
  return pressed.closest(".code").querySelector("code").textContent.replace(/\n$/, "");
}
