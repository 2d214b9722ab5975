// What goes with an answer beside its text: thoughts, questions to go on with, thumbs, what it took.

import { judge } from "./api.js";
import { copyText } from "./code.js";
import { element, fromTemplate } from "./dom.js";
import { toast } from "./notices.js";
import { text } from "./strings.js";

const said = new WeakMap();

/** Thoughts in their fold, whose text is put in only while it is open; `seconds` undefined: they still come. */
export function drawThoughts(item, content, { seconds, thinking = false }) {
  const box = item.querySelector(".reasoning");
  box.hidden = !content;
  if (!content) return;
  const running = thinking && seconds === undefined;
  box.toggleAttribute("data-running", running);
  const n = Math.max(1, Math.round(seconds));
  const words = running ? text("thinking") : seconds > 0 ? text("thought_for", { n }) : text("thoughts");
  const label = box.querySelector(".reasoning-words");
  if (label.textContent !== words) label.textContent = words;
  said.set(box, content);
  if (box.open) unfold(box);
  else box.ontoggle ??= () => unfold(box);
}

function unfold(box) {
  const target = box.querySelector(".reasoning-text");
  const content = said.get(box);
  if (content === undefined) return;
  const node = target.firstChild ?? target.appendChild(new Text());
  if (content.startsWith(node.data)) node.appendData(content.slice(node.data.length));
  else node.data = content;
}

export function drawFollowUps(item, items = []) {
  item.querySelector(".follow-ups").replaceChildren(
    ...items.map((words) => {
      const made = element("button", "follow-up", words);
      made.type = "button";
      return made;
    }),
  );
}

export function drawFeedback(item, feedback) {
  said.set(item, feedback);
  for (const thumb of item.querySelectorAll("[data-judge]")) {
    thumb.setAttribute("aria-pressed", String(thumb.dataset.judge === feedback?.rating));
  }
}

export function drawFacts(item, { usage, seconds, log_id: log }) {
  const { input_tokens: input, output_tokens: output, total_tokens: total } = usage ?? {};
  const took = seconds === undefined ? "" : text("took", { n: seconds.toFixed(1) });
  const counted = total ? text("tokens", { total, input, output }) : "";
  item.querySelector(".message-facts").textContent = [took, counted].filter(Boolean).join(" · ");
  if (log) item.dataset.log = log;
}

/** A stored answer's; what a frame leaves out is not known to be gone. */
export function drawAsides(item, { html, content, reasoning, suggestions, feedback, ...facts }) {
  if (html !== undefined || reasoning) {
    const { content: thoughts = "", seconds } = reasoning ?? {};
    drawThoughts(item, thoughts, { seconds: seconds ?? undefined });
  }
  drawFollowUps(item, suggestions);
  drawFeedback(item, feedback);
  drawFacts(item, facts);
}

export class Asides {
  #conversation;
  #composer;

  /** `conversation()` is the id of the one on the page. */
  constructor({ list, conversation, composer }) {
    this.#conversation = conversation;
    this.#composer = composer;
    list.addEventListener("click", ({ target }) => {
      const thumb = target.closest("[data-judge]");
      const question = target.closest(".follow-up");
      const item = target.closest(".message");
      if (thumb) this.#thumb(item, thumb);
      else if (question) this.#composer.propose(question.textContent);
      else if (target.closest("[data-copy-id]")) copyText(target.closest(".message-trouble").querySelector("code").textContent.replace(/\s+/g, " "));
      else if (target.closest("[data-leave]")) this.#close(item);
    });
    list.addEventListener("submit", (event) => {
      if (!event.target.matches(".judging")) return;
      event.preventDefault();
      this.#explain(event.target);
    });
  }

  #close(item) {
    item.querySelector(".judging")?.remove();
  }

  async #thumb(item, thumb) {
    const taken = thumb.getAttribute("aria-pressed") === "true";
    this.#close(item);
    if (!(await this.#say(item, taken ? null : { rating: thumb.dataset.judge })) || taken) return;
    const form = fromTemplate("judging");
    for (const group of form.querySelectorAll("[data-of]")) group.hidden = group.dataset.of !== thumb.dataset.judge;
    item.querySelector(".message-foot").after(form);
    form.scrollIntoView({ block: "nearest" });
  }

  async #explain(form) {
    const item = form.closest(".message");
    const { rating } = said.get(item) ?? {};
    const data = new FormData(form);
    if (!rating || !(await this.#say(item, { rating, reasons: data.getAll("reason"), comment: data.get("comment") }))) return;
    this.#close(item);
    toast(text("thanks"));
  }

  async #say(item, feedback) {
    const before = said.get(item);
    drawFeedback(item, feedback);
    try {
      await judge(this.#conversation(), item.dataset.turn, feedback);
      return true;
    } catch {
      drawFeedback(item, before);
      toast(text("not_saved"));
      return false;
    }
  }
}
