// A page of executions: rows change where they stand; new ones are counted, not pushed in.
import { ApiError, isAborted } from "../api/call";
import { searchExecutions, type Execution } from "../api/generated";
import { live, type LiveEvent } from "../live/live.svelte";
import { askOf, matches, type Filter } from "./filter";
import { further } from "./tree";

export interface ListFilter extends Filter {
  sort: string;
  page: number;
}

export const SIZE = 50;

export class ExecutionsList {
  rows: Execution[] | null = $state.raw(null);
  total = $state(0);
  isCapped = $state(false); // There are at least so many.
  error = $state("");
  fresh = $state(0);
  hasGap = $state(false);
  /** Rows that were deleted meanwhile: they stay where they are until the list is loaded anew. */
  gone: ReadonlySet<string> = $state.raw(new Set());
  readonly #new = new Set<string>();
  readonly #heard = new Map<string, Execution>(); // Since the last load began.

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
    const { page, sort, ...filter } = this.filter;
    this.#heard.clear();
    try {
      const found = await searchExecutions({ ...askOf(filter), sort, page, size: SIZE, light: true }, { signal });
      // What was heard while the answer was under way may be further.
      this.rows = found.results.map((row) => further(this.#heard.get(row.id), row));
      this.total = found.total;
      this.isCapped = found.totalIsCapped ?? false;
      this.error = "";
      this.gone = new Set();
      this.#new.clear();
      this.fresh = 0;
      this.hasGap = false;
    } catch (error) {
      if (!isAborted(error)) this.error = error instanceof ApiError ? error.message : String(error);
    }
  }

  #hear(event: LiveEvent): void {
    if (event.kind === "gap") this.hasGap = true;
    if (event.kind === "gone" && this.rows?.some((row) => row.id === event.id)) this.gone = new Set([...this.gone, event.id]);
    if (event.kind !== "execution") return;
    const { row } = event;
    if (this.#heard.size < SIZE * 4) this.#heard.set(row.id, row);
    const at = this.rows?.findIndex((one) => one.id === row.id) ?? -1;
    if (at >= 0) {
      this.rows = this.rows?.map((one, place) => (place === at ? further(one, row) : one)) ?? null;
    } else if (this.rows && this.#isNew(row) && !this.#new.has(row.id)) {
      this.#new.add(row.id);
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
