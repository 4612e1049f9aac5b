// What a form needs to know of an input, and what of it is sent. The server decides what is valid;
// this only turns what a person writes into what the server reads. Pure.
import type { Input } from "../api/generated";
import { localTime } from "../logic/format";
import { text } from "../text";

export type Control =
  | "line" | "secret" | "number" | "boolean" | "select" | "radio" | "checks" | "datetime" | "date"
  | "time" | "duration" | "file" | "code" | "list";

export type Value = string | string[] | File | null;

export interface Field {
  id: string;
  type: string;
  label: string;
  description: string;
  control: Control;
  isRequired: boolean;
  choices: string[];
  takesOthers: boolean;
  itemType: string;
  defaults: unknown;
  limits: string;
  /** Asked only under a condition: these inputs it depends on. */
  dependsOn: string[];
}

const controls: Record<string, Control> = {
  STRING: "line", URI: "line", EMAIL: "line", SECRET: "secret", INT: "number", FLOAT: "number",
  BOOLEAN: "boolean", BOOL: "boolean", SELECT: "select", ENUM: "select", MULTISELECT: "checks",
  DATETIME: "datetime", DATE: "date", TIME: "time", DURATION: "duration", FILE: "file", JSON: "code",
  YAML: "code", ARRAY: "list",
};

const stringOf = (value: unknown): string => (typeof value === "string" ? value : "");
const listOf = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);

function limitsOf(input: Input): string {
  const words: string[] = [];
  for (const name of ["min", "max", "after", "before"] as const)
    if (input[name] !== undefined) words.push(text.run.limits[name](String(input[name])));
  if (typeof input["validator"] === "string") words.push(text.run.limits.pattern(input["validator"]));
  return words.join(", ");
}

export function fieldOf(input: Input): Field {
  const type = input.type.toUpperCase();
  const choices = listOf(input.values ?? input["options"]);
  const isRadio = input["isRadio"] === true;
  let control: Control = controls[type] ?? "line";
  // Choices that an expression makes are not known here: written by hand.
  if (control === "select" && choices.length === 0) control = "line";
  else if (control === "select" && isRadio) control = "radio";
  if (control === "checks" && choices.length === 0) control = "list";
  const depends = input["dependsOn"];
  return {
    id: input.id,
    type,
    label: input.displayName ?? input.id,
    description: input.description ?? "",
    control,
    isRequired: input.required,
    choices,
    takesOthers: input["allowCustomValue"] === true,
    itemType: stringOf(input["itemType"]) || "STRING",
    defaults: input.defaults,
    limits: limitsOf(input),
    dependsOn:
      typeof depends === "object" && depends !== null && "inputs" in depends ? listOf(depends.inputs) : [],
  };
}

const itemText = (item: unknown): string => (typeof item === "string" ? item : JSON.stringify(item));

/** The value to begin with: what another execution had, or the default. */
export function initialValue(field: Field, earlier: unknown): Value {
  const known = earlier ?? field.defaults;
  if (field.control === "checks") return listOf(known);
  if (field.control === "file") return typeof known === "string" ? known : null;
  if (field.type === "SECRET" || known === undefined || known === null) return "";
  if (field.control === "list") return Array.isArray(known) ? known.map(itemText).join("\n") : itemText(known);
  if (field.control === "datetime") return localTime(String(known));
  if (typeof known === "object") return JSON.stringify(known, null, 2);
  return String(known);
}

/** An input "a.b" is found at inputs.a.b. */
export function earlierValue(inputs: Record<string, unknown> | undefined, id: string): unknown {
  let value: unknown = inputs;
  for (const part of id.split("."))
    value = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[part] : undefined;
  return value;
}

const DURATION = /^(?:(\d+)\s*d[a-z]*)?\s*(?:(\d+)\s*h[a-z]*)?\s*(?:(\d+)\s*m(?:in[a-z]*)?)?\s*(?:(\d+(?:\.\d+)?)\s*s[a-z]*)?$/i;

/** "1h 30m" → "PT1H30M"; ISO durations stay; null: neither. */
export function toDuration(written: string): string | null {
  const word = written.trim();
  if (/^-?P(?=.)[\dYMWDTHS.]+$/i.test(word)) return word.toUpperCase();
  const found = DURATION.exec(word);
  if (!found || word === "") return null;
  const [, d, h, m, s] = found;
  const time = `${h ? `${h}H` : ""}${m ? `${m}M` : ""}${s ? `${s}S` : ""}`;
  return `P${d ? `${d}D` : ""}${time ? `T${time}` : ""}`;
}

function listText(field: Field, written: string): string {
  if (written.trimStart().startsWith("[")) return written; // Already JSON.
  const items = written.split("\n").map((item) => item.trim()).filter((item) => item !== "");
  const isText = !["INT", "FLOAT", "BOOLEAN", "JSON"].includes(field.itemType);
  return `[${items.map((item) => (isText ? JSON.stringify(item) : item)).join(", ")}]`;
}

/** What is sent; null: nothing, so that the default counts. */
export function sentValue(field: Field, value: Value): string | File | null {
  if (value instanceof File) return value;
  if (Array.isArray(value)) return value.length ? JSON.stringify(value) : null;
  if (value === null || value === "") return null;
  if (field.control === "datetime") {
    const at = new Date(value);
    return Number.isNaN(at.getTime()) ? value : at.toISOString();
  }
  if (field.control === "duration") return toDuration(value) ?? value;
  if (field.control === "list") return listText(field, value);
  if (field.control === "time" && /^\d\d:\d\d$/.test(value)) return `${value}:00`;
  return value;
}

/** The form as it is sent; with `isCheck` files by name only: their content is not looked at. */
export function bodyOf(fields: readonly Field[], values: Record<string, Value>, isCheck = false): FormData {
  const body = new FormData();
  for (const field of fields) {
    const sent = sentValue(field, values[field.id] ?? null);
    if (sent instanceof File && isCheck) body.append(field.id, new Blob(), sent.name);
    else if (sent !== null) body.append(field.id, sent);
  }
  return body;
}

/** The server's words without those that the place of the message says already. */
export function shortProblem(message: string): string {
  if (message.includes("`, missing required input")) return text.run.missing;
  const short = message.replace(/^Invalid input for `[^`]*`, /, "").replace(/, but received `[^`]*`$/, "");
  return short.charAt(0).toUpperCase() + short.slice(1);
}

/** Labels are written one a line, or separated by spaces: key:value. */
export function labelsOf(written: string): string[] {
  return written.split(/\n|\s(?=[^\s:]+:)/).map((word) => word.trim()).filter((word) => word !== "");
}
