// Goal: events come out whole however the stream is cut. Method: one text, cut everywhere.
import { describe, expect, it } from "vitest";
import { SseParser } from "./sse";

const TEXT = ': hi\n\nid: 1-2\nevent: run\ndata: {"a":1}\n\nid: 1-3\r\nevent: log\r\ndata: x\r\ndata:  y\r\n\r\ndata: z\n\n';
const WANT = [
  { id: "1-2", name: "run", data: '{"a":1}' },
  { id: "1-3", name: "log", data: "x\n y" },
  { id: "1-3", name: "message", data: "z" },
];

describe("SseParser", () => {
  it("reads events, comments and several lines of data", () => {
    expect(new SseParser().push(TEXT)).toEqual(WANT);
  });
  it("does so wherever the stream is cut", () => {
    for (let at = 1; at < TEXT.length; at++) {
      const parser = new SseParser();
      expect([...parser.push(TEXT.slice(0, at)), ...parser.push(TEXT.slice(at))]).toEqual(WANT);
    }
  });
  it("gives nothing of an event that is not over", () => {
    expect(new SseParser().push("event: run\ndata: 1\n")).toEqual([]);
  });
});
