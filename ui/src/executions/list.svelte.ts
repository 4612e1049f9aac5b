// A page of executions: rows change where they stand; new ones are counted, not pushed in.
import { ApiError, isAborted } from "../api/call";
import { searchExecutions, type Execution, type StateName } from "../api/generated";
import { live, type LiveEvent } from "../live/live.svelte";
import { serverNow } from "../logic/clock.svelte";
import { further } from "./tree";

export interface ListFilter {
  namespace: string;
  flowId: string;
  q: string;
  state: StateName[];
  range: string; // "24h", "" = any time.
  sort: string;
  page: number;
}

export const SIZE = 50;
const MINUTE = 60000;
export const ranges: Record<string, number> = {
  "15m": 15 * MINUTE, "1h": 60 * MINUTE, "24h": 1440 * MINUTE, "7d": 7 * 1440 * MINUTE, "30d": 30 * 1440 * MINUTE,
};

/** Whether the server would give this row for the filter (its time apart). */
export function matches(row: Execution, { namespace, flowId, q, state }: ListFilter): boolean {
  if (namespace && row.namespace !== namespace && !row.namespace.startsWith(`${namespace}.`)) return false;
  if (flowId && row.flowId !== flowId) return false;
  if (state.length && !state.includes(row.state.current)) return false;
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const where = `${row.id} ${row.namespace} ${row.flowId}`.toLowerCase();
  // Each is the beginning of a word there.
  return words.every((word) => where.split(/[\s._-]+/).some((part) => part.startsWith(word)) || where.includes(` ${word}`));
}

export class ExecutionsList {
  rows: Execution[] | null = $state.raw(null);
  total = $state(0);
  error = $state("");
  fresh = $state(0);
  hasGap = $state(false);
  readonly #new = new Set<string>();

  constructor(readonly filter: ListFilter, before: Execution[] | null) {
    this.rows = before; // Shown until the new ones are there.
  }

  start(): () => void {
    const stop = new AbortController();
    void this.load(stop.signal);
    const leave = live.follow({ topic: "executions", on: (event) => this.#hear(event) });
    return () => {
      stop.abort();
      leave();
    };
  }

  async load(signal?: AbortSignal): Promise<void> {
    const { range, page, ...filter } = this.filter;
    const length = ranges[range];
    const startDate = length ? new Date(serverNow() - length).toISOString() : undefined;
    try {
      const found = await searchExecutions({ ...filter, startDate, page, size: SIZE, light: true }, { signal });
      this.rows = found.results;
      this.total = found.total;
      this.error = "";
      this.#new.clear();
      this.fresh = 0;
      this.hasGap = false;
    } catch (error) {
      if (!isAborted(error)) this.error = error instanceof ApiError ? error.message : String(error);
    }
  }

  #hear(event: LiveEvent): void {
    if (event.kind === "gap") this.hasGap = true;
    if (event.kind !== "execution" || !this.rows) return;
    const at = this.rows.findIndex((row) => row.id === event.row.id);
    if (at >= 0) {
      this.rows = this.rows.map((row, place) => (place === at ? further(row, event.row) : row));
    } else if (this.#isNew(event.row) && !this.#new.has(event.row.id)) {
      this.#new.add(event.row.id);
      this.fresh = this.#new.size;
    }
  }

  /** One that stands above the first row of the first page. */
  #isNew(row: Execution): boolean {
    const isNewestFirst = this.filter.sort === "state.startDate:desc" && this.filter.page === 1;
    const first = this.rows?.[0];
    const began = row.state.startDate ?? "";
    return isNewestFirst && matches(row, this.filter) && (!first || began >= (first.state.startDate ?? ""));
  }
}
