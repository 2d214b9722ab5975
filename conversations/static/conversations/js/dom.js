// The only places where elements are made, and the only one where the server's HTML enters the page.

export const byId = (id) => document.getElementById(id);

/** A copy of the one element inside <template id="…">. */
export function fromTemplate(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

/** An element with a class and plain text; never parses anything. */
export function element(tag, className = "", content = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (content) made.textContent = content;
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Adds HTML that our own server has sanitised; nothing else may be passed here. Returns the new nodes. */
export function setSafeHtml(target, html, { append = false } = {}) {
  const parsed = document.createElement("template");
  parsed.innerHTML = html;
  const nodes = [...parsed.content.childNodes];
  if (append) target.append(...nodes);
  else target.replaceChildren(...nodes);
  return nodes;
}
