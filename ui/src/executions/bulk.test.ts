// Goal: an act reaches those that can take it, and nobody else. Method: rows made by hand.
import { describe, expect, it } from "vitest";
import type { Execution, StateName } from "../api/generated";
import { allStates } from "../logic/states";
import { canTake, choose, statesFor, takers } from "./bulk";

describe("many at once", () => {
  it("each state takes what it can", () => {
    expect(allStates.filter((state) => canTake("kill", state))).toEqual(["CREATED", "QUEUED", "RUNNING", "RESTARTED", "RETRYING", "PAUSED"]);
    for (const state of allStates) {
      expect(canTake("delete", state)).toBe(canTake("labels", state));
      expect(canTake("delete", state) && canTake("kill", state)).toBe(false);
    }
    const rows = (["RUNNING", "SUCCESS", "KILLING"] as StateName[]).map((current) => ({ id: current, state: { current } }) as Execution);
    expect(takers("kill", rows).map(({ id }) => id)).toEqual(["RUNNING"]);
    expect(takers("delete", rows).map(({ id }) => id)).toEqual(["SUCCESS"]);
  });
  it("a query always names states", () => {
    expect(statesFor("delete", [])).toContain("SUCCESS");
    expect(statesFor("delete", [])).not.toContain("RUNNING");
    expect(statesFor("kill", ["RUNNING", "FAILED"])).toEqual(["RUNNING"]);
    expect(statesFor("kill", ["FAILED"])).toEqual([]);
  });
  it("rows are chosen one by one, or from one to another", () => {
    const keys = ["a", "b", "c", "d"];
    expect([...choose(keys, new Set(), "b", null)]).toEqual(["b"]);
    expect([...choose(keys, new Set(["b"]), "b", "b")]).toEqual([]);
    expect([...choose(keys, new Set(["b"]), "d", "b")]).toEqual(["b", "c", "d"]);
    expect([...choose(keys, new Set(keys), "a", "c")]).toEqual(["d"]);
    expect([...choose(keys, new Set(), "c", "gone")]).toEqual(["c"]);
  });
});
