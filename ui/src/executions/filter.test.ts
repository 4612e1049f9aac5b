// Goal: the address, the line and the live rows mean the same filter. Method: a row per case.
import { describe, expect, it } from "vitest";
import type { Execution } from "../api/generated";
import { askOf, completions, filterOf, isEmpty, isoRange, matches, paramsOf, readLine, textOf, type Filter } from "./filter";
import { changeQuery } from "../router/routes";

const none = filterOf(new URLSearchParams());

describe("the address", () => {
  it("is read, and nonsense left out", () => {
    const query = "namespace=a&flowId=f&q=x&state=FAILED&state=NOPE&labels=a:b&labels=:b&labels=a&range=24h&startDate=soon";
    expect(filterOf(new URLSearchParams(query))).toEqual({ namespace: "a", flowId: "f", q: "x", state: ["FAILED"], labels: ["a:b"], range: "24h", startDate: "", endDate: "" });
    expect(isEmpty(none)).toBe(true);
    expect(isEmpty({ ...none, labels: ["a:b"] })).toBe(false);
  });
  it("is what paramsOf writes", () => {
    const filter: Filter = { namespace: "a", flowId: "", q: "x y", state: ["FAILED", "KILLED"], labels: ["a:b,c", "d:e:f"], range: "", startDate: "2026-03-01T10:00:00Z", endDate: "" };
    expect(filterOf(new URLSearchParams(changeQuery(new URLSearchParams(), paramsOf(filter))))).toEqual(filter);
  });
  it("is asked for", () => {
    expect(askOf({ ...none, range: "90m", startDate: "x" })).toMatchObject({ timeRange: "PT90M" });
    expect(askOf({ ...none, range: "90m", startDate: "x" })).not.toHaveProperty("startDate");
    expect(askOf({ ...none, startDate: "x" })).toMatchObject({ startDate: "x", endDate: "" });
    expect(["7d", "1h", "0h", "h", "1w", "-1h"].map(isoRange)).toEqual(["P7D", "PT1H", "", "", "", ""]);
  });
});

describe("the line", () => {
  it.each<[string, boolean, Partial<Filter>, string]>([
    ["state:failed", false, {}, "state:failed"],
    ["state:failed ", false, { state: ["FAILED"] }, ""],
    ["state:failed,KILLED", true, { state: ["FAILED", "KILLED"] }, ""],
    ["state:nope ", false, {}, "state:nope "],
    ["a namespace:shop b", false, { namespace: "shop" }, "a b"],
    ["started:24h flow:x label:team=data label:a:b:c ", false, { range: "24h", flowId: "x", labels: ["team:data", "a:b:c"] }, ""],
    ["label:team ", false, {}, "label:team "],
    ["http://x y", true, {}, "http://x y"],
  ])("%s %s", (line, isWhole, changes, rest) => expect(readLine(line, none, isWhole)).toEqual({ filter: { ...none, ...changes }, rest }));
  it("takes a range for chosen times", () => {
    const chosen = { ...none, startDate: "2026-03-01T10:00:00Z" };
    expect(readLine("started:1h ", chosen, false).filter).toEqual({ ...none, range: "1h" });
  });
  it("looks for all but fields", () => {
    expect(textOf("a state:fai b c:d")).toBe("a b c:d");
  });
  it("completes", () => {
    const known = { namespaces: ["shop", "shop.orders"], flows: ["f"], labels: ["team:data"] };
    expect(completions("", known)).toEqual([]);
    expect(completions("x s", known)).toEqual(["state:", "started:"]);
    expect(completions("state:ill", known)).toEqual(["state:killing", "state:killed"]);
    expect(completions("namespace:shop", known)).toEqual(["namespace:shop.orders"]);
    expect(completions("label:", known)).toEqual(["label:team=data"]);
    expect(completions("started:", known).length).toBe(5);
    expect(completions("nope:", known)).toEqual([]);
  });
});

describe("matches", () => {
  const row = {
    id: "Ab1", namespace: "shop.orders", flowId: "import-all", labels: [{ key: "team", value: "data" }],
    state: { current: "RUNNING", histories: [], startDate: "2026-03-01T10:00:00Z" },
  } as unknown as Execution;
  it.each<[Partial<Filter>, boolean]>([
    [{}, true], [{ namespace: "shop" }, true], [{ namespace: "sho" }, false], [{ namespace: "shop.orders" }, true],
    [{ flowId: "import-all" }, true], [{ flowId: "import" }, false], [{ namespace: "shop", flowId: "import-all" }, false],
    [{ state: ["FAILED"] }, false], [{ state: ["FAILED", "RUNNING"] }, true], [{ q: "imp ORD" }, true], [{ q: "ab" }, true],
    [{ q: "mport" }, false], [{ q: "import-a" }, true], [{ labels: ["team:data"] }, true], [{ labels: ["team:data", "a:b"] }, false],
    [{ startDate: "2026-03-01T10:00:00Z" }, true], [{ startDate: "2026-03-01T10:00:01Z" }, false],
    [{ endDate: "2026-03-01T10:00:00Z" }, true], [{ endDate: "2026-03-01T09:59:59Z" }, false],
  ])("%j", (some, want) => expect(matches(row, { ...none, ...some })).toBe(want));
});
