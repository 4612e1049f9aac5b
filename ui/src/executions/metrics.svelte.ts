// Metrics of an execution or of some of its task runs, by pages; read again while it runs.
import { ApiError, isAborted } from "../api/call";
import { getMetrics, type Metric } from "../api/generated";

export const PAGE = 100;
const MOST = 10000; // Of one task run: more are never kept.
const PAUSE_MS = 1000;

export class Metrics {
  rows: Metric[] | null = $state.raw(null);
  total = $state(0);
  error = $state("");
  #pages = 1;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #stop = new AbortController();

  /** `runs`: of these; null: of all. */
  constructor(readonly execution: string, readonly runs: string[] | null) {}

  start(): () => void {
    void this.#read();
    return () => {
      clearTimeout(this.#timer);
      this.#stop.abort();
    };
  }
  more(): void {
    this.#pages++;
    void this.#read();
  }
  /** Something has changed: they are read again soon. */
  change(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#read();
    }, PAUSE_MS);
  }

  async #read(): Promise<void> {
    const { signal } = this.#stop;
    try {
      const asks = this.runs?.map((taskRunId) => getMetrics(this.execution, { taskRunId, size: MOST }, { signal }));
      const found = await Promise.all(asks ?? [getMetrics(this.execution, { size: this.#pages * PAGE }, { signal })]);
      const rows = found.flatMap(({ results }) => results);
      this.rows = asks ? rows.sort((a, b) => a.timestamp.localeCompare(b.timestamp)) : rows;
      this.total = found.reduce((all, { total }) => all + total, 0);
      this.error = "";
    } catch (error) {
      if (!isAborted(error)) this.error = error instanceof ApiError ? error.message : String(error);
    }
  }
}
