// A form for declared inputs: made, read as typed values, with what is wrong beside each field. Nothing of it is HTML of others.

import { element } from "./dom.js";
import { text } from "./strings.js";

let forms = 0;
const MAKERS = { long_text: area, list: area, object: area, choice, boolean };
const KINDS = { number: "number", integer: "number", file: "url" };

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
  field.type = KINDS[type] ?? "text";
  if (type === "number") field.step = "any";
  if (type === "file") field.placeholder = "https://";
  return field;
}

function shown({ type }, value) {
  if (value === undefined || value === null) return "";
  if (type === "list" && Array.isArray(value)) return value.join("\n");
  return typeof value === "object" ? JSON.stringify(value, null, 2) : String(value);
}

/** The typed value in a field; undefined for nothing. Throws the words for what cannot be read. */
function valueOf({ type, required }, field) {
  if (type === "boolean") return field.checked;
  const written = type === "long_text" ? field.value : field.value.trim();
  if (!written.trim() || field.validity.badInput) {
    if (field.validity.badInput) throw text("form_number");
    if (required) throw text("form_needed");
    return undefined;
  }
  if (type === "list") return written.split("\n").map((item) => item.trim()).filter(Boolean);
  if (type === "number" || type === "integer") return numberOf(type, Number(written));
  return type === "object" ? objectOf(written) : written;
}

function numberOf(type, number) {
  if (Number.isNaN(number)) throw text("form_number");
  if (type === "integer" && !Number.isInteger(number)) throw text("form_whole");
  return number;
}

function objectOf(written) {
  let value;
  try {
    value = JSON.parse(written);
  } catch {
    // The sentence below says it.
  }
  if (typeof value !== "object" || !value || Array.isArray(value)) throw text("form_object");
  return value;
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

  /** The values, or null after saying what is wrong. */
  read() {
    const values = {};
    const problems = {};
    for (const [name, { input, field }] of this.#fields) {
      try {
        const value = valueOf(input, field);
        if (value !== undefined) values[name] = value;
      } catch (problem) {
        problems[name] = problem;
      }
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
    field.toggleAttribute("aria-invalid", Boolean(sentence));
    if (sentence) field.setAttribute("aria-invalid", "true");
  }

  focus() {
    this.element.querySelector("input, textarea, select")?.focus({ preventScroll: true });
  }

  lock(locked) {
    for (const control of this.element.elements) control.disabled = locked;
  }
}
