// Goal: what people read is right at its borders. Method: a row per border.
import { describe, expect, it } from "vitest";
import { bytes, duration, offset, relative } from "./format";
import { windowOf } from "./virtual";
import { highlightYaml, lineOfTask } from "./yaml";

describe("duration", () => {
  it.each([
    [0, "0 ms"], [999, "999 ms"], [999.6, "1.00 s"], [1240, "1.24 s"], [9994, "9.99 s"], [9996, "10.0 s"], [59940, "59.9 s"],
    [59960, "1 m 00 s"], [125000, "2 m 05 s"], [3599400, "59 m 59 s"], [3599600, "1 h 00 m"], [3720000, "1 h 02 m"], [277200000, "3 d 05 h"], [-5, "0 ms"],
  ])("%d ms", (ms, want) => expect(duration(ms)).toBe(want));
});

describe("times", () => {
  it("are told relative to now", () => {
    const now = 1e12;
    expect(relative(now - 2000, now)).toBe("just now");
    expect(relative(now - 42000, now)).toBe("42 s ago");
    expect(relative(now - 180000, now)).toBe("3 min ago");
    expect(relative(now + 7200000, now)).toBe("in 2 h");
    expect(relative(now - 86400000 * 40, now)).toBe("1 month ago");
  });
  it("are told since a start", () => {
    expect(offset(1234, 0)).toBe("+1.234");
    expect(offset(62003, 0)).toBe("+1:02.003");
    expect(offset(0, 5)).toBe("+0.000");
  });
  it("have sizes beside them", () => {
    expect([bytes(999), bytes(1500), bytes(2.5e6)]).toEqual(["999 B", "1.5 kB", "2.5 MB"]);
  });
});

describe("windowOf", () => {
  it("covers what is seen and adds up", () => {
    for (const [count, top, height] of [[0, 0, 400], [3, 0, 400], [10000, 0, 400], [10000, 123456, 400], [10000, 1e9, 400]] as const) {
      const { from, to, before, after } = windowOf(count, 20, top, height);
      expect(before).toBe(from * 20);
      if (top <= count * 20) {
        expect(before + Math.max(0, to - from) * 20 + after).toBe(count * 20);
        expect(from * 20 <= top && (to * 20 >= Math.min(top + height, count * 20))).toBe(true);
      }
      expect(to - from).toBeLessThan(60);
    }
  });
});

describe("highlightYaml", () => {
  const kinds = (source: string) => highlightYaml(source).map((line) => line.filter(({ kind }) => kind && kind !== "mark").map(({ text, kind }) => `${kind}:${text.trim()}`));
  it("loses nothing", () => {
    const source = 'id: x # note\n- {a: "b # c", n: -1.5e3, t: true}\nrun: |\n  echo {{ a }} # no comment\n\nlist: [a, "b, c", 3]\n\tодин: два\n---\n"q\\"": \'w\'';
    expect(highlightYaml(source).map((line) => line.map(({ text }) => text).join("")).join("\n")).toBe(source);
  });
  it("names what it sees", () => {
    expect(kinds("id: x # note")).toEqual([["key:id", "string:x", "comment:# note"]]);
    expect(kinds("  - n: 12")).toEqual([["key:n", "number:12"]]);
    expect(kinds("m: \"a {{ b }} c\"")).toEqual([["key:m", "string:\"a", "expression:{{ b }}", "string:c\""]]);
    expect(kinds("run: |\n  # text\nnext: null")).toEqual([["key:run"], ["string:# text"], ["key:next", "word:null"]]);
    expect(kinds("- {id: a, n: 3}")).toEqual([["key:id", "string:a", "key:n", "number:3"]]);
  });
});

describe("lineOfTask", () => {
  const source = "id: a\ntasks:\n  - id: a\n  - {id: b, type: log}\n  - id: c\n    tasks: [{id: d, type: log}, {id: \"e\"}]\n  - type: log\n    id: f # last";
  it.each([["a", 2], ["b", 3], ["c", 4], ["d", 5], ["e", 5], ["f", 7], ["g", -1], ["a.*", -1]])("%s", (id, line) => {
    expect(lineOfTask(source, id)).toBe(line);
  });
});
