// ANSI colours of log lines as spans; other escape sequences are taken out. Pure.
export interface Span {
  text: string;
  /** CSS classes: "fg1 bold". */
  style: string;
}

interface Style {
  fg: number;
  bg: number;
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
}

const PLAIN: Style = { fg: -1, bg: -1, bold: false, dim: false, italic: false, underline: false };
// CSI … letter, OSC … BEL or ST, and two-byte escapes.
const ESCAPE = /\u001b(?:\[([0-9;:?]*)[ -/]*([@-~])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

/** The 256 colours are brought to the 16 that the page has in both of its themes. */
function nearest(index: number): number {
  if (index < 16) return index;
  if (index >= 232) return index < 244 ? 8 : 7;
  const cube = index - 16;
  return nearestRgb(Math.floor(cube / 36) * 51, (Math.floor(cube / 6) % 6) * 51, (cube % 6) * 51);
}

function nearestRgb(r: number, g: number, b: number): number {
  const top = Math.max(r, g, b);
  if (top < 60) return 8;
  const on = (value: number) => (value > top / 2 ? 1 : 0);
  return on(r) | (on(g) << 1) | (on(b) << 2) | (top > 200 ? 8 : 0);
}

function extended(codes: number[], at: number): [number, number] {
  if (codes[at + 1] === 5) return [nearest(codes[at + 2] ?? 0), at + 2];
  if (codes[at + 1] === 2)
    return [nearestRgb(codes[at + 2] ?? 0, codes[at + 3] ?? 0, codes[at + 4] ?? 0), at + 4];
  return [-1, at];
}

function apply(style: Style, text: string): Style {
  const codes = text.split(/[;:]/).map(Number);
  let next = { ...style };
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at] ?? 0;
    if (code === 0) next = { ...PLAIN };
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 3) next.italic = true;
    else if (code === 4) next.underline = true;
    else if (code === 22) next.bold = next.dim = false;
    else if (code === 23) next.italic = false;
    else if (code === 24) next.underline = false;
    else if (code >= 30 && code <= 37) next.fg = code - 30;
    else if (code === 38) [next.fg, at] = extended(codes, at);
    else if (code === 39) next.fg = -1;
    else if (code >= 40 && code <= 47) next.bg = code - 40;
    else if (code === 48) [next.bg, at] = extended(codes, at);
    else if (code === 49) next.bg = -1;
    else if (code >= 90 && code <= 97) next.fg = code - 82;
    else if (code >= 100 && code <= 107) next.bg = code - 92;
  }
  return next;
}

function classesOf(style: Style): string {
  const words: string[] = [];
  if (style.fg >= 0) words.push(`fg${style.fg}`);
  if (style.bg >= 0) words.push(`bg${style.bg}`);
  for (const name of ["bold", "dim", "italic", "underline"] as const) if (style[name]) words.push(name);
  return words.join(" ");
}

export function spansOf(text: string): Span[] {
  if (!text.includes("\u001b")) return [{ text, style: "" }];
  const spans: Span[] = [];
  let style = PLAIN;
  let at = 0;
  const add = (piece: string) => {
    if (piece) spans.push({ text: piece, style: classesOf(style) });
  };
  for (const found of text.matchAll(ESCAPE)) {
    add(text.slice(at, found.index));
    if (found[2] === "m") style = apply(style, found[1] ?? "");
    at = found.index + found[0].length;
  }
  add(text.slice(at));
  return spans;
}

export function withoutAnsi(text: string): string {
  return text.includes("\u001b") ? text.replace(ESCAPE, "") : text;
}

/** The spans between two columns of their text. */
export function sliceSpans(spans: Span[], from: number, to: number): Span[] {
  const found: Span[] = [];
  let at = 0;
  for (const { text, style } of spans) {
    const piece = text.slice(Math.max(0, from - at), Math.max(0, to - at));
    if (piece) found.push({ text: piece, style });
    at += text.length;
    if (at >= to) break;
  }
  return found;
}
