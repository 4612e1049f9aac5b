// Task runs of a large execution as rows: groups are read when they are opened, loops by pages. Pure.
import type { Lane, StateName, TaskRun } from "../api/generated";
import { barOrder } from "../logic/states";
import { laneKey, MANY, type Place, type Row, type TreeView } from "./tree";

export const LANES = 50; // Of a page.

export interface Children {
  kind: "children";
  runs: readonly TaskRun[];
}
export interface Lanes {
  kind: "lanes";
  total: number; // Of those that are shown.
  counts: Record<string, number>; // Of all, by state.
  pages: ReadonlyMap<number, readonly Lane[]>;
  onlyFailed: boolean;
}
export type Group = Children | Lanes;
export type Groups = ReadonlyMap<string, Group>; // By the id of the task run; "": the execution's.

export const isWide = (run: { group?: Record<string, number> }): boolean => (run.group?.["lanes"] ?? 0) > MANY;
export const countOf = (run: TaskRun, name: string): number => run.group?.[name] ?? 0;

/** Lanes by state, as the group's counters tell, or what was read of it. */
function countsOf(run: TaskRun, group: Lanes | undefined): [StateName, number][] {
  const waiting = countOf(run, "lanes") - countOf(run, "opened");
  const bad = countOf(run, "failed") + countOf(run, "warned") + countOf(run, "killed");
  const known: Record<string, number> = group?.counts ?? {
    SUCCESS: countOf(run, "opened") - countOf(run, "open") - bad,
    WARNING: countOf(run, "warned"), FAILED: countOf(run, "failed"), KILLED: countOf(run, "killed"), RUNNING: countOf(run, "open"),
  };
  const all: Record<string, number> = { ...known, CREATED: (known["CREATED"] ?? 0) + waiting };
  return barOrder.flatMap((state): [StateName, number][] => ((all[state] ?? 0) > 0 ? [[state, all[state] ?? 0]] : []));
}

/** Loops with one task in each value need no row for the value. */
const isFlat = (group: Lanes): boolean =>
  [...group.pages.values()].every((page) => page.every(({ runs }) => runs.length === 1));

export function pagedRows(groups: Groups, view: TreeView): Row[] {
  const rows: Row[] = [];

  function addRun(run: TaskRun, depth: number, place: Place | undefined, isInLane = false) {
    const lanes = countOf(run, "lanes");
    const isLoop = isWide(run);
    const isOpen = lanes > 0 && (view.open[run.id] ?? (!isLoop && !place));
    const group = groups.get(run.id);
    const number = isLoop ? countOf(run, "failed") : 0;
    const failed = number ? { number, isOnly: group?.kind === "lanes" && group.onlyFailed } : undefined;
    const counts = isLoop ? countsOf(run, group?.kind === "lanes" ? group : undefined) : null;
    rows.push({ kind: "run", key: run.id, depth, run, children: lanes, isOpen, counts, isLoop, isInLane, failed, place });
    if (isOpen) addGroup(run.id, depth + 1, isLoop ? 0 : -1, place !== undefined);
  }
  function addGroup(parent: string, depth: number, page: number, isInLoop: boolean) {
    const group = groups.get(parent);
    if (!group) rows.push({ kind: "wait", key: `${parent}~`, depth, place: { parent, page } });
    else if (group.kind === "lanes") addLanes(parent, group, depth);
    else for (const run of group.runs) addRun(run, depth, isInLoop ? { parent, page: -1 } : undefined);
  }
  function addLanes(parent: string, group: Lanes, depth: number) {
    const flat = isFlat(group);
    for (let at = 0; at < group.total; at++) {
      const place = { parent, page: Math.floor(at / LANES) };
      const lane = group.pages.get(place.page)?.[at % LANES];
      if (!lane) rows.push({ kind: "wait", key: `${parent}~~${at}`, depth, place });
      else if (flat && lane.runs[0]) addRun(lane.runs[0], depth, place);
      else addLane(laneKey(parent, lane.lane), lane, depth, place);
    }
  }
  function addLane(key: string, lane: Lane, depth: number, place: Place) {
    const isOpen = view.open[key] ?? false;
    rows.push({ kind: "lane", key, depth, lane, isOpen, place });
    if (isOpen) for (const run of lane.runs) addRun(run, depth + 1, place, true);
  }

  addGroup("", 0, -1, false);
  return rows;
}

/** All task runs that were read. */
export function runsOf(groups: Groups): TaskRun[] {
  const runs: TaskRun[] = [];
  for (const group of groups.values())
    if (group.kind === "children") runs.push(...group.runs);
    else for (const page of group.pages.values()) for (const lane of page) runs.push(...lane.runs);
  return runs;
}

/** The ids of a task and of all within it, in a flow's tasks. */
export function tasksBelow(tasks: unknown, taskId: string): Set<string> {
  const found = new Set<string>();
  const walk = (value: unknown, isWithin: boolean) => {
    if (typeof value !== "object" || value === null) return;
    const { id, type } = value as Record<string, unknown>;
    const isTask = typeof id === "string" && typeof type === "string";
    const isIn = isWithin || (isTask && id === taskId);
    if (isTask && isIn) found.add(id);
    for (const part of Object.values(value)) walk(part, isIn);
  };
  walk(tasks, false);
  return found;
}
