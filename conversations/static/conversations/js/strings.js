// The page's own words, translated by the server and carried in <template id="strings">.

const words = new Map();
for (const entry of document.getElementById("strings").content.querySelectorAll("[data-key]")) {
  words.set(entry.dataset.key, entry.textContent);
}

/** The text for `key` with its {placeholders} filled in; the key itself where there is none. */
export function text(key, values = {}) {
  const pattern = words.get(key) ?? key;
  return pattern.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** What went wrong, in the server's own words: it knows the code and the person's language. */
export function errorText({ message } = {}) {
  return message || text("error_internal");
}
