// Goal: the stream greets, resumes by id and by line, and tells only who wants to hear. Method: a
// fetch that is played by hand.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { live, topicsOf, type LiveEvent } from "./live.svelte";

interface Opened {
  url: string;
  lastId: string | undefined;
  send: (text: string) => void;
  end: () => void;
}
let opened: Opened[] = [];
const settle = () => vi.advanceTimersByTimeAsync(1);
const at = (index: number): Opened => {
  const one = opened[index];
  if (!one) throw new Error(`no connection ${index}`);
  return one;
};

beforeEach(() => {
  vi.useFakeTimers();
  opened = [];
  vi.stubGlobal("fetch", (url: string, init: RequestInit) => {
    const encoder = new TextEncoder();
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const headers = init.headers as Record<string, string>;
        opened.push({
          url: decodeURIComponent(url), lastId: headers["Last-Event-ID"],
          send: (text) => controller.enqueue(encoder.encode(text)),
          end: () => controller.close(),
        });
        init.signal?.addEventListener("abort", () => {
          try { controller.error(new DOMException("", "AbortError")); } catch { /* Closed already. */ }
        });
      },
    });
    return Promise.resolve(new Response(body, { status: 200 }));
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("topicsOf", () => {
  it("knows whom an event is for", () => {
    expect(topicsOf("execution", { id: "x" })).toEqual(["executions", "execution:x"]);
    expect(topicsOf("run", { executionId: "x" })).toEqual(["execution:x"]);
    expect(topicsOf("log", { executionId: "x" })).toEqual(["logs:x"]);
    expect(topicsOf("end", { topic: "logs:x" })).toEqual(["logs:x"]);
    expect(topicsOf("other", {})).toEqual([]);
  });
});

describe("live", () => {
  it("follows several topics on one connection, and goes on where it was", async () => {
    const heard: [string, LiveEvent["kind"]][] = [];
    let lines = 0;
    const leaveList = live.follow({ topic: "executions", on: ({ kind }) => heard.push(["list", kind]) });
    const leaveLogs = live.follow({ topic: "logs:x", nextLine: () => lines, on: ({ kind }) => { lines++; heard.push(["logs", kind]); } });
    await settle();
    expect(opened.length).toBe(1);
    expect(at(0).url).toContain("topics=executions,logs:x:0");
    expect(at(0).lastId).toBeUndefined();
    at(0).send("id: 7-1\nevent: hello\ndata: {}\n\n");
    await settle();
    expect(live.status).toBe("live");
    expect(heard).toEqual([["list", "hello"], ["logs", "hello"]]);
    at(0).send('id: 7-2\nevent: log\ndata: {"executionId":"x","line":0}\n\nid: 7-3\nevent: run\ndata: {"executionId":"y"}\n\n');
    at(0).send('id: 7-4\nevent: execution\ndata: {"id":"y"}\n\n');
    await settle();
    expect(heard.slice(2)).toEqual([["logs", "log"], ["list", "execution"]]);

    at(0).end(); // Lost: again, from the last id and line, without another greeting.
    await settle();
    expect(live.status).toBe("waiting");
    await vi.advanceTimersByTimeAsync(400);
    expect(at(1).lastId).toBe("7-4");
    expect(at(1).url).toContain(`logs:x:${lines}`);
    at(1).send("id: 7-4\nevent: hello\ndata: {}\n\nid: 7-4\nevent: gap\ndata: {}\n\n");
    await settle();
    expect(heard.slice(4)).toEqual([["list", "gap"], ["logs", "gap"]]);

    at(1).send('id: 7-5\nevent: end\ndata: {"topic":"logs:x"}\n\n'); // Over: not asked for again.
    await settle();
    expect(heard.at(-1)).toEqual(["logs", "end"]);
    leaveLogs();
    await settle();
    expect(opened.length).toBe(2);
    leaveList();
    await settle();
    expect(live.status).toBe("idle");
  });

  it("keeps the connection when the same is followed anew", async () => {
    const heard: string[] = [];
    const leave = live.follow({ topic: "executions", on: ({ kind }) => heard.push(`old ${kind}`) });
    await settle();
    at(0).send("id: 1-1\nevent: hello\ndata: {}\n\n");
    await settle();
    leave();
    const leaveNew = live.follow({ topic: "executions", on: ({ kind }) => heard.push(`new ${kind}`) });
    await settle();
    expect(opened.length).toBe(1);
    expect(heard).toEqual(["old hello", "new hello"]);
    at(0).send('id: 1-2\nevent: execution\ndata: {"id":"y"}\n\n');
    await settle();
    expect(heard.slice(2)).toEqual(["new execution"]);
    const leaveMore = live.follow({ topic: "execution:x", on: () => undefined });
    await settle();
    expect(at(1).url).toContain("topics=executions,execution:x");
    expect(at(1).lastId).toBe("1-2");
    leaveNew();
    leaveMore();
    await settle();
    expect(live.status).toBe("idle");
  });

  it("takes silence for a loss", async () => {
    const leave = live.follow({ topic: "executions", on: () => undefined });
    await settle();
    at(0).send("id: 1-1\nevent: hello\ndata: {}\n\n");
    await settle();
    await vi.advanceTimersByTimeAsync(46000);
    expect(opened.length).toBe(2);
    leave();
    await settle();
  });
});
