// One message on the page: made, filled, and marked with what became of it.

import { drawAsides, drawFacts, drawThoughts } from "./asides.js";
import { drawQuestion } from "./asked.js";
import { addCopyButtons } from "./code.js";
import { element, fromTemplate, icon, setSafeHtml } from "./dom.js";
import { showFiles } from "./files.js";
import { renderLive } from "./live.js";
import { drawSteps, endSteps, isAnyRunning, tickSteps } from "./steps.js";
import { errorText, text } from "./strings.js";
import { isTerminal } from "./turns.js";

const language = document.documentElement.lang;
const moment = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
const clock = new Intl.DateTimeFormat(language, { timeStyle: "short" });

/** What has been drawn of a turn, so that only the difference is drawn next time. */
const drawn = new WeakMap();
/** The messages' Markdown, for copying. */
const sources = new WeakMap();

/** Who answers in what is open: {name, kind, hasBox}. */
let answering = {};

export const answeredBy = (assistant) => (answering = assistant);
export const nameAnswer = (item) => answering.name && (item.querySelector(".message-who").textContent = answering.name);
const isRun = () => Boolean(answering.kind?.endsWith("_run"));

/** The values that a question was asked with, if it was a form. */
export const parametersOf = (item) => item.dataset.parameters && JSON.parse(item.dataset.parameters);
export function keepParameters(item, parameters) {
  if (!parameters) return;
  item.dataset.parameters = JSON.stringify(parameters);
  item.querySelector("[data-act=rerun]").hidden = answering.hasBox ?? true;
}

export const sourceOf = (item) => sources.get(item) ?? item.querySelector(".bubble, .finished").innerText;
export const remember = (item, content) => sources.set(item, content);

export function showTime(item, createdAt) {
  const time = item.querySelector("time");
  const when = new Date(createdAt ?? time.dateTime);
  if (Number.isNaN(when.getTime())) return;
  time.dateTime = when.toISOString();
  time.textContent = clock.format(when);
  time.title = moment.format(when);
}

export function makeQuestion({ id = "", turn = "", clientId = "", content, createdAt, parameters, attachments }) {
  const item = fromTemplate("message-user");
  item.dataset.message = id;
  item.dataset.turn = turn ?? "";
  if (clientId) item.dataset.client = clientId;
  item.querySelector(".bubble").textContent = content;
  showFiles(item, attachments);
  keepParameters(item, parameters);
  remember(item, content);
  showTime(item, createdAt ?? Date.now());
  return item;
}

export function makeAnswer({ id = "", turn = "", status = "in_progress" }) {
  const item = fromTemplate("message-assistant");
  item.dataset.message = id;
  item.dataset.turn = turn ?? "";
  item.dataset.status = status;
  nameAnswer(item);
  return item;
}

/** A button that thread.js answers to by its `data-act`. */
function act(name, label) {
  const made = element("button", "button button-small", text(label));
  made.type = "button";
  made.dataset.act = name;
  return made;
}

const AGAIN = { too_long: [], empty: [], not_found: ["anew", "ask_anew"] };

/** The ways on from a refusal: what would be refused again is not offered. */
function waysOn({ error, conversation }) {
  const again = AGAIN[error.code];
  if (!again || (error.code === "not_found" && !conversation)) return [act("resend", "retry")];
  return again.length ? [act(...again)] : [];
}

/**
 * "local" (with a clock), "accepted", "retrying" (said again by itself at `retryAt`), or "failed" with its
 * reason and a way on. `entry` is the outbox's.
 */
export function markQuestion(item, status, entry = {}) {
  item.dataset.status = status;
  item.toggleAttribute("data-sent", Boolean(entry.attempted));
  const state = item.querySelector(".message-state");
  item.querySelector(".message-trouble")?.remove();
  state.replaceChildren();
  const ours = () => [act("edit", "edit"), act("discard", "discard")];
  if (status === "local") {
    const words = element("span", "message-state-text", text("waits"));
    state.append(icon("clock"), element("span", "visually-hidden", text("sending")), words, ...ours());
  }
  if (status !== "failed" && status !== "retrying") return;
  const trouble = element("div", "message-trouble");
  const words = element("span", "message-trouble-text");
  if (status === "failed") {
    words.textContent = `${text("not_sent")} ${errorText(entry.error)}`;
    trouble.append(words, ...waysOn(entry), ...ours());
  } else {
    words.dataset.retryAt = entry.retryAt;
    words.dataset.reason = errorText(entry.error);
    countDown(words);
    trouble.append(words, act("resend", "send_now"), ...ours());
  }
  item.querySelector(".bubble").after(trouble);
}

function countDown(words) {
  const seconds = Math.max(0, Math.ceil((Number(words.dataset.retryAt) - Date.now()) / 1_000));
  words.textContent = `${words.dataset.reason} ${text("sent_again_in", { n: seconds })}`;
}

/** The waiting dots, the words of an end that is not the plain one, or nothing. */
export function noteAnswer(item, status, { error, interrupt, run, cached } = {}) {
  item.dataset.status = status;
  const note = item.querySelector(".message-note");
  const said = { canceled: "stopped", interrupted: "interrupted", requires_action: "asks_back" }[status];
  drawQuestion(item, status === "requires_action" ? interrupt : null, answering);
  if (status === "requires_action" && interrupt) note.replaceChildren();
  else if (said) note.replaceChildren(stopped(said, { goOn: status !== "requires_action", run }));
  else if (status === "failed") note.replaceChildren(trouble(error, { turn: item.dataset.turn, run }));
  else note.replaceChildren(...(cached ? [element("p", "message-stopped", text("cached"))] : []));
}

/** A run does not go on where it was left: it is looked up, or runs once more. */
function stopped(said, { goOn, run }) {
  const box = element("p", "message-stopped", text(isRun() && said === "stopped" ? "run_stopped" : said));
  if (run?.look_up) box.append(act("lookup", "look_up"));
  if (goOn && !isRun()) box.append(act("continue", "continue"));
  if (goOn) box.append(act("again", isRun() ? "run_again" : "retry"));
  return box;
}

function copyMarks() {
  const made = element("button", "icon-button");
  made.type = "button";
  made.dataset.copyId = "";
  made.title = text("copy_id");
  made.append(icon("copy"), element("span", "visually-hidden", text("copy_id")));
  return made;
}

function trouble(error, { turn, run }) {
  const box = element("div", "message-trouble");
  const words = error ? errorText(error) : text("answer_failed");
  const where = error?.step ? `${text("step_failed_in", { step: error.step })} ` : "";
  box.append(element("span", "message-trouble-text", where + words));
  const marks = [error?.code, error?.log_id || turn].filter(Boolean).join(" · ");
  if (marks) box.append(element("code", "", marks), copyMarks());
  if (run?.look_up) box.append(act("lookup", "look_up"));
  box.append(act("again", "retry"));
  return box;
}

function waiting(item) {
  const box = element("div", "waiting");
  const dots = element("span", "waiting-dots");
  dots.setAttribute("aria-hidden", "true");
  dots.append(element("i"), element("i"), element("i"));
  box.dataset.since = Math.min(Date.now(), Date.parse(item.querySelector("time").dateTime) || Date.now());
  box.append(dots, element("span", "waiting-text", text("thinking")));
  item.querySelector(".message-note").replaceChildren(box);
}

/** Draws what is new of a running turn: finished blocks once, the open block in place. */
export function drawTurn(item, turn) {
  const finished = item.querySelector(".finished");
  const before = drawn.get(item) ?? { generation: -1, count: 0 };
  const anew = before.generation !== turn.generation;
  const fresh = anew ? turn.pieces : turn.pieces.slice(before.count);
  if (anew || fresh.length) {
    setSafeHtml(finished, fresh.join(""), { append: !anew });
    addCopyButtons(finished);
  }
  drawn.set(item, { generation: turn.generation, count: turn.pieces.length });
  renderLive(item.querySelector(".live"), turn.text.slice(turn.liveFrom));
  if (isTerminal(turn.status)) endSteps(turn.steps);
  drawSteps(item, turn.steps);
  drawThoughts(item, turn.thought, { seconds: turn.thoughtFor, thinking: !isTerminal(turn.status) });
  const isWaiting = item.querySelector(".waiting");
  if (turn.text || turn.thought || isTerminal(turn.status) || isAnyRunning(turn.steps)) isWaiting?.remove();
  else if (!isWaiting) waiting(item);
  remember(item, turn.text);
  if (isTerminal(turn.status)) endTurn(item, turn);
}

function endTurn(item, turn) {
  if (turn.message) item.dataset.message = turn.message;
  showTime(item, item.querySelector("time").dateTime || Date.now());
  drawFacts(item, turn.facts);
  noteAnswer(item, turn.status, turn);
}

/** Fills an answer from its stored form; whatever was drawn of its turn gives way. */
export function fillAnswer(item, message) {
  const { id, content, html, status, steps = [], created_at: createdAt } = message;
  item.dataset.message = id;
  drawn.delete(item);
  item.querySelector(".live").replaceChildren();
  const finished = item.querySelector(".finished");
  if (html === undefined) renderLive(finished, content);
  else setSafeHtml(finished, html);
  addCopyButtons(finished);
  drawSteps(item, new Map(steps.map((step) => [step.id, step])));
  drawAsides(item, message);
  remember(item, content);
  showTime(item, createdAt);
  noteAnswer(item, status, message);
}

/** Counts the seconds of whoever waits longer than three, and those until a question is said again. */
export function startWaitingClock(root) {
  setInterval(() => {
    for (const box of root.querySelectorAll(".waiting")) {
      const seconds = Math.floor((Date.now() - Number(box.dataset.since)) / 1000);
      if (seconds >= 3) box.querySelector(".waiting-text").textContent = text("still_working", { n: seconds });
    }
    for (const words of root.querySelectorAll("[data-retry-at]")) countDown(words);
    tickSteps(root);
  }, 1000);
}
