// Short words for everybody: toasts for the eyes, one polite region for screen readers.

import { byId, element } from "./dom.js";

const TOAST_FOR = 5_000;

/** Shows a sentence for five seconds, with a button if there is something to do; longer while somebody is at it. */
export function toast(sentence, { label, act } = {}) {
  const made = element("div", "toast", sentence);
  let timer;
  const wait = () => (timer = setTimeout(() => made.remove(), TOAST_FOR));
  if (label) {
    const button = element("button", "link-button", label);
    button.type = "button";
    button.addEventListener("click", () => {
      made.remove();
      act();
    });
    made.append(button);
    for (const event of ["pointerenter", "focusin"]) made.addEventListener(event, () => clearTimeout(timer));
    for (const event of ["pointerleave", "focusout"]) made.addEventListener(event, wait);
  }
  byId("toasts").append(made);
  wait();
}

/** Says started, finished or stopped; never the words of an answer. */
export function announce(sentence) {
  const announcer = byId("announcer");
  // The same words again would not be said again.
  announcer.textContent = announcer.textContent === sentence ? `${sentence}\u00a0` : sentence;
}
