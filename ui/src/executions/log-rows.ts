// Log lines as rows of equal height: that makes a virtual list of any length simple. Pure.
import type { LogEntry } from "../api/generated";
import { withoutAnsi } from "../logic/ansi";

export type Level = LogEntry["level"];
export const levels: Level[] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"];

export interface LogFilter {
  least: Level;
  /** Only lines of these task runs; null: all. */
  runs: ReadonlySet<string> | null;
  /** Or of these tasks. */
  tasks: ReadonlySet<string>;
}

/** A piece of a line: from a line break or the width to the next. */
export interface LogRow {
  line: number; // Index of the entry.
  part: number; // 0: the first row of its line, with time and level.
  text: number; // Which of the entry's lines of text.
  from: number;
  to: number;
}

export function passes(entry: LogEntry, filter: LogFilter): boolean {
  if (levels.indexOf(entry.level) < levels.indexOf(filter.least)) return false;
  if (filter.runs === null || (entry.taskRunId !== undefined && filter.runs.has(entry.taskRunId))) return true;
  return entry.taskId !== undefined && filter.tasks.has(entry.taskId);
}

export const textsOf = (entry: LogEntry): string[] => entry.message.replace(/\r?\n$/, "").split(/\r?\n/);

/** Adds the rows of an entry; `columns` 0: no wrapping. */
export function addRows(rows: LogRow[], entry: LogEntry, line: number, columns: number): void {
  let part = 0;
  for (const [text, content] of textsOf(entry).entries()) {
    const length = withoutAnsi(content).length;
    const width = columns > 0 ? columns : Math.max(1, length);
    for (let from = 0; from === 0 || from < length; from += width)
      rows.push({ line, part: part++, text, from, to: Math.min(from + width, Math.max(length, 1)) });
  }
}

export interface Hit {
  line: number;
  text: number;
  from: number;
  to: number;
}

/** Every place at which the words occur, regardless of case. */
export function hitsOf(entries: readonly LogEntry[], words: string, filter: LogFilter): Hit[] {
  const wanted = words.toLowerCase();
  const hits: Hit[] = [];
  if (!wanted) return hits;
  for (const [line, entry] of entries.entries()) {
    if (!passes(entry, filter)) continue;
    for (const [text, content] of textsOf(entry).entries()) {
      const plain = withoutAnsi(content).toLowerCase();
      for (let at = plain.indexOf(wanted); at >= 0; at = plain.indexOf(wanted, at + wanted.length))
        hits.push({ line, text, from: at, to: at + wanted.length });
    }
  }
  return hits;
}

/** The row in which a hit begins, or -1. Rows are in the order of their lines. */
export function rowOfHit(rows: readonly LogRow[], hit: Hit): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = rows[middle];
    const isBefore =
      row !== undefined &&
      (row.line < hit.line ||
        (row.line === hit.line && (row.text < hit.text || (row.text === hit.text && row.to <= hit.from))));
    if (isBefore) low = middle + 1;
    else high = middle;
  }
  const row = rows[low];
  return row && row.line === hit.line ? low : -1;
}
