// Short words for everybody: toasts for the eyes, one polite region for screen readers.

import { byId, element } from "./dom.js";

const TOAST_FOR = 5_000;

/** Shows a sentence for five seconds. */
export function toast(sentence) {
  const made = element("div", "toast", sentence);
  byId("toasts").append(made);
  setTimeout(() => made.remove(), TOAST_FOR);
}

/** Says started, finished or stopped; never the words of an answer. */
export function announce(sentence) {
  const announcer = byId("announcer");
  // The same words again would not be said again.
  announcer.textContent = announcer.textContent === sentence ? `${sentence}\u00a0` : sentence;
}
