// The task runs of an execution as the rows of a tree. Pure.
import type { StateName, TaskRun } from "../api/generated";

export interface RunRow {
  kind: "run";
  key: string;
  depth: number;
  run: TaskRun;
  children: number;
  isOpen: boolean;
  /** Of a group with many children: how many are in which state. */
  counts: [StateName, number][] | null;
}
export interface MoreRow {
  kind: "more";
  key: string;
  depth: number;
  parent: string;
  left: number;
}
export type Row = RunRow | MoreRow;

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

function countsOf(runs: readonly TaskRun[]): [StateName, number][] {
  const counts = new Map<StateName, number>();
  for (const { state } of runs) counts.set(state.current, (counts.get(state.current) ?? 0) + 1);
  return [...counts];
}

export function rowsOf(index: RunIndex, view: TreeView): Row[] {
  const rows: Row[] = [];
  const add = (parent: string, depth: number) => {
    const runs = index.of(parent);
    const shown = parent === "" ? runs.length : (view.shown[parent] ?? PAGE);
    for (const run of runs.slice(0, shown)) {
      const below = index.of(run.id);
      const isOpen = below.length > 0 && (view.open[run.id] ?? below.length <= MANY);
      const counts = below.length > MANY ? countsOf(below) : null;
      rows.push({ kind: "run", key: run.id, depth, run, children: below.length, isOpen, counts });
      if (isOpen) add(run.id, depth + 1);
    }
    if (runs.length > shown)
      rows.push({ kind: "more", key: `${parent}+`, depth, parent, left: runs.length - shown });
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
    const at = index.of(parent).indexOf(run);
    open[parent] = true;
    if (at >= (shown[parent] ?? PAGE)) shown[parent] = Math.ceil((at + 1) / PAGE) * PAGE;
    run = index.byId.get(parent);
  }
  return { open, shown };
}

/** Of two states of the same row, the one that is further. */
export function further<T extends { state: { histories: unknown[] } }>(old: T | undefined, next: T): T {
  return old && old.state.histories.length > next.state.histories.length ? old : next;
}
