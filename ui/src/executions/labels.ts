// Labels that a person writes in rows of key and value. Pure.
import type { Label } from "../api/generated";
import { text } from "../text";

export interface LabelRow {
  key: string;
  value: string;
  had?: string; // The value it has.
}

/** Those that are new or other than before; or what is wrong. */
export function changedLabels(rows: readonly LabelRow[]): { labels: Label[]; problem: string } {
  const written = rows.map(({ key, value, had }) => ({ key: key.trim(), value: value.trim(), had })).filter(({ key, value }) => key || value);
  const keys = new Set<string>();
  for (const { key, value } of written) {
    if (!key || !value) return { labels: [], problem: key ? text.labels.noValue(key) : text.labels.noKey(value) };
    if (keys.has(key)) return { labels: [], problem: text.labels.twice(key) };
    keys.add(key);
  }
  return { labels: written.filter(({ value, had }) => value !== had).map(({ key, value }) => ({ key, value })), problem: "" };
}
