// Goal: metrics read as numbers with units; the right ones are asked for. Method: rows made by hand.
import { describe, expect, it } from "vitest";
import type { TaskRun } from "../api/generated";
import { idsOf, SOME, tagsOf, valueOf } from "./metrics";

describe("metrics", () => {
  it("have their unit, and no more digits than one reads", () => {
    expect(valueOf({ type: "timer", value: 1.25 })).toBe("1.25 s");
    expect(valueOf({ type: "counter", value: 123456789 })).toBe("123\u202f456\u202f789");
    expect(valueOf({ type: "gauge", value: 0.1 + 0.2 })).toBe("0.3");
    expect(valueOf({ type: "gauge", value: 0.00004 })).toBe("4.000e-5");
    expect(valueOf({ type: "counter", value: 0 })).toBe("0");
    expect(tagsOf({ tags: { a: "b", c: 1 } })).toEqual([["a", "b"], ["c", "1"]]);
    expect(tagsOf({})).toEqual([]);
  });
  it("are those of the execution, of some task runs, or of too many", () => {
    const run = (group?: Record<string, number>) => ({ id: "a", ...(group ? { group } : {}) }) as TaskRun;
    const scope = (ids: string[]) => ({ runs: new Set(ids), tasks: new Set<string>() });
    expect(idsOf(null, null, null)).toBe(null);
    expect(idsOf(scope(["b", "a"]), run(), null)).toEqual(["a", "b"]);
    expect(idsOf(scope(["a"]), run({ lanes: 100_000 }), null)).toBe(100_000);
    expect(idsOf(scope(Array.from({ length: SOME + 1 }, (_, at) => `r${at}`)), run(), null)).toBe(SOME + 1);
  });
});
