// The task runs of an execution as the rows of a tree. Pure.
import type { Lane, State, StateName, TaskRun } from "../api/generated";
import { barOrder, isEnded } from "../logic/states";

export interface RunRow {
  kind: "run";
  key: string;
  depth: number;
  run: TaskRun;
  children: number;
  isOpen: boolean;
  /** Of a group with many children: how many are in which state. */
  counts: [StateName, number][] | null;
  isLoop?: boolean; // Its children are values.
  isInLane?: boolean; // The row above tells the value.
  /** Of a loop that is read by pages: its failed values, and whether only they are shown. */
  failed?: { number: number; isOnly: boolean };
  place?: Place;
}
/** Where a row of a large execution is read: a page of a group's lanes, -1: its children. */
export interface Place {
  parent: string;
  page: number;
}
/** A value of a loop, with its task runs. */
export interface LaneRow {
  kind: "lane";
  key: string;
  depth: number;
  lane: Lane;
  isOpen: boolean;
  place?: Place;
}
/** It is under way. */
export interface WaitRow {
  kind: "wait";
  key: string;
  depth: number;
  place: Place;
}
export interface MoreRow {
  kind: "more";
  key: string;
  depth: number;
  parent: string;
  shown: number;
  left: number;
}
export type Row = RunRow | MoreRow | LaneRow | WaitRow;

/** What a person has opened, closed and paged, by the id of the group's task run. */
export interface TreeView {
  open: Record<string, boolean>;
  shown: Record<string, number>;
}

export const MANY = 12; // Groups with more children are closed at first.
export const PAGE = 50; // Children shown at once.

export class RunIndex {
  readonly children = new Map<string, TaskRun[]>();
  readonly byId = new Map<string, TaskRun>();

  constructor(runs: readonly TaskRun[]) {
    for (const run of runs) this.byId.set(run.id, run);
    for (const run of runs) {
      const known = run.parentTaskRunId !== undefined && this.byId.has(run.parentTaskRunId);
      const parent = known ? (run.parentTaskRunId ?? "") : "";
      const list = this.children.get(parent);
      if (list) list.push(run);
      else this.children.set(parent, [run]);
    }
  }

  of(id: string): readonly TaskRun[] {
    return this.children.get(id) ?? [];
  }

  readonly #lanes = new Map<string, Lane[] | null>();
  /** Of a large loop: its values. */
  lanes(id: string): readonly Lane[] | null {
    const known = this.#lanes.get(id);
    if (known !== undefined) return known;
    const lanes = lanesOf(this.of(id));
    this.#lanes.set(id, lanes);
    return lanes;
  }

  /** The run itself and everything below it. */
  below(id: string): Set<string> {
    const found = new Set<string>();
    const todo = [id];
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      found.add(next);
      for (const child of this.of(next)) todo.push(child.id);
    }
    return found;
  }
}

function countsOf(items: readonly { state: State }[]): [StateName, number][] {
  const counts = new Map<StateName, number>();
  for (const { state } of items) counts.set(state.current, (counts.get(state.current) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => barOrder.indexOf(a) - barOrder.indexOf(b));
}

export const laneKey = (parent: string, lane: number): string => `${parent}~${lane}`;

const order: StateName[] = ["SKIPPED", "SUCCESS", "RETRIED", "WARNING", "FAILED", "CANCELLED", "KILLED"];
/** What has not ended says most, then the worst. */
const weight = (state: StateName) => (isEnded(state) ? order.indexOf(state) : order.length);

function laneState(runs: readonly TaskRun[]): State {
  const worst = runs.reduce((one, run) => (weight(run.state.current) > weight(one.state.current) ? run : one));
  const ends = runs.map(({ state }) => state.endDate ?? "").sort();
  const endDate = isEnded(worst.state.current) ? ends.at(-1) : undefined;
  return { current: worst.state.current, histories: [], startDate: runs[0]?.state.startDate, ...(endDate ? { endDate } : {}) } as State;
}

/** The values of a large loop with several tasks in each; null: it is shown run by run. */
function lanesOf(runs: readonly TaskRun[]): Lane[] | null {
  if (runs.length <= MANY) return null;
  const byValue = new Map<string, TaskRun[]>();
  for (const run of runs) {
    if (run.value === undefined) return null;
    byValue.set(run.value, [...(byValue.get(run.value) ?? []), run]);
  }
  if (byValue.size === runs.length || byValue.size <= 1) return null;
  return [...byValue].map(([value, some], lane) => ({ lane, value, runs: some, state: laneState(some) }));
}

export function rowsOf(index: RunIndex, view: TreeView): Row[] {
  const rows: Row[] = [];
  const addRun = (run: TaskRun, depth: number, isInLane: boolean) => {
    const below = index.of(run.id);
    const lanes = index.lanes(run.id);
    const items = lanes ?? below;
    const isOpen = below.length > 0 && (view.open[run.id] ?? below.length <= MANY);
    const counts = items.length > MANY ? countsOf(items) : null;
    rows.push({ kind: "run", key: run.id, depth, run, children: items.length, isOpen, counts, isLoop: lanes !== null, isInLane });
    if (isOpen) add(run.id, depth + 1);
  };
  const addLane = (parent: string, lane: Lane, depth: number) => {
    const key = laneKey(parent, lane.lane);
    const isOpen = view.open[key] ?? false;
    rows.push({ kind: "lane", key, depth, lane, isOpen });
    if (isOpen) for (const run of lane.runs) addRun(run, depth + 1, true);
  };
  const add = (parent: string, depth: number) => {
    const lanes = index.lanes(parent);
    const runs = index.of(parent);
    const all = lanes ?? runs;
    const shown = parent === "" ? all.length : (view.shown[parent] ?? PAGE);
    if (lanes) for (const lane of lanes.slice(0, shown)) addLane(parent, lane, depth);
    else for (const run of runs.slice(0, shown)) addRun(run, depth, false);
    if (all.length > shown) rows.push({ kind: "more", key: `${parent}+`, depth, parent, shown, left: all.length - shown });
  };
  add("", 0);
  return rows;
}

/** Failed runs, innermost first where one failed because of another, in the order of the runs. */
export function failures(runs: readonly TaskRun[], index: RunIndex): TaskRun[] {
  const hasFailed = (run: TaskRun) => run.state.current === "FAILED";
  return runs.filter((run) => hasFailed(run) && !index.of(run.id).some(hasFailed));
}

/** Opens all groups around a run, and pages so far that it shows. */
export function reveal(index: RunIndex, view: TreeView, id: string): TreeView {
  const open = { ...view.open };
  const shown = { ...view.shown };
  let run = index.byId.get(id);
  while (run?.parentTaskRunId !== undefined && index.byId.has(run.parentTaskRunId)) {
    const parent: string = run.parentTaskRunId;
    const { value } = run;
    const lane = index.lanes(parent)?.findIndex((one) => one.value === value) ?? -1;
    const at = lane >= 0 ? lane : index.of(parent).indexOf(run);
    open[parent] = true;
    if (lane >= 0) open[laneKey(parent, lane)] = true;
    if (at >= (shown[parent] ?? PAGE)) shown[parent] = Math.ceil((at + 1) / PAGE) * PAGE;
    run = index.byId.get(parent);
  }
  return { open, shown };
}

/** Of two states of the same row, the one that is further. */
export function further<T extends { state: { histories: unknown[] } }>(old: T | undefined, next: T): T {
  return old && old.state.histories.length > next.state.histories.length ? old : next;
}
