// Files beside a question: brought to the server, and shown in its bubble.

import { fetchFile, fileAt, isPass, upload } from "./api.js";
import { element, icon } from "./dom.js";
import { text } from "./strings.js";

/** A size as people read it. */
export function sizeOf(bytes) {
  const [unit, n] = bytes < 1e6 ? ["kilobyte", bytes / 1e3] : ["megabyte", bytes / 1e6];
  const digits = n < 10 ? 1 : 0;
  return new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit, maximumFractionDigits: digits }).format(n);
}

const isHere = (file) => file instanceof Blob;

/** Brings what has no id yet; returns the entry with ids. Throws what the server says, or that there is no line. */
export async function bring(entry) {
  if (!entry.attachments?.length) return entry;
  const attachments = [];
  for (const each of entry.attachments) {
    if (each.id) attachments.push(each);
    else if (!isHere(each.file)) throw Object.assign(new Error(), { status: 410, words: text("file_lost", each) });
    else attachments.push({ ...(await upload(each.file, each.name)), file: each.file });
  }
  return { ...entry, attachments };
}

/** The files of a question; what the server rendered is read off it. */
export const filesOf = (item) => JSON.parse(item.dataset.files ?? "[]");

async function load(picture, { id, file }) {
  if (isHere(file)) picture.src = URL.createObjectURL(file);
  else if (isPass()) picture.src = URL.createObjectURL(await fetchFile(id));
  else picture.src = fileAt(id);
}

function shown(each) {
  const { id, name, size, image } = each;
  const link = element("a", image ? "file file-image" : "file");
  if (id) link.href = fileAt(id);
  if (image) {
    const picture = element("img");
    picture.alt = name;
    picture.loading = "lazy";
    link.target = "_blank";
    load(picture, each);
    link.append(picture);
  } else {
    link.download = name;
    link.append(icon("file"), element("span", "file-name", name), element("span", "file-size", sizeOf(size)));
  }
  // A tab without a cookie shows its pass: a plain link would find nothing.
  if (isPass() && id) link.addEventListener("click", (event) => open(event, { id, name }));
  return link;
}

async function open(event, { id, name }) {
  event.preventDefault();
  const link = element("a");
  link.href = URL.createObjectURL(await fetchFile(id));
  link.download = name;
  link.click();
}

/** Draws a question's files above its words; the same ones are left as they are. */
export function showFiles(item, attachments = []) {
  const plain = attachments.map(({ id, name, size, image }) => ({ id, name, size, image }));
  const before = filesOf(item).map(({ name, size }) => `${name} ${size}`);
  if (plain.length) item.dataset.files = JSON.stringify(plain);
  const box = item.querySelector(".files");
  const same = before.join("\n") === plain.map(({ name, size }) => `${name} ${size}`).join("\n");
  if (!plain.length || (same && box?.querySelector("a[href]"))) return;
  const made = element("div", "files");
  made.append(...attachments.map(shown));
  if (box) box.replaceWith(made);
  else item.querySelector(".bubble").before(made);
}
