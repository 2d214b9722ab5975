// Forms for declared inputs: made, read as typed values, with what is wrong beside each field; and the one of a run, in the place
// of the message box: folded once it was sent, filled again for another run.

import { byId, element, icon } from "./dom.js";
import { text } from "./strings.js";

let forms = 0;
const MAKERS = { long_text: area, list: area, object: area, choice, boolean };

function area({ type }) {
  const field = element("textarea");
  field.rows = type === "long_text" ? 3 : 2;
  return field;
}

function choice({ choices, required }) {
  const field = element("select");
  if (!required) field.append(new Option("–", ""));
  for (const each of choices) field.append(new Option(each, each));
  return field;
}

function boolean() {
  const field = element("input");
  field.type = "checkbox";
  return field;
}

function line({ type }) {
  const field = element("input");
  field.type = "text";
  if (type === "file") field.placeholder = "https://";
  if (type === "number" || type === "integer") field.inputMode = "decimal";
  return field;
}

function shown({ type }, value) {
  if (value === undefined || value === null) return "";
  if (type === "list" && Array.isArray(value)) return value.join("\n");
  return typeof value === "object" ? JSON.stringify(value, null, 2) : String(value);
}

/** What is in a field, as its type as far as it can be read: the rest is for the server to say. */
function valueOf({ type }, field) {
  if (type === "boolean") return field.checked;
  const written = type === "long_text" ? field.value : field.value.trim();
  if (!written.trim()) return undefined;
  if (type === "list") return written.split("\n").map((item) => item.trim()).filter(Boolean);
  try {
    return ["number", "integer", "object"].includes(type) ? JSON.parse(written) : written;
  } catch {
    return written;
  }
}

/** The values as a person reads them, a line each: the words that the server will store. */
export function written(inputs, values) {
  const lines = inputs.filter(({ name }) => name in values).map(({ name, label }) => `${label}: ${plain(values[name])}`);
  return lines.join("\n") || "–";
}

function plain(value) {
  if (typeof value === "boolean") return text(value ? "yes" : "no");
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value.join(", ");
  return typeof value === "string" ? value : JSON.stringify(value);
}

export class Form {
  #fields = new Map();

  /** `inputs` as the server describes them; `onSubmit(values)` when all of them can be read. `send` names the button. */
  constructor({ inputs, values = {}, send, onSubmit, onCancel }) {
    this.inputs = inputs;
    this.element = element("form", "run-form");
    this.element.noValidate = true;
    this.element.autocomplete = "off";
    forms += 1;
    for (const input of inputs) this.element.append(this.#row(input, `form-${forms}-${input.name}`));
    this.element.append(this.#buttons(send, onCancel));
    this.fill(values);
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      const read = this.read();
      if (read) onSubmit(read);
    });
    this.element.addEventListener("keydown", (event) => this.#key(event));
  }

  #row(input, id) {
    const field = (MAKERS[input.type] ?? line)(input);
    field.id = id;
    field.dir = "auto";
    field.dataset.name = input.name;
    const row = element("div", input.type === "boolean" ? "field field-check" : "field");
    if (input.type === "long_text" || input.type === "object") row.classList.add("field-wide");
    const label = element("label", "", input.label);
    label.htmlFor = id;
    if (input.required) {
      label.append(" ", element("span", "field-needed", text("form_mark")));
      field.required = true;
    }
    const help = element("span", "field-help", input.help || (input.type === "list" ? text("form_lines") : ""));
    help.id = `${id}-help`;
    const problem = element("span", "field-error");
    problem.id = `${id}-problem`;
    field.setAttribute("aria-describedby", `${problem.id} ${help.id}`);
    field.addEventListener("input", () => this.#say(input.name, ""));
    this.#fields.set(input.name, { input, field, problem });
    row.append(...(input.type === "boolean" ? [field, label] : [label, field]), problem, ...(help.textContent ? [help] : []));
    return row;
  }

  #buttons(send, onCancel) {
    const box = element("div", "form-actions");
    const submit = element("button", "button button-primary button-small", send);
    submit.type = "submit";
    box.append(submit);
    if (onCancel) {
      const cancel = element("button", "button button-quiet button-small", text("form_cancel"));
      cancel.type = "button";
      cancel.addEventListener("click", onCancel);
      box.append(cancel);
    }
    return box;
  }

  #key(event) {
    if (event.key !== "Enter" || event.isComposing || event.keyCode === 229) return;
    const isArea = event.target.matches("textarea");
    if (event.target.matches("button") || (isArea && !event.ctrlKey && !event.metaKey)) return;
    event.preventDefault();
    if (!event.repeat) this.element.requestSubmit();
  }

  /** Shows these values, or each input's default. */
  fill(values) {
    for (const [name, { input, field }] of this.#fields) {
      const value = name in values ? values[name] : input.default;
      if (input.type === "boolean") field.checked = value === true;
      else field.value = shown(input, value);
    }
  }

  /** The values, or null after saying what is missing. */
  read() {
    const values = {};
    const problems = {};
    for (const [name, { input, field }] of this.#fields) {
      const value = valueOf(input, field);
      if (value !== undefined) values[name] = value;
      else if (input.required) problems[name] = text("form_needed");
    }
    if (!Object.keys(problems).length) return values;
    this.problems(problems);
    return null;
  }

  /** Says what is wrong, by name; what is about no field goes to the first. */
  problems(found) {
    let first = null;
    for (const [name, sentence] of Object.entries(found)) {
      const known = this.#fields.has(name) ? name : this.#fields.keys().next().value;
      this.#say(known, sentence);
      first ??= this.#fields.get(known)?.field;
    }
    first?.focus();
  }

  #say(name, sentence) {
    const { field, problem } = this.#fields.get(name);
    problem.textContent = sentence;
    field.setAttribute("aria-invalid", Boolean(sentence));
  }

  focus() {
    this.element.querySelector("input, textarea, select")?.focus({ preventScroll: true });
  }
}

function button(sign, words, act) {
  const made = element("button", "button");
  made.type = "button";
  made.append(icon(sign), element("span", "", text(words)));
  made.addEventListener("click", act);
  return made;
}

export class RunForm {
  #place = byId("run-form");
  #composer = byId("composer");
  #form = null;
  #assistant = null;
  #onRun;

  #running = false;
  #onStop;

  /** `onRun({content, parameters})` when the values can be read, `onStop()` ends what runs. */
  constructor({ onRun, onStop }) {
    this.#onRun = onRun;
    this.#onStop = onStop;
  }

  /** While something runs, its end stands beside the form's button. */
  setRunning(running) {
    if (this.#running === running) return;
    this.#running = running;
    if (this.#place.hasAttribute("data-folded")) this.fold();
  }

  /** Whether the open conversation is had by message box. */
  get hasBox() {
    return !this.#assistant?.form;
  }

  /** Whose form it is; one that takes words has none. `folded`: there is something to read above it. */
  show(assistant, { folded }) {
    const same = this.#assistant?.id === assistant?.id;
    this.#assistant = assistant;
    this.#composer.toggleAttribute("data-form", !this.hasBox);
    this.#place.hidden = this.hasBox;
    if (this.hasBox) {
      this.#place.replaceChildren();
      this.#form = null;
    } else if (!same || !this.#form || folded !== this.#place.hasAttribute("data-folded")) {
      if (folded) this.fold();
      else this.open();
    }
  }

  /** The form, with these values or those that are usual. */
  open(values = {}) {
    const { inputs } = this.#assistant;
    const onCancel = this.#hasThread ? () => this.fold() : undefined;
    this.#form = new Form({ inputs, values, send: text("run"), onSubmit: (read) => this.#run(read), onCancel });
    this.#place.replaceChildren(this.#form.element);
    this.#place.removeAttribute("data-folded");
  }

  /** One button in its place. */
  fold() {
    this.#form = null;
    const again = button("edit", "run_anew", () => this.edit(this.#last));
    const stop = this.#running ? [button("stop", "stop", this.#onStop)] : [];
    this.#place.replaceChildren(...stop, again);
    this.#place.setAttribute("data-folded", "");
  }

  /** The values of the last run that stands above. */
  get #last() {
    const asked = [...byId("thread").querySelectorAll(".message-user[data-parameters]")].map(({ dataset }) => JSON.parse(dataset.parameters));
    const names = this.#assistant.inputs.map(({ name }) => name);
    return asked.findLast((values) => names.some((name) => name in values)) ?? {};
  }

  /** The form, filled and in sight; `problems` by the names of the inputs. */
  edit(values, problems) {
    if (this.hasBox) return;
    this.open(values);
    if (problems) this.#form.problems(problems);
    else this.#form.focus();
  }

  get #hasThread() {
    return byId("thread").children.length > 0;
  }

  #run(values) {
    const content = written(this.#assistant.inputs, values);
    this.fold();
    this.#onRun({ content, parameters: values });
  }
}
