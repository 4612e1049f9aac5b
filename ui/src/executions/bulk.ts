// What can be done with many executions at once, and with which of them. Pure.
import type { Execution, StateName } from "../api/generated";
import { allStates, isEnded } from "../logic/states";

export type Act = "kill" | "delete" | "labels";

/** Who has ended cannot be killed; only who has ended can be deleted or labelled. */
export const canTake = (act: Act, state: StateName): boolean => (act === "kill" ? !isEnded(state) && state !== "KILLING" : isEnded(state));

/** The states by which a query is narrowed for an act; none: nobody that matches can take it. */
export const statesFor = (act: Act, filtered: readonly StateName[]): StateName[] =>
  (filtered.length ? [...filtered] : allStates).filter((state) => canTake(act, state));

export const takers = (act: Act, rows: readonly Execution[]): Execution[] => rows.filter(({ state }) => canTake(act, state.current));

/** Chosen rows when one is (un)chosen; with shift all from the last one to it. */
export function choose(keys: readonly string[], chosen: ReadonlySet<string>, key: string, from: string | null): Set<string> {
  const next = new Set(chosen);
  const isOn = !chosen.has(key);
  const ends = [keys.indexOf(from ?? key), keys.indexOf(key)].sort((a, b) => a - b);
  const range = ends[0] === undefined || ends[0] < 0 ? [key] : keys.slice(ends[0], (ends[1] ?? 0) + 1);
  for (const one of range)
    if (isOn) next.add(one);
    else next.delete(one);
  return next;
}
