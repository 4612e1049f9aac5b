// States: shape, word and colour, the same everywhere.
import type { StateName } from "../api/generated";

export type Tone = "grey" | "blue" | "amber" | "green" | "orange" | "red" | "violet";
export type Shape = "circle" | "arc" | "bars" | "check" | "triangle" | "cross" | "square" | "dash";

const looks: Record<StateName, [Shape, Tone]> = {
  CREATED: ["circle", "grey"],
  QUEUED: ["circle", "grey"],
  RUNNING: ["arc", "blue"],
  RESTARTED: ["arc", "blue"],
  RETRYING: ["arc", "blue"],
  PAUSED: ["bars", "amber"],
  SUCCESS: ["check", "green"],
  WARNING: ["triangle", "orange"],
  FAILED: ["cross", "red"],
  KILLING: ["square", "violet"],
  KILLED: ["square", "violet"],
  CANCELLED: ["square", "violet"],
  SKIPPED: ["dash", "grey"],
  RETRIED: ["dash", "grey"],
};

export const allStates = Object.keys(looks) as StateName[];
const ended = new Set<StateName>(["SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED", "SKIPPED", "RETRIED"]);

/** As a bar of many is read: what is done, what went wrong, what is under way, what waits. */
export const barOrder: StateName[] = [
  "SUCCESS", "SKIPPED", "RETRIED", "WARNING", "FAILED", "CANCELLED", "KILLED", "KILLING", "RUNNING", "RESTARTED", "RETRYING", "PAUSED", "QUEUED", "CREATED",
];

export const shapeOf = (state: StateName): Shape => looks[state]?.[0] ?? "circle";
export const toneOf = (state: StateName): Tone => looks[state]?.[1] ?? "grey";
export const isEnded = (state: StateName): boolean => ended.has(state);
