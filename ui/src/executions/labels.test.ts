// Goal: only what has changed is sent; what cannot be a label is told. Method: rows made by hand.
import { describe, expect, it } from "vitest";
import { changedLabels } from "./labels";

describe("labels", () => {
  it("that have changed or are new", () => {
    const rows = [{ key: "a", value: "1", had: "1" }, { key: "b", value: " 2 ", had: "1" }, { key: " c", value: "3" }, { key: "", value: " " }];
    expect(changedLabels(rows)).toEqual({ labels: [{ key: "b", value: "2" }, { key: "c", value: "3" }], problem: "" });
  });
  it("need a key and a value, each key once", () => {
    expect(changedLabels([{ key: "a", value: "" }]).problem).toBe("The label a has no value.");
    expect(changedLabels([{ key: "", value: "1" }]).problem).toBe("The value 1 has no key.");
    expect(changedLabels([{ key: "a", value: "1", had: "1" }, { key: "a ", value: "2" }]).problem).toBe("The key a is there twice.");
  });
});
