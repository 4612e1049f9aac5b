// Metrics of task runs in words. Pure.
import type { Lane, Metric, TaskRun } from "../api/generated";
import { count, duration } from "../logic/format";
import type { LogScope } from "./run-tree.svelte";

export const SOME = 20; // Task runs that are asked one by one.

/** Timers are seconds; other numbers have no unit but their name. */
export function valueOf({ type, value }: Pick<Metric, "type" | "value">): string {
  if (type === "timer") return duration(value * 1000);
  const isSmall = value !== 0 && Math.abs(value) < 0.001;
  return isSmall || Math.abs(value) >= 1e15 ? value.toExponential(3) : count(Math.round(value * 1000) / 1000);
}

export const tagsOf = ({ tags }: Pick<Metric, "tags">): [string, string][] =>
  Object.entries(tags ?? {}).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]);

/** Whose metrics are asked for: null = the execution's; too many to ask one by one: their number. */
export function idsOf(scope: LogScope | null, chosen: TaskRun | null, lane: Lane | null): string[] | number | null {
  if (!scope || (!chosen && !lane)) return null;
  const known = [...scope.runs].sort();
  const inside = chosen?.group?.["lanes"] ?? 0; // Of one that is read by pages: its rows may not be here.
  const number = Math.max(known.length, inside);
  return number > SOME ? number : known;
}
