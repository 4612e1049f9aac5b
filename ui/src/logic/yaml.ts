// Colours for YAML: a line is cut into tokens. Pure; it highlights, it does not parse.
export interface Token {
  text: string;
  kind: "" | "key" | "string" | "number" | "word" | "comment" | "mark" | "expression";
}

const NUMBER = /^[-+]?(\d[\d_]*)(\.\d+)?([eE][-+]?\d+)?$/;
const WORD = /^(true|false|null|~|yes|no)$/i;
const KEY = /^([\w.$/-]+|"[^"]*"|'[^']*')(\s*)(:)(?=\s|$)/;

/** {{ … }} and {% … %} within a text. */
function withExpressions(text: string, kind: Token["kind"]): Token[] {
  return text
    .split(/(\{\{.*?\}\}|\{%.*?%\})/)
    .filter((part) => part !== "")
    .map((part) => ({ text: part, kind: /^\{[{%]/.test(part) ? "expression" : kind }));
}

function scalar(text: string): Token[] {
  const word = text.trim();
  if (NUMBER.test(word)) return [{ text, kind: "number" }];
  if (WORD.test(word)) return [{ text, kind: "word" }];
  return withExpressions(text, "string");
}

/** Of [a, b] and {k: v}: marks, keys and scalars. */
function flow(text: string): Token[] {
  const tokens: Token[] = [];
  const parts = text.match(/\{\{.*?\}\}|"(?:\\.|[^"\\])*"|'[^']*'|[[\]{},]|[^[\]{},"']+/g) ?? [];
  for (const part of parts) {
    const key = /^(\s*)([\w.$-]+)(:)(?=\s|$)(.*)$/.exec(part);
    if (/^[[\]{},]$/.test(part)) tokens.push({ text: part, kind: "mark" });
    else if (key) {
      if (key[1]) tokens.push({ text: key[1], kind: "" });
      tokens.push({ text: key[2] ?? "", kind: "key" }, { text: ":", kind: "mark" });
      if (key[4]) tokens.push(...scalar(key[4]));
    } else tokens.push(...scalar(part));
  }
  return tokens;
}

/** A comment begins with # at the start or behind a space, outside of quotes. */
function commentAt(text: string): number {
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const c = text[at] ?? "";
    if (quote) quote = c === quote ? "" : quote;
    else if ((c === '"' || c === "'") && (at === 0 || /[\s[{,:]/.test(text[at - 1] ?? ""))) quote = c;
    else if (c === "#" && (at === 0 || /\s/.test(text[at - 1] ?? ""))) return at;
  }
  return text.length;
}

function value(text: string): Token[] {
  const word = text.trimStart();
  if (/^[|>][-+\d]*\s*$/.test(word)) return [{ text, kind: "mark" }];
  if (/^(\[|\{(?![{%]))/.test(word)) return flow(text);
  return scalar(text);
}

function lineTokens(line: string): Token[] {
  const tokens: Token[] = [];
  const end = commentAt(line);
  let rest = line.slice(0, end);
  const start = /^(\s*(?:-\s+)*)(-\s*$)?/.exec(rest);
  const lead = start?.[0] ?? "";
  if (lead) tokens.push({ text: lead, kind: lead.includes("-") ? "mark" : "" });
  rest = rest.slice(lead.length);
  const key = KEY.exec(rest);
  if (/^(---|\.\.\.)\s*$/.test(rest)) tokens.push({ text: rest, kind: "mark" });
  else if (key) {
    tokens.push({ text: key[1] ?? "", kind: "key" }, { text: (key[2] ?? "") + ":", kind: "mark" });
    if (rest.length > key[0].length) tokens.push(...value(rest.slice(key[0].length)));
  } else if (rest) tokens.push(...value(rest));
  if (end < line.length) tokens.push({ text: line.slice(end), kind: "comment" });
  return tokens;
}

const indentOf = (line: string) => line.length - line.trimStart().length;

/** One list of tokens for each line. */
export function highlightYaml(source: string): Token[][] {
  const lines = source.replaceAll("\r\n", "\n").split("\n");
  const found: Token[][] = [];
  let block = -1; // Indentation of the key whose block scalar this is.
  for (const line of lines) {
    if (block >= 0 && (line.trim() === "" || indentOf(line) > block)) {
      found.push(line ? withExpressions(line, "string") : []);
      continue;
    }
    block = /(^|:\s+|-\s+)[|>][-+\d]*\s*(#.*)?$/.test(line) ? indentOf(line) : -1;
    found.push(lineTokens(line));
  }
  return found;
}

/** The 0-based line on which a task begins, or -1. */
export function lineOfTask(source: string, taskId: string): number {
  const name = taskId.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const line = new RegExp(`^\\s*-?\\s*(?:\\{\\s*|-\\s+)*id:\\s*["']?${name}["']?\\s*(?:[,#}].*)?$`);
  const lines = source.split("\n");
  const found = lines.findIndex((text, at) => at > 0 && line.test(text));
  const inline = new RegExp(`[{,]\\s*id:\\s*["']?${name}["']?\\s*[,}]`); // [{id: a, …}, {id: b, …}]
  return found >= 0 ? found : lines.findIndex((text) => inline.test(text));
}
