// What a person sees of an execution's task runs: open groups, the one that is chosen, the next
// failure; the same for those that are here as a whole and those that are read by pages.
import type { Lane, TaskRun } from "../api/generated";
import { isEnded } from "../logic/states";
import type { ExecutionStore } from "./execution.svelte";
import { isWide, pagedRows, tasksBelow } from "./paged";
import { failures, laneKey, reveal, rowsOf, RunIndex, type Place, type Row, type TreeView } from "./tree";

/** Whose log lines: null = all. */
export interface LogScope {
  runs: ReadonlySet<string>;
  tasks: ReadonlySet<string>;
}

export class RunTree {
  view: TreeView = $state.raw({ open: {}, shown: {} });
  key = $state(""); // Of the row that is chosen: a task run's id, or of a value of a loop.

  constructor(readonly store: ExecutionStore) {
    store.keeps = (parent, { lane, runs }) => this.view.open[laneKey(parent, lane)] === true || runs.some(({ id }) => this.view.open[id] === true);
  }

  paged = $derived.by(() => this.store.paged);
  index = $derived.by(() => this.paged?.index ?? new RunIndex(this.store.runs));
  rows: Row[] = $derived.by(() => (this.paged ? pagedRows(this.paged.groups, this.view) : rowsOf(this.index, this.view)));
  failed = $derived.by(() => failures(this.paged?.top ?? this.store.runs, this.index));
  lane: Lane | null = $derived.by(() => {
    const row = this.key.includes("~") ? this.rows.find(({ key }) => key === this.key) : undefined;
    return row?.kind === "lane" ? row.lane : null;
  });
  run: TaskRun | null = $derived.by(() => {
    const look = this.paged?.look;
    return look?.id === this.key ? look : (this.index.byId.get(this.key) ?? null);
  });
  /** How many tasks are under way, as far as it is known here. */
  running = $derived.by(() => {
    if (!this.paged) return this.store.runs.filter((run) => run.state.current === "RUNNING").length;
    const open = this.paged.top.map((run) => (isEnded(run.state.current) ? 0 : (run.group?.["open"] ?? 1)));
    return open.reduce((all, number) => all + number, 0);
  });
  /** There are more failures than the one that is chosen. */
  hasMore = $derived.by(() => this.failed.length > 1 || (this.paged?.look?.parents.some(({ group }) => (group["failed"] ?? 0) > 1) ?? false));
  scope: LogScope | null = $derived.by(() => {
    if (this.lane) return { runs: new Set(this.lane.runs.flatMap(({ id }) => [...this.index.below(id)])), tasks: new Set() };
    if (!this.run) return null;
    const look = this.paged?.look?.id === this.key ? this.paged.look : null;
    const isOnce = look !== null && look.value === undefined && !look.parents.some((parent) => parent.value !== undefined);
    // Of a group that is not here as a whole the task's names tell; they are used once in a flow.
    const tasks = look?.group && isOnce ? tasksBelow(this.store.tasks, look.taskId) : new Set<string>();
    return { runs: this.index.below(this.run.id), tasks };
  });

  /** Chooses a row and opens all around it. */
  async choose(key: string): Promise<void> {
    this.key = key;
    if (!this.paged) this.view = reveal(this.index, this.view, key);
    else if (key.includes("~")) this.paged.look = null;
    else await this.#choosePaged(this.paged, key);
  }

  async #choosePaged(paged: NonNullable<ExecutionStore["paged"]>, key: string): Promise<void> {
    const look = await paged.choose(key);
    if (!look || this.key !== key) return;
    const open = { ...this.view.open };
    for (const [at, parent] of look.parents.entries()) {
      open[parent.id] = true;
      const lane = (look.parents[at + 1] ?? look).lane;
      if (isWide(parent)) open[laneKey(parent.id, lane)] = true;
    }
    await paged.around(look);
    this.view = { ...this.view, open };
  }

  toggle(key: string, isOpen: boolean): void {
    this.view = { ...this.view, open: { ...this.view.open, [key]: !isOpen } };
  }
  more(parent: string, shown: number): void {
    this.view = { ...this.view, shown: { ...this.view.shown, [parent]: shown } };
  }
  filter(parent: string, onlyFailed: boolean): void {
    this.paged?.filter(parent, onlyFailed);
    this.view = { ...this.view, open: { ...this.view.open, [parent]: true } };
  }
  show(places: Place[]): void {
    this.paged?.show(places);
  }

  async nextFailure(): Promise<string | undefined> {
    if (this.paged) return this.paged.nextFailed(this.paged.look).catch(() => undefined);
    const at = this.failed.findIndex((run) => run.id === this.key);
    return this.failed[(at + 1) % this.failed.length]?.id;
  }
}
