// Goal: a loop of 100,000 values is rows at once, and only what is looked at is read. Method: a
// server that is played by hand: a task, then a loop with two tasks in each value, of which three fail.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Lane, State, StateName, TaskRun } from "../api/generated";
import { ExecutionStore } from "./execution.svelte";
import { LANES, pagedRows, tasksBelow, type Groups, type Lanes } from "./paged";
import { PagedRuns } from "./paged.svelte";
import { RunTree } from "./run-tree.svelte";
import { laneKey, type Row } from "./tree";

const MANY = 100_000;
const bad = [70, 50_010, 99_999];
const state = (current: StateName): State => ({ current, histories: [{ state: "CREATED", date: "2026-03-01T10:00:00Z" }], startDate: "2026-03-01T10:00:00Z" }) as State;
const made = (n: number, lane: number, taskId: string, current: StateName = "SUCCESS", more: Partial<TaskRun> = {}): TaskRun =>
  ({ id: `r${n}`, n, lane, executionId: "x", namespace: "n", flowId: "f", taskId, state: state(current), ...more }) as TaskRun;

const group = { lanes: MANY, opened: MANY, open: 0, failed: bad.length, warned: 0, killed: 0 };
const top = [made(1, 0, "begin"), made(2, 1, "each", "FAILED", { group })];
function lane(at: number): Lane {
  const current = bad.includes(at) ? "FAILED" : "SUCCESS";
  const inside = { parentTaskRunId: "r2", value: String(at) };
  return { lane: at, value: String(at), state: state(current), runs: [made(3 + at * 2, at, "a", "SUCCESS", inside), made(4 + at * 2, at, "b", current, inside)] };
}

let asked: string[] = [];
let stop = new AbortController();
function answer(url: URL): unknown {
  const { pathname, searchParams } = url;
  const number = (name: string) => Number(searchParams.get(name));
  if (pathname.endsWith("/taskruns")) return { results: number("parent") === 0 ? top : [], total: 2 };
  if (pathname.endsWith("/lanes")) {
    const all = searchParams.get("state") ? bad : null;
    const [from, to] = [(number("page") - 1) * number("size"), number("page") * number("size")];
    const places = all ? all.slice(from, to) : Array.from({ length: Math.max(0, Math.min(to, MANY) - from) }, (_, i) => from + i);
    return { results: places.map(lane), total: all?.length ?? MANY, counts: { SUCCESS: MANY - bad.length, FAILED: bad.length } };
  }
  const n = Number((pathname.split("/").at(-1) ?? "").replace("r", ""));
  if (n <= 2) return { ...top[n - 1], parents: [] };
  const run = lane((n - 3) >> 1).runs[(n - 3) % 2];
  return { ...run, outputs: { is: n }, parents: [{ id: "r2", n: 2, lane: 1, taskId: "each", group }] };
}

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  stop = new AbortController();
  vi.stubGlobal("document", { baseURI: "http://host/ui/" });
  vi.stubGlobal("fetch", (path: string) => {
    const url = new URL(path, "http://host/ui/");
    asked.push(url.pathname.replace(/.*executions\/x/, "") + url.search);
    return Promise.resolve(new Response(JSON.stringify(answer(url)), { status: 200 }));
  });
});
afterEach(() => {
  stop.abort();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});
const settle = () => vi.advanceTimersByTimeAsync(20);
async function begin(): Promise<PagedRuns> {
  const paged = new PagedRuns("x", stop.signal, () => false);
  await settle();
  return paged;
}
const lanesOf = (paged: PagedRuns): Lanes => {
  const found = paged.groups.get("r2");
  if (found?.kind !== "lanes") throw new Error("no lanes");
  return found;
};

describe("rows of a loop that is read by pages", () => {
  const groups = (pages: [number, Lane[]][], onlyFailed = false): Groups =>
    new Map([["", { kind: "children", runs: top }], ["r2", { kind: "lanes", total: MANY, counts: { FAILED: 3, SUCCESS: MANY - 3 }, pages: new Map(pages), onlyFailed }]]);

  it("is one row with its counts until it is opened", () => {
    const rows = pagedRows(groups([]), { open: {}, shown: {} });
    expect(rows.map(({ key }) => key)).toEqual(["r1", "r2"]);
    expect(rows[1]).toMatchObject({ children: MANY, isOpen: false, counts: [["SUCCESS", MANY - 3], ["FAILED", 3]], failed: { number: 3, isOnly: false } });
  });
  it("has a row for each value, with the place at which it is read", () => {
    const rows = pagedRows(groups([[0, Array.from({ length: LANES }, (_, at) => lane(at))]]), { open: { r2: true }, shown: {} });
    expect(rows.length).toBe(MANY + 2);
    expect(rows[2]).toMatchObject({ kind: "lane", key: laneKey("r2", 0), depth: 1, place: { parent: "r2", page: 0 } });
    expect(rows[2 + LANES]).toMatchObject({ kind: "wait", place: { parent: "r2", page: 1 } });
    expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
  });
  it("opens a value, and needs no row for it where each has one task", () => {
    const rows = pagedRows(groups([[0, [lane(0), lane(1)]]]), { open: { r2: true, [laneKey("r2", 0)]: true }, shown: {} });
    expect(rows.slice(2, 6).map(({ key, depth }) => `${depth}${key}`)).toEqual(["1r2~0", "2r3", "2r4", "1r2~1"]);
    const short = [0, 1].map((at) => ({ ...lane(at), runs: lane(at).runs.slice(0, 1) }));
    const flat = pagedRows(groups([[0, short]]), { open: { r2: true }, shown: {} });
    expect(flat.slice(2, 4)).toMatchObject([{ kind: "run", key: "r3", isInLane: false }, { kind: "run", key: "r5" }]);
  });
  it("tells what has not begun", () => {
    const running = { ...group, opened: 500, open: 20, failed: 0 };
    const rows = pagedRows(new Map([["", { kind: "children", runs: [made(1, 0, "each", "RUNNING", { group: running })] }]]), { open: {}, shown: {} });
    expect(rows[0]).toMatchObject({ counts: [["SUCCESS", 480], ["RUNNING", 20], ["CREATED", MANY - 500]] });
  });
  it("knows the tasks within a task", () => {
    const tasks = [{ id: "x", type: "t" }, { id: "e", type: "foreach", tasks: [{ id: "y", type: "t" }], errors: [{ id: "z", type: "t" }] }];
    expect([...tasksBelow(tasks, "e")].sort()).toEqual(["e", "y", "z"]);
    expect([...tasksBelow(tasks, "none")]).toEqual([]);
  });
});

describe("what is looked at is read", () => {
  const page = (number: number) => ({ parent: "r2", page: number });
  it("reads what is on the screen, a few pages at a time, each once", async () => {
    const paged = await begin();
    expect(asked).toEqual(["/taskruns?parent=0&size=1000"]);
    expect(paged.isOver).toBe(true);
    paged.show([page(0), page(1), page(7)]);
    expect(asked.length).toBe(3); // Two are under way.
    await settle();
    paged.show([page(0), page(1), page(7)]);
    expect(asked.slice(1)).toEqual([1, 2, 8].map((at) => `/lanes?parent=2&page=${at}&size=${LANES}`));
    expect(lanesOf(paged).pages.get(7)?.[3]).toMatchObject({ lane: 7 * LANES + 3 });
  });
  it("asks nothing for what was scrolled past", async () => {
    const paged = await begin();
    for (let at = 0; at < 2000; at++) paged.show([page(at)]);
    await settle();
    expect([...lanesOf(paged).pages.keys()]).toEqual([0, 1, 1999]);
  });
  it("keeps few pages, and those with something open", async () => {
    const paged = new PagedRuns("x", stop.signal, (_, one) => one.lane === 3);
    await settle();
    for (let at = 0; at < 40; at++) {
      paged.show([page(at)]);
      await settle();
    }
    const pages = [...lanesOf(paged).pages.keys()];
    expect(pages.length).toBeLessThanOrEqual(13);
    expect(pages).toContain(0);
    expect(pages).toContain(39);
  });
  it("reads again what is seen, and no more, when something changes", async () => {
    const paged = await begin();
    paged.show([page(0), page(1)]);
    await settle();
    paged.show([page(1)]);
    asked = [];
    paged.change();
    for (let i = 0; i < 50; i++) paged.change();
    await vi.advanceTimersByTimeAsync(500);
    expect(asked).toEqual(["/taskruns?parent=0&size=1000", `/lanes?parent=2&page=2&size=${LANES}`]);
    asked = [];
    paged.change();
    await vi.advanceTimersByTimeAsync(3000);
    expect(asked.length).toBe(2); // Once more for all of them, after a pause.
  });
  it("shows only the failed values", async () => {
    const paged = await begin();
    paged.filter("r2", true);
    await settle();
    expect(lanesOf(paged)).toMatchObject({ total: 3, onlyFailed: true });
    expect(lanesOf(paged).pages.get(0)?.map(({ lane: at }) => at)).toEqual(bad);
    paged.filter("r2", false);
    await settle();
    expect(lanesOf(paged).total).toBe(MANY);
  });
});

describe("choosing", () => {
  async function beginTree(): Promise<{ tree: RunTree; paged: PagedRuns }> {
    const store = new ExecutionStore("x");
    const tree = new RunTree(store);
    const paged = new PagedRuns("x", stop.signal, (parent, one) => store.keeps(parent, one));
    store.paged = paged;
    await settle();
    return { tree, paged };
  }
  const keyAt = (rows: readonly Row[], key: string) => rows.findIndex((row) => row.key === key);

  it("opens all around a task run far away, without reading what is between", async () => {
    const { tree } = await beginTree();
    asked = [];
    await tree.choose("r100024"); // The second task of value 50,010.
    expect(asked).toEqual(["/taskruns/r100024", `/lanes?parent=2&page=1001&size=${LANES}`]);
    expect(keyAt(tree.rows, "r100024")).toBe(2 + 50_010 + 2);
    expect(tree.run).toMatchObject({ outputs: { is: 100_024 } });
    expect([...(tree.scope?.runs ?? [])]).toEqual(["r100024"]);
  });
  it("goes from failure to failure, and round again", async () => {
    const { tree } = await beginTree();
    const found: (string | undefined)[] = [];
    for (let i = 0; i < 4; i++) {
      found.push(await tree.nextFailure());
      await tree.choose(found.at(-1) ?? "");
    }
    expect(found).toEqual([...bad, bad[0] ?? 0].map((at) => `r${4 + at * 2}`));
    expect(tree.hasMore).toBe(true);
  });
  it("takes a value with all its task runs", async () => {
    const { tree, paged } = await beginTree();
    tree.toggle("r2", false);
    paged.show([{ parent: "r2", page: 0 }]);
    await settle();
    await tree.choose(laneKey("r2", 4));
    expect(tree.lane?.value).toBe("4");
    expect([...(tree.scope?.runs ?? [])]).toEqual(["r11", "r12"]);
  });
});
