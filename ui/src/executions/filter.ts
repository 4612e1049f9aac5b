// Which executions a list shows: in the address, as the server is asked, and as one line that a
// person writes ("state:failed started:24h label:team=data text"). Pure.
import type { Execution, StateName } from "../api/generated";
import { allStates } from "../logic/states";

export interface Filter {
  namespace: string;
  flowId: string;
  q: string;
  state: StateName[];
  labels: string[]; // "key:value"
  range: string; // "24h"; "" = any time, or from startDate to endDate.
  startDate: string; // Instants, or "".
  endDate: string;
}
export type Changes = Record<string, string | string[] | undefined>;

export const ranges = ["15m", "1h", "24h", "7d", "30d"];
const isState = (name: string): name is StateName => allStates.some((state) => state === name);
const isInstant = (text: string) => !Number.isNaN(Date.parse(text));

/** "90m" → "PT90M"; "": it is no length of time. */
export function isoRange(range: string): string {
  const found = /^([1-9]\d{0,5})([mhd])$/.exec(range);
  if (!found) return "";
  return found[2] === "d" ? `P${found[1]}D` : `PT${found[1]}${found[2]?.toUpperCase()}`;
}

/** What the address says; what it cannot mean is left out. */
export function filterOf(query: URLSearchParams): Filter {
  const get = (name: string) => query.get(name) ?? "";
  const time = (name: string) => (isInstant(get(name)) ? get(name) : "");
  return {
    namespace: get("namespace"),
    flowId: get("flowId"),
    q: get("q"),
    state: query.getAll("state").filter(isState),
    labels: query.getAll("labels").filter((label) => /^[^:]+:./.test(label)),
    range: isoRange(get("range")) ? get("range") : "",
    startDate: time("startDate"),
    endDate: time("endDate"),
  };
}

export const isEmpty = (filter: Filter): boolean => Object.values(filter).every((part: string | string[]) => part.length === 0);

/** The filter as the server's list takes it. */
export function askOf({ range, startDate, endDate, ...plain }: Filter) {
  return range ? { ...plain, timeRange: isoRange(range) } : { ...plain, startDate, endDate };
}

/** The filter as the address has it. */
export const paramsOf = (filter: Filter): Changes => ({ ...filter });

const wordsOf = (text: string) => text.toLowerCase().split(/[^a-z0-9\u0080-\uffff]+/).filter(Boolean);

function isWithin(row: Execution, { startDate, endDate }: Filter): boolean {
  const began = Date.parse(row.state.startDate ?? "");
  return !(startDate && began < Date.parse(startDate)) && !(endDate && began > Date.parse(endDate));
}

/** Whether the server would give this row, which has just changed, for the filter. */
export function matches(row: Execution, filter: Filter): boolean {
  const { namespace, flowId, q, state, labels } = filter;
  const isBelow = !flowId && row.namespace.startsWith(`${namespace}.`);
  if (namespace && row.namespace !== namespace && !isBelow) return false;
  if (flowId && row.flowId !== flowId) return false;
  if (state.length && !state.includes(row.state.current)) return false;
  const has = new Set(row.labels?.map(({ key, value }) => `${key}:${value}`));
  if (!labels.every((label) => has.has(label)) || !isWithin(row, filter)) return false;
  // Each word is the beginning of one there.
  const there = wordsOf(`${row.id} ${row.namespace} ${row.flowId}`);
  return wordsOf(q).every((word) => there.some((part) => part.startsWith(word)));
}

// --- The line --------------------------------------------------------------------------------

const keys = ["namespace", "flow", "state", "started", "label"] as const;
type Key = (typeof keys)[number];
interface Token {
  key: Key;
  value: string;
}

function tokenOf(word: string): Token | null {
  const found = /^(\w+):(.*)$/.exec(word);
  const key = keys.find((name) => name === found?.[1]?.toLowerCase());
  return key ? { key, value: found?.[2] ?? "" } : null;
}

function apply(filter: Filter, { key, value }: Token): Filter | null {
  if (key === "namespace") return { ...filter, namespace: value };
  if (key === "flow") return { ...filter, flowId: value };
  if (key === "started") return isoRange(value) ? { ...filter, range: value, startDate: "", endDate: "" } : null;
  if (key === "state") {
    const states = value.toUpperCase().split(",");
    return states.every(isState) ? { ...filter, state: [...new Set([...filter.state, ...states])] } : null;
  }
  const label = /^([^:=]+)[:=](.+)$/.exec(value);
  return label ? { ...filter, labels: [...new Set([...filter.labels, `${label[1]}:${label[2]}`])] } : null;
}

/** Takes what is said of fields out of a line; the last word only with `isWhole`: it may go on. */
export function readLine(line: string, filter: Filter, isWhole: boolean): { filter: Filter; rest: string } {
  const rest: string[] = [];
  const words = line.split(/\s/);
  let next = filter;
  for (const [at, word] of words.entries()) {
    const token = at < words.length - 1 || isWhole ? tokenOf(word) : null;
    const changed = token?.value ? apply(next, token) : null;
    if (changed) next = changed;
    else if (word || at === words.length - 1) rest.push(word);
  }
  return { filter: next, rest: rest.join(" ") };
}

/** What of a line is looked for as text: all but a field that is being written. */
export const textOf = (line: string): string =>
  line.split(/\s/).filter((word) => word && !tokenOf(word)).join(" ");

export interface Known {
  namespaces: readonly string[];
  flows: readonly string[];
  labels: readonly string[];
}

/** How the last word of a line may go on: fields, or the values of one. */
export function completions(line: string, known: Known): string[] {
  const last = line.split(/\s/).at(-1) ?? "";
  const token = tokenOf(last);
  if (!token) return last ? keys.filter((key) => key.startsWith(last.toLowerCase())).map((key) => `${key}:`) : [];
  const values: Record<Key, readonly string[]> = {
    namespace: known.namespaces,
    flow: known.flows,
    state: allStates.map((state) => state.toLowerCase()),
    started: ranges,
    label: known.labels.map((label) => label.replace(":", "=")),
  };
  const value = token.value.toLowerCase();
  const found = values[token.key].filter((one) => one !== token.value && one.toLowerCase().includes(value));
  return [...new Set(found)].slice(0, 20).map((one) => `${token.key}:${one}`);
}
