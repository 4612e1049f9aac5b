// Where bars and ticks stand on the common time axis. Pure.
import type { State } from "../api/generated";
import { isEnded } from "../logic/states";

export interface Span {
  from: number;
  to: number;
}

export interface Bar {
  left: number; // Percent of the axis.
  wait: number; // Of waiting before it ran.
  width: number;
}

export const timeOf = (text: string | undefined): number | undefined => {
  const at = text ? Date.parse(text) : NaN;
  return Number.isNaN(at) ? undefined : at;
};

export function spanOf(state: State, now: number): Span {
  const from = timeOf(state.startDate ?? state.histories[0]?.date) ?? now;
  const last = timeOf(state.histories.at(-1)?.date);
  const to = isEnded(state.current) ? (timeOf(state.endDate) ?? last ?? from) : now;
  return { from, to: Math.max(from, to) };
}

export const durationOf = (state: State, now: number): number => {
  const { from, to } = spanOf(state, now);
  return to - from;
};

/** The axis ends a little after the last bar, so that its end is seen. */
export function axisOf(spans: readonly Span[]): Span {
  let from = Infinity;
  let to = -Infinity;
  for (const span of spans) {
    from = Math.min(from, span.from);
    to = Math.max(to, span.to);
  }
  if (from === Infinity) return { from: 0, to: 1 };
  return { from, to: to + Math.max(1, (to - from) * 0.02) };
}

export function barOf(state: State, axis: Span, now: number): Bar {
  const { from, to } = spanOf(state, now);
  const ran = timeOf(state.histories.find((entry) => entry.state === "RUNNING")?.date) ?? from;
  const length = axis.to - axis.from || 1;
  const percent = (ms: number) => Math.min(100, Math.max(0, (ms / length) * 100));
  return {
    left: percent(from - axis.from),
    wait: percent(Math.min(ran, to) - from),
    width: percent(to - from),
  };
}

const s = 1000;
const min = 60 * s;
const h = 60 * min;
const d = 24 * h;
const STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, s, 2 * s, 5 * s, 10 * s, 15 * s, 30 * s, min, 2 * min, 5 * min,
  10 * min, 15 * min, 30 * min, h, 2 * h, 3 * h, 6 * h, 12 * h, d, 2 * d, 7 * d, 30 * d, 90 * d, 365 * d,
];

export interface Tick {
  left: number; // Percent.
  label: string;
}

function labelOf(ms: number, step: number): string {
  if (ms === 0) return "0";
  if (step < s) return ms >= s ? `${ms / s} s` : `${ms} ms`;
  const parts: [number, string][] = [[d, "d"], [h, "h"], [min, "m"], [s, "s"]];
  let rest = ms;
  const words: string[] = [];
  for (const [size, name] of parts) {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    if (amount) words.push(`${amount} ${name}`);
  }
  return words.slice(0, 2).join(" ");
}

/** At most `most` ticks at round times since the axis begins. */
export function ticksOf(axis: Span, most: number): Tick[] {
  const length = axis.to - axis.from;
  const step = STEPS.find((size) => length / size <= most) ?? length;
  const ticks: Tick[] = [];
  for (let at = 0; at <= length; at += step)
    ticks.push({ left: (at / length) * 100, label: labelOf(at, step) });
  return ticks;
}
