// A question that was asked back, below the answer that ended in it: options as buttons, wanted values as a form.

import { element, icon } from "./dom.js";
import { Form, written } from "./form.js";
import { text } from "./strings.js";

const SAID = { answered: "question_answered", over: "question_over" };
let reply = () => {};

/** `answer(turn, {content, parameters?})` says what the person answers. */
export function setUpQuestions(answer) {
  reply = answer;
}

/** Brings what stands below an answer in line with `interrupt` ({question, options, inputs, state}), or takes it away. */
export function drawQuestion(item, interrupt, { hasBox }) {
  const shown = item.querySelector(".question");
  if (!interrupt) {
    shown?.remove();
    return;
  }
  const state = JSON.stringify(interrupt);
  if (shown?.dataset.shown === state) return;
  const box = element("div", "question");
  box.dataset.shown = state;
  box.dataset.state = interrupt.state;
  const source = item.querySelector(".finished").textContent.trim();
  if (interrupt.question && interrupt.question.trim() !== source) box.append(element("p", "question-words", interrupt.question));
  if (interrupt.state === "open") box.append(...waysToAnswer(item, box, interrupt, hasBox));
  else box.append(said(interrupt));
  if (shown) shown.replaceWith(box);
  else item.querySelector(".message-note").before(box);
}

/** How it stands with every question of the page that is open; the server has the last word. */
export const openQuestions = (list) => [...list.querySelectorAll('.question[data-state="open"]')];

function said({ state, options }) {
  const line = element("p", "question-said");
  line.append(icon(state === "answered" ? "check" : "clock"), element("span", "", text(SAID[state] ?? state)));
  if (options.length) line.append(element("span", "question-offered", options.join(" · ")));
  return line;
}

function waysToAnswer(item, box, { options, inputs }, hasBox) {
  const answer = (given) => {
    for (const control of box.querySelectorAll("button, input, textarea, select")) control.disabled = true;
    box.dataset.sent = "";
    reply(item.dataset.turn, given);
  };
  const ways = [];
  if (options.length) ways.push(choices(options, answer));
  if (inputs.length) ways.push(typed(inputs, answer));
  else if (hasBox) ways.push(element("p", "question-hint", text(options.length ? "question_or_box" : "question_box")));
  else ways.push(words(answer, options.length));
  return ways;
}

function choices(options, answer) {
  const list = element("div", "question-options");
  for (const option of options) {
    const button = element("button", "button button-small", option);
    button.type = "button";
    button.addEventListener("click", () => answer({ content: option }));
    list.append(button);
  }
  return list;
}

function typed(inputs, answer) {
  const send = text("question_send");
  return new Form({ inputs, send, onSubmit: (values) => answer({ content: written(inputs, values), parameters: values }) }).element;
}

function words(answer, beside) {
  const label = text(beside ? "question_other" : "question_yours");
  const inputs = [{ name: "answer", type: "text", label, required: true, help: "", choices: [] }];
  return new Form({ inputs, send: text("question_send"), onSubmit: ({ answer: content }) => answer({ content }) }).element;
}
