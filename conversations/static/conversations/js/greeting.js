// The questions to try of an empty chat.

import { element, icon } from "./dom.js";

/** Shows these instead of those before. */
export function setSuggestions(suggestions) {
  const list = document.querySelector(".suggestions");
  if (!list) return;
  list.hidden = !suggestions.length;
  list.replaceChildren(
    ...suggestions.map((words) => {
      const row = element("li");
      const button = element("button", "suggestion", words);
      button.type = "button";
      button.dataset.suggestion = words;
      button.append(icon("up-right"));
      row.append(button);
      return row;
    }),
  );
}
