// The block that is still being written, shown as what it will become. Builds elements and text nodes only.

import { element } from "./dom.js";

const FENCE = /^ {0,3}(`{3,}|~{3,})[ \t]*([^\s`]*)[^`]*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const HEADING = /^(#{1,6})\s+(.*)$/;
// Past this size an open block is plain text: its cost must not grow with the answer.
const FORMAT_LIMIT = 6_000;

const INLINE = [
  { open: "`", tag: "code", raw: true },
  { open: "**", tag: "strong" },
  { open: "__", tag: "strong" },
  { open: "~~", tag: "s" },
  { open: "*", tag: "em" },
];
const LINK = /^!?\[([^\]\n]*)(?:\]\([^)\n]*(?:\)|$)|$)/;

function inline(parent, source) {
  let plain = "";
  const flush = () => {
    if (plain) parent.append(plain);
    plain = "";
  };
  for (let at = 0; at < source.length; ) {
    const rest = source.slice(at);
    const mark = INLINE.find(({ open }) => rest.startsWith(open) && !/^\s/.test(rest.slice(open.length)));
    const link = LINK.exec(rest);
    if (mark) {
      flush();
      const from = at + mark.open.length;
      const end = source.indexOf(mark.open, from);
      const inner = source.slice(from, end < 0 ? undefined : end);
      const made = element(mark.tag);
      if (mark.raw) made.textContent = inner;
      else inline(made, inner);
      if (inner) parent.append(made);
      at = end < 0 ? source.length : end + mark.open.length;
    } else if (link) {
      plain += link[1];
      at += link[0].length;
    } else {
      plain += source[at];
      at += 1;
    }
  }
  flush();
}

function paragraph(source) {
  const made = element("p", "live-text");
  inline(made, source);
  return made;
}

function list(lines) {
  const root = element(/^\s*\d/.test(lines[0]) ? "ol" : "ul");
  const levels = [{ indent: 0, list: root }];
  for (const line of lines) {
    const [, space, mark, content] = ITEM.exec(line) ?? [];
    if (mark === undefined) {
      const last = levels.at(-1).list.lastElementChild;
      if (last && line.trim()) inline(last, `\n${line.trim()}`);
      continue;
    }
    while (levels.length > 1 && space.length < levels.at(-1).indent) levels.pop();
    if (space.length >= levels.at(-1).indent + 2 && levels.at(-1).list.lastElementChild) {
      const nested = element(/\d/.test(mark) ? "ol" : "ul");
      levels.at(-1).list.lastElementChild.append(nested);
      levels.push({ indent: space.length, list: nested });
    }
    const made = element("li", "live-text");
    if (/\d/.test(mark)) made.value = Number.parseInt(mark, 10);
    inline(made, content);
    levels.at(-1).list.append(made);
  }
  return root;
}

const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|");

function table(lines) {
  const box = element("div", "table");
  const made = element("table");
  box.append(made);
  for (const [index, line] of lines.entries()) {
    if (index === 1 && /^[\s|:-]+$/.test(line)) continue;
    const row = made.insertRow();
    for (const cell of cells(line)) {
      const made = element(index === 0 ? "th" : "td");
      inline(made, cell.trim());
      row.append(made);
    }
  }
  return box;
}

function quote(lines) {
  const made = element("blockquote");
  made.append(paragraph(lines.map((line) => line.replace(/^>\s?/, "")).join("\n")));
  return made;
}

/** A formula that is still written is its source without the marks, as the server shows one that it cannot read. */
function formula(lines) {
  const made = element("div", "math block");
  made.append(element("code", "math", lines.join("\n").replace(/^\s*\$\$\n?|\n?\$\$?\s*$/g, "")));
  return made;
}

const isClosed = (formula) => /\S[^]*\$\$\s*$/.test(formula.trimStart().slice(2));

/** A code block as the server makes it: the language above, the code below, a text node inside. */
function code(language, source) {
  const box = element("figure", "code");
  const pre = element("pre");
  const inner = element("code");
  inner.append(source);
  pre.append(inner);
  box.append(element("figcaption", "", language), pre);
  return box;
}

const KINDS = [
  { name: "heading", begins: (line) => HEADING.test(line), goesOn: () => false, make: heading },
  { name: "list", begins: (line) => ITEM.test(line), goesOn: (line) => ITEM.test(line) || /^\s+\S/.test(line), make: list },
  { name: "table", begins: (line) => line.trimStart().startsWith("|"), make: table },
  {
    name: "formula",
    begins: (line) => line.trimStart().startsWith("$$"),
    goesOn: (_line, before) => !isClosed(before.join("\n")),
    make: formula,
  },
  { name: "quote", begins: (line) => line.startsWith(">"), make: quote },
];

function heading([line]) {
  const [, marks, content] = HEADING.exec(line);
  const made = element(`h${marks.length}`);
  inline(made, content);
  return made;
}

const kindOf = (line) => KINDS.find(({ begins }) => begins(line));

/** Lines that belong together, each group made into one element. */
function blocks(lines) {
  const made = [];
  for (let at = 0; at < lines.length; ) {
    const fenced = FENCE.exec(lines[at]);
    if (fenced) {
      const end = lines.findIndex((line, index) => index > at && line.trim().startsWith(fenced[1]));
      made.push(code(fenced[2], lines.slice(at + 1, end < 0 ? undefined : end).join("\n")));
      at = end < 0 ? lines.length : end + 1;
    } else if (!lines[at].trim()) {
      at += 1;
    } else {
      const from = at;
      const kind = kindOf(lines[at]);
      const goesOn = kind?.goesOn ?? (kind ? kind.begins : (line) => line.trim() && !kindOf(line) && !FENCE.test(line));
      at += 1;
      while (at < lines.length && goesOn(lines[at], lines.slice(from, at))) at += 1;
      const group = lines.slice(from, at);
      made.push(kind ? kind.make(group) : paragraph(group.join("\n")));
    }
  }
  return made;
}

/** Lengthens a text node where the new text continues the old: the cheapest change there is. */
function extend(node, wanted) {
  if (wanted.startsWith(node.data)) node.appendData(wanted.slice(node.data.length));
  else node.data = wanted;
}

/** An open code block grows in place, however long it is; false if `source` is something else. */
function growCode(target, source) {
  const end = source.indexOf("\n");
  const opening = FENCE.exec(end < 0 ? source : source.slice(0, end));
  if (!opening || (end >= 0 && new RegExp(`\n *${opening[1]}`).test(source))) return false;
  const body = end < 0 ? "" : source.slice(end + 1).replace(/\n? {0,3}[`~]{1,2}$/, "");
  let box = target.firstElementChild;
  if (target.childElementCount !== 1 || !box.matches(".code")) {
    box = code("", "");
    box.querySelector("code").classList.add("caret-here");
    target.replaceChildren(box);
  }
  box.querySelector("figcaption").textContent = opening[2];
  extend(box.querySelector("code").firstChild, body);
  return true;
}

function growText(target, source) {
  let box = target.querySelector(":scope > .live-bare");
  if (!box) {
    box = element("p", "live-text live-bare caret-here");
    box.append("");
    target.replaceChildren(box);
  }
  extend(box.firstChild, source);
}

/** Where the caret belongs: the innermost last block of text. */
function lastLine(made) {
  const inner = made.querySelectorAll("li, td, th, p, code");
  return inner.length ? inner[inner.length - 1] : made;
}

/** Shows `source`, the unfinished end of an answer, inside `target`. */
export function renderLive(target, source) {
  const trimmed = source.replace(/^(?:[ \t]*\n)+/, "");
  if (!trimmed.trim()) {
    target.replaceChildren();
  } else if (growCode(target, trimmed)) {
    return;
  } else if (trimmed.length > FORMAT_LIMIT) {
    growText(target, trimmed);
  } else {
    const parts = blocks(trimmed.trimEnd().split("\n"));
    target.replaceChildren(...parts);
    if (parts.length) lastLine(parts.at(-1)).classList.add("caret-here");
  }
}
