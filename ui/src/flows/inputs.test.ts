// Goal: what a person writes becomes what the server reads, for every type of input.
import { describe, expect, it, vi } from "vitest";
import type { Input } from "../api/generated";
import { earlierValue, fieldOf, initialValue, labelsOf, sentValue, shortProblem, toDuration, type Value } from "./inputs";

class SomeFile extends Blob {} // Node.js 18 has no File.
vi.stubGlobal("File", SomeFile);

const field = (type: string, more: Record<string, unknown> = {}) => fieldOf({ id: "x", type, required: true, ...more } as Input);

describe("fieldOf", () => {
  it.each<[string, Record<string, unknown>, string]>([
    ["STRING", {}, "line"], ["SECRET", {}, "secret"], ["INT", {}, "number"], ["FLOAT", {}, "number"], ["BOOLEAN", {}, "boolean"],
    ["SELECT", { values: ["a"] }, "select"], ["SELECT", { values: ["a"], isRadio: true }, "radio"], ["SELECT", { expression: "{{ x }}" }, "line"],
    ["ENUM", { values: ["a"] }, "select"], ["MULTISELECT", { values: ["a"] }, "checks"], ["MULTISELECT", { options: ["a"] }, "checks"],
    ["MULTISELECT", { expression: "{{ x }}" }, "list"], ["DATETIME", {}, "datetime"], ["DATE", {}, "date"], ["TIME", {}, "time"],
    ["DURATION", {}, "duration"], ["FILE", {}, "file"], ["JSON", {}, "code"], ["YAML", {}, "code"], ["ARRAY", { itemType: "INT" }, "list"],
    ["URI", {}, "line"], ["EMAIL", {}, "line"], ["SOMETHING", {}, "line"],
  ])("%s %j", (type, more, control) => expect(field(type, more).control).toBe(control));
  it("tells the limits", () => {
    expect(field("INT", { min: 1, max: 9 }).limits).toBe("at least 1, at most 9");
    expect(field("STRING", { dependsOn: { inputs: ["a", "b"] } }).dependsOn).toEqual(["a", "b"]);
  });
});

describe("sentValue", () => {
  it.each<[string, Record<string, unknown>, Value, string | null]>([
    ["STRING", {}, "", null], ["STRING", {}, " a ", " a "], ["BOOLEAN", {}, "", null], ["BOOLEAN", {}, "false", "false"],
    ["MULTISELECT", { values: ["a"] }, ["a", "b"], '["a","b"]'], ["MULTISELECT", { values: ["a"] }, [], null],
    ["ARRAY", { itemType: "INT" }, "1\n2\n", "[1, 2]"], ["ARRAY", {}, "a\n b ", '["a", "b"]'], ["ARRAY", {}, '["x"]', '["x"]'],
    ["DURATION", {}, "1h 30m", "PT1H30M"], ["DURATION", {}, "rubbish", "rubbish"], ["TIME", {}, "18:27", "18:27:00"], ["TIME", {}, "18:27:09", "18:27:09"],
    ["FILE", {}, null, null], ["FILE", {}, "kestra:///a", "kestra:///a"],
  ])("%s %j %j", (type, more, value, want) => expect(sentValue(field(type, more), value)).toBe(want));
  it("sends instants", () => {
    expect(sentValue(field("DATETIME"), "2026-03-01T10:00")).toBe(new Date("2026-03-01T10:00").toISOString());
    expect(sentValue(field("DATETIME"), "soon")).toBe("soon");
    const file = new SomeFile(["x"]) as File;
    expect(sentValue(field("FILE"), file)).toBe(file);
  });
});

describe("initialValue", () => {
  it("is what was before, else the default", () => {
    expect(initialValue(field("INT", { defaults: 3 }), undefined)).toBe("3");
    expect(initialValue(field("INT", { defaults: 3 }), 5)).toBe("5");
    expect(initialValue(field("SECRET", { defaults: "s" }), "t")).toBe("");
    expect(initialValue(field("ARRAY", { defaults: [1, "a"] }), undefined)).toBe("1\na");
    expect(initialValue(field("JSON", { defaults: { a: 1 } }), undefined)).toBe('{\n  "a": 1\n}');
    expect(initialValue(field("MULTISELECT", { values: ["a"] }), undefined)).toEqual([]);
    const shown = initialValue(field("DATETIME", { defaults: "2026-03-01T10:00:05Z" }), undefined);
    expect(sentValue(field("DATETIME"), shown)).toBe("2026-03-01T10:00:05.000Z");
  });
  it("is found in nested inputs", () => {
    expect(earlierValue({ a: { b: 1 } }, "a.b")).toBe(1);
    expect(earlierValue(undefined, "a.b")).toBeUndefined();
  });
});

describe("words", () => {
  it.each([["1h 30m", "PT1H30M"], ["90s", "PT90S"], ["2 d", "P2D"], ["1d2h", "P1DT2H"], ["1h30m5s", "PT1H30M5S"], ["pt5m", "PT5M"], ["0.5s", "PT0.5S"], ["10 min", "PT10M"], ["", null], ["x", null], ["P", null]])(
    "duration %s", (written, want) => expect(toDuration(written)).toBe(want));
  it("say what is wrong without repeating the input", () => {
    expect(shortProblem("Invalid input for `n`, it must be more than `1`, but received `0`")).toBe("It must be more than `1`");
  });
  it("read labels", () => {
    expect(labelsOf("team:data  note:two words\na:b")).toEqual(["team:data", "note:two words", "a:b"]);
    expect(labelsOf("  ")).toEqual([]);
  });
});
