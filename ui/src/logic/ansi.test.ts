// Goal: colours are kept, other escapes are taken out, nothing of the text is lost.
import { describe, expect, it } from "vitest";
import { sliceSpans, spansOf, withoutAnsi } from "./ansi";

describe("spansOf", () => {
  const rows: [string, [string, string][]][] = [
    ["plain", [["plain", ""]]],
    ["\u001b[31mred\u001b[0m x", [["red", "fg1"], [" x", ""]]],
    ["\u001b[1;92mok\u001b[22m go", [["ok", "fg10 bold"], [" go", "fg10"]]],
    ["\u001b[38;5;196mr\u001b[38;2;0;255;0mg\u001b[39md", [["r", "fg9"], ["g", "fg10"], ["d", ""]]],
    ["\u001b[41mb\u001b[49m", [["b", "bg1"]]],
    ["a\u001b[2Kb\u001b[1Gc", [["a", ""], ["b", ""], ["c", ""]]],
    ["\u001b]8;;http://x\u0007link\u001b]8;;\u0007", [["link", ""]]],
    ["\u001b[mx", [["x", ""]]],
  ];
  it.each(rows)("%j", (text, want) => {
    expect(spansOf(text).map((span) => [span.text, span.style])).toEqual(want);
    expect(withoutAnsi(text)).toBe(want.map(([part]) => part).join(""));
  });
});

describe("sliceSpans", () => {
  it("cuts across spans", () => {
    const spans = spansOf("ab\u001b[31mcdef\u001b[0mgh");
    expect(sliceSpans(spans, 1, 4)).toEqual([{ text: "b", style: "" }, { text: "cd", style: "fg1" }]);
    expect(sliceSpans(spans, 4, 8).map(({ text }) => text).join("")).toBe("efgh");
    expect(sliceSpans(spans, 8, 9)).toEqual([]);
  });
});
