// Goal: tree, time axis and log rows are right. Method: small executions made by hand.
import { describe, expect, it } from "vitest";
import type { LogEntry, State, StateName, TaskRun } from "../api/generated";
import { axisOf, barOf, spanOf, ticksOf } from "./gantt";
import { addRows, hitsOf, passes, rowOfHit, type LogRow } from "./log-rows";
import { failures, further, MANY, PAGE, reveal, rowsOf, RunIndex } from "./tree";

const T0 = Date.parse("2026-03-01T10:00:00Z");
const iso = (ms: number) => new Date(T0 + ms).toISOString();

function stateOf(current: StateName, created: number, ran?: number, ended?: number): State {
  const histories: State["histories"] = [{ state: "CREATED", date: iso(created) }];
  if (ran !== undefined) histories.push({ state: "RUNNING", date: iso(ran) });
  if (ended !== undefined) histories.push({ state: current, date: iso(ended) });
  return { current, histories, startDate: iso(created), ...(ended !== undefined ? { endDate: iso(ended) } : {}) };
}
const run = (id: string, parent?: string, current: StateName = "SUCCESS"): TaskRun => ({
  id, executionId: "x", namespace: "n", flowId: "f", taskId: id, state: stateOf(current, 0, 1, 2), ...(parent ? { parentTaskRunId: parent } : {}),
});
const none = { open: {}, shown: {} };

describe("tree", () => {
  it("is flat in the order of the runs, with depth", () => {
    const index = new RunIndex([run("a"), run("b"), run("b1", "b"), run("b2", "b"), run("b1x", "b1"), run("c")]);
    expect(rowsOf(index, none).map(({ key, depth }) => `${depth}${key}`)).toEqual(["0a", "0b", "1b1", "2b1x", "1b2", "0c"]);
    expect(rowsOf(index, { open: { b: false }, shown: {} }).map(({ key }) => key)).toEqual(["a", "b", "c"]);
    expect([...index.below("b")].sort()).toEqual(["b", "b1", "b1x", "b2"]);
  });
  it("keeps a run whose parent is not there", () => {
    expect(rowsOf(new RunIndex([run("a", "gone")]), none).length).toBe(1);
  });
  const loop = (count: number) => [run("each"), ...Array.from({ length: count }, (_, at) => run(`r${at}`, "each", at % 10 ? "SUCCESS" : "FAILED"))];
  it("closes large groups, counts them, and shows them in pieces", () => {
    expect(rowsOf(new RunIndex(loop(MANY)), none).length).toBe(MANY + 1);
    const index = new RunIndex(loop(MANY + 1));
    expect(rowsOf(index, none)).toMatchObject([{ key: "each", counts: [["SUCCESS", MANY - 1], ["FAILED", 2]] }]);
    const large = new RunIndex(loop(PAGE + 7));
    const rows = rowsOf(large, { open: { each: true }, shown: {} });
    expect(rows.length).toBe(PAGE + 2);
    expect(rows.at(-1)).toMatchObject({ kind: "more", left: 7 });
  });
  it("opens and pages to what is asked for", () => {
    const index = new RunIndex(loop(PAGE * 3));
    const view = reveal(index, none, `r${PAGE + 1}`);
    expect(rowsOf(index, view).some(({ key }) => key === `r${PAGE + 1}`)).toBe(true);
    expect(view.shown["each"]).toBe(PAGE * 2);
  });
  it("finds the innermost failures", () => {
    const runs = [run("a", undefined, "FAILED"), run("a1", "a"), run("a2", "a", "FAILED"), run("b", undefined, "FAILED")];
    expect(failures(runs, new RunIndex(runs)).map(({ id }) => id)).toEqual(["a2", "b"]);
  });
  it("never goes back", () => {
    const early = { state: stateOf("RUNNING", 0, 1) };
    const late = { state: stateOf("SUCCESS", 0, 1, 2) };
    expect(further(late, early)).toBe(late);
    expect(further(early, late)).toBe(late);
    expect(further(undefined, early)).toBe(early);
  });
});

describe("gantt", () => {
  it("takes now for what still runs", () => {
    expect(spanOf(stateOf("RUNNING", 0, 10), T0 + 500)).toEqual({ from: T0, to: T0 + 500 });
    expect(spanOf(stateOf("SUCCESS", 0, 10, 90), T0 + 500)).toEqual({ from: T0, to: T0 + 90 });
    expect(spanOf(stateOf("RUNNING", 100, 110), T0)).toEqual({ from: T0 + 100, to: T0 + 100 });
  });
  it("puts bars on the axis", () => {
    const axis = { from: T0, to: T0 + 1000 };
    expect(barOf(stateOf("SUCCESS", 100, 200, 600), axis, 0)).toEqual({ left: 10, wait: 10, width: 50 });
    expect(barOf(stateOf("CREATED", 500), axis, T0 + 1000)).toEqual({ left: 50, wait: 0, width: 50 });
    const bar = barOf(stateOf("SUCCESS", 0, 0, 0), { from: T0, to: T0 }, 0);
    expect(Object.values(bar).every(Number.isFinite)).toBe(true);
  });
  it("covers all spans", () => {
    expect(axisOf([])).toEqual({ from: 0, to: 1 });
    const axis = axisOf([{ from: 5, to: 10 }, { from: 0, to: 7 }]);
    expect(axis.from).toBe(0);
    expect(axis.to).toBeGreaterThan(10);
  });
  it.each([1, 7, 90, 999, 1000, 12345, 60000, 3600000, 86400000 * 3, 86400000 * 4000])("has few round ticks for %d ms", (length) => {
    const ticks = ticksOf({ from: 0, to: length }, 5);
    expect(ticks.length).toBeGreaterThan(0);
    expect(ticks.length).toBeLessThanOrEqual(6);
    expect(ticks[0]).toEqual({ left: 0, label: "0" });
    expect(ticks.every(({ left }) => left <= 100)).toBe(true);
    expect(new Set(ticks.map(({ label }) => label)).size).toBe(ticks.length);
  });
});

const entry = (message: string, level: LogEntry["level"] = "INFO", taskRunId = "r"): LogEntry => ({
  namespace: "n", flowId: "f", executionId: "x", timestamp: iso(0), level, message, taskRunId,
});

describe("log rows", () => {
  const rowsFor = (message: string, columns: number) => {
    const rows: LogRow[] = [];
    addRows(rows, entry(message), 0, columns);
    return rows.map(({ part, text, from, to }) => [part, text, from, to]);
  };
  it("break at line ends and at the width", () => {
    expect(rowsFor("abc", 10)).toEqual([[0, 0, 0, 3]]);
    expect(rowsFor("", 10)).toEqual([[0, 0, 0, 1]]);
    expect(rowsFor("abcdef", 4)).toEqual([[0, 0, 0, 4], [1, 0, 4, 6]]);
    expect(rowsFor("abcd", 4)).toEqual([[0, 0, 0, 4]]);
    expect(rowsFor("a\nbcdef\n", 4)).toEqual([[0, 0, 0, 1], [1, 1, 0, 4], [2, 1, 4, 5]]);
    expect(rowsFor("x".repeat(500), 0).length).toBe(1);
    expect(rowsFor("\u001b[31mabcd\u001b[0m", 4)).toEqual([[0, 0, 0, 4]]);
  });
  it("are filtered by level and task run", () => {
    expect(passes(entry("a", "DEBUG"), { least: "INFO", runs: null, tasks: new Set<string>() })).toBe(false);
    expect(passes(entry("a", "ERROR"), { least: "INFO", runs: null, tasks: new Set<string>() })).toBe(true);
    expect(passes(entry("a"), { least: "TRACE", runs: new Set(["q"]), tasks: new Set<string>() })).toBe(false);
  });
  it("are found by words", () => {
    const entries = [entry("one Two two"), entry("none", "DEBUG"), entry("a\nTWO\u001b[1m!")];
    const filter = { least: "INFO" as const, runs: null, tasks: new Set<string>() };
    const hits = hitsOf(entries, "two", filter);
    expect(hits.map(({ line, text, from }) => [line, text, from])).toEqual([[0, 0, 4], [0, 0, 8], [2, 1, 0]]);
    const rows: LogRow[] = [];
    for (const [line, one] of entries.entries()) if (passes(one, filter)) addRows(rows, one, line, 6);
    expect(hits.map((hit) => rowOfHit(rows, hit))).toEqual([0, 1, 3]);
    expect(hitsOf(entries, "", filter)).toEqual([]);
  });
});
