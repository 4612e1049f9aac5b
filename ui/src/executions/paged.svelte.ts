// The task runs of a large execution: what is looked at is read, by pages, and kept up to date.
import { getTaskRun, listLanes, listTaskRuns, type Lane, type TaskRun, type TaskRunLook } from "../api/generated";
import { isEnded } from "../logic/states";
import { isWide, LANES, runsOf, type Group, type Groups, type Lanes } from "./paged";
import { RunIndex, type Place } from "./tree";

const PAGES = 12; // Of one loop that are kept, besides those with something open.
const PAUSE_MS = 1000; // Between two readings of what has changed.
const AT_ONCE = 2;
const CHILDREN = 1000;

const keyOf = ({ parent, page }: Place) => `${parent} ${page}`;

export class PagedRuns {
  groups: Groups = $state.raw(new Map());
  /** The task run that is chosen, whole. */
  look: TaskRunLook | null = $state.raw(null);
  index = $derived(new RunIndex(runsOf(this.groups)));
  top = $derived(runsIn(this.groups.get("")));
  isOver = $derived(this.groups.has("") && this.top.every((run) => isEnded(run.state.current)));

  readonly #underWay = new Set<string>();
  readonly #old = new Set<string>(); // Places to read again when they are seen.
  readonly #failed = new Set<string>(); // Places that could not be read: not again until something changes.
  #seen: Place[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isReading = false;
  #isBehind = false;

  /** `keeps`: whether something in this lane is open. */
  constructor(readonly id: string, readonly signal: AbortSignal, readonly keeps: (parent: string, lane: Lane) => boolean) {
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
    void this.#read({ parent: "", page: -1 });
  }

  /** These places are on the screen. */
  show(places: Place[]): void {
    this.#seen = places;
    this.#readSeen();
  }

  /** A few at a time, and only what is still on the screen: whoever scrolls far asks for little. */
  #readSeen(): void {
    for (const place of this.#seen) {
      if (this.#underWay.size >= AT_ONCE) return;
      const key = keyOf(place);
      const isWanted = !this.#has(place) || this.#old.has(key);
      if (isWanted && !this.#failed.has(key) && !this.#underWay.has(key)) void this.#read(place).then(() => this.#readSeen());
    }
  }

  /** Only the failed values of a loop, or all. */
  filter(parent: string, onlyFailed: boolean): void {
    const counts = lanesIn(this.groups.get(parent))?.counts ?? {};
    this.#put(parent, { kind: "lanes", total: 1, counts, pages: new Map(), onlyFailed });
    void this.#read({ parent, page: 0 });
  }

  /** Reads one with what encloses it, and the places around it. */
  async choose(id: string): Promise<TaskRunLook | null> {
    if (!id) return (this.look = null);
    const n = this.index.byId.get(id)?.n;
    try {
      const look = await getTaskRun(this.id, n ? String(n) : id, { signal: this.signal });
      this.look = look;
      return look;
    } catch {
      return (this.look = null); // There is none: nothing is chosen.
    }
  }

  /** Reads the groups around it, outermost first. */
  async around(look: TaskRunLook): Promise<void> {
    for (const [at, parent] of look.parents.entries()) {
      const lane = (look.parents[at + 1] ?? look).lane;
      const group = lanesIn(this.groups.get(parent.id));
      if (group?.onlyFailed && !this.index.byId.has(look.id)) this.#put(parent.id, { ...group, pages: new Map(), onlyFailed: false });
      const place = { parent: parent.id, page: isWide(parent) ? Math.floor(lane / LANES) : -1 };
      if (!this.#has(place)) await this.#read(place, parent.n);
    }
  }

  /** Something has changed: what is seen is read again soon. */
  change(): void {
    this.#isBehind = true;
    if (this.#timer === undefined && !this.#isReading && !this.signal.aborted) this.#timer = setTimeout(() => void this.#refresh(), 100);
  }

  async #refresh(): Promise<void> {
    const begin = performance.now();
    this.#timer = undefined;
    this.#isBehind = false;
    this.#isReading = true;
    this.#failed.clear();
    for (const [parent, group] of this.groups)
      if (group.kind === "lanes") for (const page of group.pages.keys()) this.#old.add(keyOf({ parent, page }));
      else if (parent === "" || this.index.byId.has(parent)) await this.#read({ parent, page: -1 });
      else this.#drop(parent);
    for (const place of this.#seen) if (this.#old.has(keyOf(place))) await this.#read(place);
    if (this.look && !isEnded(this.look.state.current)) await this.choose(this.look.id);
    this.#isReading = false;
    const pause = Math.max(PAUSE_MS, 5 * (performance.now() - begin));
    if (!this.signal.aborted)
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        if (this.#isBehind) void this.#refresh();
      }, pause);
  }

  #has({ parent, page }: Place): boolean {
    const group = this.groups.get(parent);
    return group?.kind === "lanes" ? group.pages.has(page) : group !== undefined;
  }

  async #read(place: Place, known?: number): Promise<void> {
    const { parent, page } = place;
    const n = parent === "" ? 0 : (known ?? this.index.byId.get(parent)?.n);
    if (n === undefined) this.#failed.add(keyOf(place)); // It is not here any more.
    if (n === undefined || this.#underWay.has(keyOf(place))) return;
    this.#underWay.add(keyOf(place));
    try {
      if (page < 0) {
        const found = await listTaskRuns(this.id, { parent: String(n), size: CHILDREN }, { signal: this.signal });
        this.#put(parent, { kind: "children", runs: found.results });
      } else await this.#readLanes(place, n);
      this.#old.delete(keyOf(place));
    } catch {
      this.#failed.add(keyOf(place));
    } finally {
      this.#underWay.delete(keyOf(place));
    }
  }

  async #readLanes({ parent, page }: Place, n: number): Promise<void> {
    const onlyFailed = lanesIn(this.groups.get(parent))?.onlyFailed ?? false;
    const state = onlyFailed ? ["FAILED"] : undefined;
    const found = await listLanes(this.id, { parent: String(n), state, page: page + 1, size: LANES }, { signal: this.signal });
    const now = lanesIn(this.groups.get(parent));
    if ((now?.onlyFailed ?? false) !== onlyFailed) return; // Another filter by now.
    const pages = new Map(now?.pages);
    pages.set(page, found.results);
    this.#forget(parent, pages, page);
    this.#put(parent, { kind: "lanes", total: found.total, counts: found.counts, pages, onlyFailed });
  }

  /** Memory is bounded: what is far from what is seen goes. */
  #forget(parent: string, pages: Map<number, readonly Lane[]>, around: number): void {
    const seen = new Set(this.#seen.filter((place) => place.parent === parent).map(({ page }) => page));
    const far = [...pages.keys()].sort((a, b) => Math.abs(b - around) - Math.abs(a - around));
    for (const page of far) {
      if (pages.size <= PAGES) return;
      const isKept = pages.get(page)?.some((lane) => this.keeps(parent, lane)) ?? false;
      if (!seen.has(page) && page !== around && !isKept) pages.delete(page);
    }
  }

  #put(parent: string, group: Group): void {
    this.groups = new Map(this.groups).set(parent, group);
  }
  #drop(parent: string): void {
    const groups = new Map(this.groups);
    groups.delete(parent);
    this.groups = groups;
  }

  // --- Failures ------------------------------------------------------------------------------

  readonly #failedAt = new Map<string, { at: number; id: string }>(); // Place among a loop's failed values.

  /** The failed task run behind this one, or the first; innermost where one failed because of another. */
  async nextFailed(after: TaskRunLook | null): Promise<string | undefined> {
    const loop = [...(after?.parents ?? [])].reverse().find(isWide);
    if (!after || !loop || (loop.group["failed"] ?? 0) < 2) return this.#failedIn("", 0, false);
    const last = this.#failedAt.get(loop.id);
    return this.#failedLane(loop.id, loop.n, last?.id === after.id ? last.at + 1 : 0);
  }

  async #failedIn(parent: string, n: number, wide: boolean): Promise<string | undefined> {
    if (wide) return this.#failedLane(parent, n, 0);
    const { results } = await listTaskRuns(this.id, { parent: String(n), size: CHILDREN }, { signal: this.signal });
    return this.#failedOf(results);
  }

  async #failedOf(runs: readonly TaskRun[]): Promise<string | undefined> {
    const failed = runs.find((run) => run.state.current === "FAILED");
    if (!failed?.group || failed.n === undefined) return failed?.id;
    return (await this.#failedIn(failed.id, failed.n, isWide(failed))) ?? failed.id;
  }

  async #failedLane(parent: string, n: number, at: number): Promise<string | undefined> {
    const ask = (page: number) => listLanes(this.id, { parent: String(n), state: ["FAILED"], page, size: 1 }, { signal: this.signal });
    let [found, place] = [await ask(at + 1), at];
    if (!found.results.length && at > 0) [found, place] = [await ask(1), 0]; // Round again.
    const id = await this.#failedOf(found.results[0]?.runs ?? []);
    if (id) this.#failedAt.set(parent, { at: place, id });
    return id;
  }
}

const lanesIn = (group: Group | undefined): Lanes | undefined => (group?.kind === "lanes" ? group : undefined);
const runsIn = (group: Group | undefined): readonly TaskRun[] => (group?.kind === "children" ? group.runs : []);
