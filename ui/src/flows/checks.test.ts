// Goal: what is wrong stands at its field, when a person has been there; inputs that are not asked
// for are hidden; late answers change nothing. Method: a server that is played by hand.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Input } from "../api/generated";
import { ApiError } from "../api/call";
import { Checks } from "./checks.svelte";
import { fieldOf } from "./inputs";

const fields = [{ id: "a", type: "INT", required: true }, { id: "b", type: "STRING", required: true }, { id: "c", type: "STRING", required: true, dependsOn: { inputs: ["b"] } }].map((input) => fieldOf(input as Input));
type Answer = Record<string, string | null>; // By input: what is wrong, "": nothing, null: not asked.
let answers: ((answer: Answer) => void)[] = [];
let asked = 0;

beforeEach(() => {
  vi.useFakeTimers();
  [answers, asked] = [[], 0];
  vi.stubGlobal("document", { baseURI: "http://host/ui/" });
  vi.stubGlobal("fetch", () => {
    asked++;
    return new Promise((resolve) => answers.push((answer) => {
      const inputs = Object.entries(answer).map(([id, error]) => ({
        input: { id }, enabled: error !== null, errors: error ? [{ path: id, message: `Invalid input for \`${id}\`, ${error}` }] : [],
      }));
      resolve(new Response(JSON.stringify({ inputs }), { status: 200 }));
    }));
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});
const pause = () => vi.advanceTimersByTimeAsync(400);
const reply = async (at: number, answer: Answer) => {
  answers[at]?.(answer);
  await vi.advanceTimersByTimeAsync(1);
};
const made = () => new Checks({ namespace: "n", id: "f" }, fields, () => new FormData());
const bad: Answer = { a: "it must be less than `10`", b: "missing required input, but received `null`", c: null };

describe("checks of a form", () => {
  it("hide what is not asked for, from the beginning", async () => {
    const checks = made();
    checks.start();
    expect([...checks.hidden]).toEqual(["c"]);
    await reply(0, { a: "", b: "", c: "missing required input, but received `null`" });
    expect([...checks.hidden]).toEqual([]);
    expect(checks.problems).toEqual({}); // Nobody has been there.
  });
  it("speak of a field when it was left, and of all before a start", async () => {
    const checks = made();
    checks.leave("a");
    checks.change("a");
    await pause();
    expect(asked).toBe(1);
    await reply(0, bad);
    expect(checks.problems).toEqual({ a: "It must be less than `10`" });
    checks.change("a");
    expect(checks.problems).toEqual({});
    const all = checks.all();
    await reply(1, bad);
    expect(await all).toBe(false);
    expect(checks.problems).toEqual({ a: "It must be less than `10`", b: "This is required" });
    const again = checks.all();
    await reply(2, { a: "", b: "", c: null });
    expect(await again).toBe(true);
    expect(asked).toBe(3); // The change's own question was not needed any more.
  });
  it("take no answer to an older form, and none when it is closed", async () => {
    const checks = made();
    const close = checks.start();
    checks.leave("b");
    await pause();
    await reply(1, { a: "", b: "", c: "" });
    await reply(0, bad);
    expect(checks.problems).toEqual({});
    checks.change("b");
    close();
    await pause();
    expect(asked).toBe(2);
  });
  it("take what a start is refused for", () => {
    const checks = made();
    expect(checks.refuse(new ApiError(422, "no", [{ path: "a", message: "Invalid input for `a`, no" }]))).toBe(true);
    expect(checks.problems).toEqual({ a: "No" });
    expect(made().refuse(new ApiError(409, "disabled"))).toBe(false);
  });
});
