// What is about to be sent besides words: picked, dropped or pasted, and on its way at once.

import { startUpload } from "./api.js";
import { byId, element, icon } from "./dom.js";
import { sizeOf } from "./files.js";
import { announce, toast } from "./notices.js";
import { text } from "./strings.js";

const RASTER = /^image\/(png|jpeg|gif|webp)$/;

export class Attachments {
  #list = byId("attached");
  #pick = byId("attach");
  #input = byId("attach-file");
  #limits;
  #most = 0;
  #items = [];
  #kept = new Map();
  #conversation = null;
  #onChange;

  /** `limits` are {bytes, types}; `onChange()` hears that something came, went, or is ready. */
  constructor({ limits, conversation, onChange }) {
    this.#limits = limits;
    this.#conversation = conversation;
    this.#onChange = onChange;
    this.#input.accept = limits.types.map((type) => `.${type}`).join(",");
    this.#pick.addEventListener("click", () => this.#input.click());
    this.#input.addEventListener("change", () => {
      this.add(this.#input.files);
      this.#input.value = "";
    });
    byId("composer-input").addEventListener("paste", (event) => {
      const { files } = event.clipboardData;
      if (!files.length) return;
      event.preventDefault();
      this.add(files);
    });
    this.#list.addEventListener("click", (event) => this.#clicked(event));
    this.#drops(byId("main"));
  }

  get any() {
    return this.#items.length > 0;
  }

  /** Nothing is sent while something is still coming, or has failed. */
  get pending() {
    return this.#items.some(({ state }) => state === "uploading" || state === "failed");
  }

  get most() {
    return this.#most;
  }

  /** How many files the assistant takes. */
  allow(most) {
    this.#most = most;
    this.#pick.hidden = most === 0;
    this.#input.multiple = most > 1;
  }

  /** Each conversation has its own. */
  switchTo(conversation) {
    this.#kept.set(this.#conversation, this.#items);
    this.#conversation = conversation;
    this.#items = this.#kept.get(conversation) ?? [];
    this.#show();
  }

  rename(conversation) {
    this.#kept.delete(this.#conversation);
    this.#conversation = conversation;
  }

  /** They leave with their question. */
  take() {
    const taken = this.#items.map(({ id, name, size, image, file }) => ({ id, name, size, image, file }));
    for (const { url } of this.#items) URL.revokeObjectURL(url);
    this.#items = [];
    this.#show();
    return taken;
  }

  /** They come back with a question that is to be changed. */
  restore(attachments = []) {
    for (const each of attachments) {
      this.#items.push({ ...each, state: each.id ? "ready" : "waiting", url: each.file && each.image && URL.createObjectURL(each.file) });
    }
    this.#show();
  }

  add(files) {
    for (const file of files) {
      const why = this.#refusal(file);
      if (why) toast(why);
      else this.#begin(file);
    }
    this.#show();
  }

  #refusal({ name, size }) {
    const { bytes, types } = this.#limits;
    if (!this.#most) return text("takes_no_files");
    if (this.#items.length >= this.#most) return text("too_many_files", { n: this.#most });
    if (!size) return text("file_empty", { name });
    if (size > bytes) return text("file_too_large", { name, limit: sizeOf(bytes) });
    return types.includes(name.split(".").at(-1).toLowerCase()) ? "" : text("file_wrong_type", { name });
  }

  #begin(file) {
    const image = RASTER.test(file.type);
    const item = { file, name: file.name, size: file.size, image, url: image && URL.createObjectURL(file) };
    this.#items.push(item);
    this.#upload(item);
  }

  async #upload(item) {
    Object.assign(item, { state: "uploading", progress: 0, error: "" });
    this.#show();
    const { ended, abort } = startUpload(item.file, item.name, (progress) => {
      item.progress = progress;
      this.#draw(item);
    });
    item.abort = abort;
    try {
      Object.assign(item, await ended, { state: "ready" });
      announce(text("file_ready", item));
    } catch (error) {
      // Without a line it goes with its question, as soon as there is one.
      if (!error.status) item.state = "waiting";
      else Object.assign(item, { state: "failed", error: error.words || text("upload_failed") });
      if (item.error) announce(item.error);
    }
    this.#show();
  }

  #clicked(event) {
    const row = event.target.closest(".attached");
    const item = this.#items.find((each) => each.row === row);
    if (!item || !event.target.closest("button")) return;
    if (event.target.closest("[data-attached=retry]")) this.#upload(item);
    else this.#remove(item);
  }

  #remove(item) {
    item.abort?.();
    if (item.url) URL.revokeObjectURL(item.url);
    this.#items = this.#items.filter((each) => each !== item);
    this.#show();
    byId("composer-input").focus();
  }

  #show() {
    for (const item of this.#items) this.#draw(item);
    this.#list.replaceChildren(...this.#items.map(({ row }) => row));
    this.#list.hidden = !this.any;
    this.#onChange();
  }

  #draw(item) {
    const { state, name, size, url, progress, error } = item;
    if (!item.row) item.row = this.#made(item, url);
    item.row.dataset.state = state;
    item.row.querySelector("progress").value = progress ?? 0;
    item.row.querySelector(".attached-note").textContent = state === "failed" ? error : state === "waiting" ? text("file_waits") : sizeOf(size);
    item.row.querySelector("[data-attached=retry]").hidden = state !== "failed";
    item.row.title = name;
  }

  #made({ name }, url) {
    const row = element("li", "attached");
    const mark = url ? element("img", "attached-picture") : icon("file");
    if (url) Object.assign(mark, { src: url, alt: "" });
    const words = element("span", "attached-words");
    words.append(element("span", "attached-name", name), element("span", "attached-note"));
    const bar = element("progress");
    bar.max = 1;
    bar.setAttribute("aria-label", text("file_uploading", { name }));
    row.append(mark, words, this.#button("retry", "retry", text("retry")), this.#button("remove", "close", text("remove_file", { name })), bar);
    return row;
  }

  #button(act, sign, label) {
    const made = element("button", "icon-button");
    made.type = "button";
    made.dataset.attached = act;
    made.title = label;
    made.append(icon(sign), element("span", "visually-hidden", label));
    return made;
  }

  #drops(place) {
    const carries = (event) => event.dataTransfer?.types.includes("Files");
    const mark = (on) => place.toggleAttribute("data-drop", on && this.#most > 0);
    place.addEventListener("dragover", (event) => {
      if (!carries(event)) return;
      event.preventDefault();
      mark(true);
    });
    place.addEventListener("dragleave", (event) => place.contains(event.relatedTarget) || mark(false));
    place.addEventListener("drop", (event) => {
      if (!carries(event)) return;
      event.preventDefault();
      mark(false);
      this.add(event.dataTransfer.files);
    });
  }
}
