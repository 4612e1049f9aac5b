// Goal: addresses mean pages and back. Method: a row per address.
import { describe, expect, it } from "vitest";
import { changeQuery, links, match } from "./routes";

describe("match", () => {
  const rows: [string, string, Record<string, string>][] = [
    ["", "home", {}],
    ["flows", "flows", {}],
    ["flows/", "flows", {}],
    ["flows/a.b/c-d", "flow", { namespace: "a.b", id: "c-d" }],
    ["flows/a%20b/c%2Fd", "flow", { namespace: "a b", id: "c/d" }],
    ["flows/%zz/x", "flow", { namespace: "%zz", id: "x" }],
    ["executions/abc", "execution", { id: "abc" }],
    ["executions/n/f/abc", "execution", { namespace: "n", flowId: "f", id: "abc" }],
    ["executions/n/f", "missing", {}],
    ["nope", "missing", {}],
  ];
  it.each(rows)("%s is %s", (path, page, params) => {
    expect(match(path)).toEqual({ page, params });
  });
  it("understands its own links", () => {
    expect(match(links.flow("a/b", "c d"))).toEqual({ page: "flow", params: { namespace: "a/b", id: "c d" } });
    expect(match(links.execution("n", "f", "i")).params["id"]).toBe("i");
  });
});

describe("changeQuery", () => {
  it("sets, repeats and removes", () => {
    const query = new URLSearchParams("q=x&page=3");
    expect(changeQuery(query, { page: undefined })).toBe("?q=x");
    expect(changeQuery(query, { q: "", page: undefined })).toBe("");
    expect(changeQuery(query, { state: ["A", "B"] })).toBe("?q=x&page=3&state=A&state=B");
    expect(changeQuery(new URLSearchParams(), { sort: "id:asc" })).toBe("?sort=id:asc");
  });
});
