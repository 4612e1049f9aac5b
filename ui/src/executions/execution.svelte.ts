// One execution with its task runs and its log lines, live until it is over.
import { ApiError, isAborted } from "../api/call";
import { getExecution, getFlow, getLogs, type Execution, type Label, type Lane, type TaskRun } from "../api/generated";
import { live, type LiveEvent, type LogLine } from "../live/live.svelte";
import { isEnded } from "../logic/states";
import { PagedRuns } from "./paged.svelte";
import { further } from "./tree";

const WHOLE = 1000; // Task runs that are taken as a whole; more are read by pages.

export class ExecutionStore {
  execution: Execution | null = $state.raw(null);
  runs: TaskRun[] = $state.raw([]);
  /** Instead of `runs` when there are many. */
  paged: PagedRuns | null = $state.raw(null);
  keeps: (parent: string, lane: Lane) => boolean = () => false;
  isGone = $state(false); // It was deleted.
  lines: LogLine[] = $state.raw([]);
  source: string = $state("");
  tasks: unknown = $state.raw(null); // Of the flow.
  error: ApiError | null = $state.raw(null);
  logError: ApiError | null = $state.raw(null);
  hasLogs = $state(false);
  /** Nothing changes any more: ended, and no task run is left. */
  isOver = $derived(
    this.execution !== null &&
      isEnded(this.execution.state.current) &&
      (this.paged ? this.paged.isOver : this.runs.every((run) => isEnded(run.state.current))),
  );

  readonly #stop = new AbortController();
  readonly #leave: (() => void)[] = [];
  readonly #places = new Map<string, number>();
  #news = { runs: [] as TaskRun[], lines: [] as LogLine[] };
  #isPlanned = false;

  constructor(readonly id: string) {}

  /** Loads and follows until the result is called. */
  start(): () => void {
    void this.#begin();
    void this.#beginLogs();
    return () => {
      this.#stop.abort();
      for (const leave of this.#leave) leave();
    };
  }

  async #begin(): Promise<void> {
    await this.#fetch();
    if (this.#stop.signal.aborted || !this.execution) return;
    void this.#fetchSource(this.execution);
    if (!this.isOver)
      this.#leave.push(live.follow({ topic: `execution:${this.id}`, on: (event) => this.#hear(event) }));
  }

  async #fetch(): Promise<void> {
    try {
      const query = { taskRuns: this.paged ? 0 : WHOLE };
      const { taskRunList, taskRunCount, ...execution } = await getExecution(this.id, query, this.#stop);
      this.execution = further(this.execution ?? undefined, execution);
      if (taskRunCount !== undefined) this.#byPages();
      else this.#putRuns(taskRunList ?? []);
      this.error = null;
    } catch (error) {
      if (!isAborted(error)) this.error = error instanceof ApiError ? error : new ApiError(0, String(error));
    }
  }

  async #fetchSource({ namespace, flowId, flowRevision }: Execution): Promise<void> {
    try {
      const query = { source: true, revision: flowRevision, allowDeleted: true };
      const flow = await getFlow(namespace, flowId, query, this.#stop);
      this.source = flow.source ?? "";
      this.tasks = flow.tasks;
    } catch {
      this.source = ""; // The panel says that there is none.
    }
  }

  /** What is there, then line by line from where that ends. */
  async #beginLogs(): Promise<void> {
    try {
      const entries = await getLogs(this.id, {}, this.#stop);
      this.lines = entries.map((entry, line) => ({ ...entry, line }));
      this.hasLogs = true;
    } catch (error) {
      if (isAborted(error)) return;
      this.logError = error instanceof ApiError ? error : new ApiError(0, String(error));
      return;
    }
    const nextLine = () => this.lines.length + this.#news.lines.length;
    const on = (event: LiveEvent) => {
      if (event.kind === "log") this.#hearLine(event.row);
    };
    this.#leave.push(live.follow({ topic: `logs:${this.id}`, nextLine, on }));
  }

  #hear(event: LiveEvent): void {
    if (event.kind === "hello" || event.kind === "gap") void this.#fetch();
    else if (event.kind === "gone") this.isGone = true;
    else if (event.kind === "end") this.paged?.change();
    else if (event.kind === "execution") {
      this.execution = further(this.execution ?? undefined, event.row);
      this.paged?.change();
    } else if (event.kind === "run" && this.paged) this.paged.change();
    else if (event.kind === "run") {
      this.#news.runs.push(event.row);
      this.#plan();
    }
  }

  #hearLine(row: LogLine): void {
    const next = this.lines.length + this.#news.lines.length;
    if (row.line < next) return; // We have it.
    this.#news.lines.push(row);
    this.#plan();
  }

  /** What arrives together is shown together. */
  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    setTimeout(() => {
      this.#isPlanned = false;
      const { runs, lines } = this.#news;
      this.#news = { runs: [], lines: [] };
      if (runs.length) this.#putRuns(runs);
      if (lines.length) this.lines = [...this.lines, ...lines];
    }, 30);
  }

  /** Its labels were changed. */
  relabel(labels: Label[]): void {
    if (this.execution) this.execution = { ...this.execution, labels };
  }

  /** From here on: too many to have them all. */
  #byPages(): void {
    if (this.paged) return this.paged.change();
    this.paged = new PagedRuns(this.id, this.#stop.signal, (parent, lane) => this.keeps(parent, lane));
    this.runs = [];
    this.#places.clear();
  }

  #putRuns(rows: readonly TaskRun[]): void {
    if (this.paged) return;
    const runs = [...this.runs];
    for (const row of rows) {
      const at = this.#places.get(row.id) ?? runs.length;
      this.#places.set(row.id, at);
      runs[at] = further(runs[at], row);
    }
    this.runs = runs;
    if (runs.length > WHOLE) this.#byPages();
  }
}
