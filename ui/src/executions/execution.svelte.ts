// One execution with its task runs and its log lines, live until it is over.
import { ApiError, isAborted } from "../api/call";
import { getExecution, getFlow, getLogs, type Execution, type TaskRun } from "../api/generated";
import { live, type LiveEvent, type LogLine } from "../live/live.svelte";
import { isEnded } from "../logic/states";
import { further } from "./tree";

export class ExecutionStore {
  execution: Execution | null = $state.raw(null);
  runs: TaskRun[] = $state.raw([]);
  lines: LogLine[] = $state.raw([]);
  source: string = $state("");
  error: ApiError | null = $state.raw(null);
  logError: ApiError | null = $state.raw(null);
  hasLogs = $state(false);
  /** Nothing changes any more: ended, and no task run is left. */
  isOver = $derived(
    this.execution !== null &&
      isEnded(this.execution.state.current) &&
      this.runs.every((run) => isEnded(run.state.current)),
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
      const { taskRunList, ...execution } = await getExecution(this.id, {}, this.#stop);
      this.execution = further(this.execution ?? undefined, execution);
      this.#putRuns(taskRunList ?? []);
      this.error = null;
    } catch (error) {
      if (!isAborted(error)) this.error = error instanceof ApiError ? error : new ApiError(0, String(error));
    }
  }

  async #fetchSource({ namespace, flowId, flowRevision }: Execution): Promise<void> {
    try {
      const query = { source: true, revision: flowRevision, allowDeleted: true };
      this.source = (await getFlow(namespace, flowId, query, this.#stop)).source ?? "";
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
    else if (event.kind === "execution") this.execution = further(this.execution ?? undefined, event.row);
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

  #putRuns(rows: readonly TaskRun[]): void {
    const runs = [...this.runs];
    for (const row of rows) {
      const at = this.#places.get(row.id) ?? runs.length;
      this.#places.set(row.id, at);
      runs[at] = further(runs[at], row);
    }
    this.runs = runs;
  }
}
