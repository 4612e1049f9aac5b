// Which page an address means. Pure.
export type PageName = "home" | "flows" | "flow" | "executions" | "execution" | "missing";

export interface Match {
  page: PageName;
  params: Record<string, string>;
}

const table: [string, PageName][] = [
  ["", "home"],
  ["flows", "flows"],
  ["flows/:namespace/:id", "flow"],
  ["executions", "executions"],
  ["executions/:id", "execution"],
  ["executions/:namespace/:flowId/:id", "execution"],
];

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function paramsOf(pattern: string[], parts: string[]): Record<string, string> | null {
  const params: Record<string, string> = {};
  if (pattern.length !== parts.length) return null;
  for (const [at, want] of pattern.entries()) {
    const part = parts[at] ?? "";
    if (want.startsWith(":")) params[want.slice(1)] = decode(part);
    else if (want !== part) return null;
  }
  return params;
}

/** `path` is what follows the base, e.g. "flows/demo/hello". */
export function match(path: string): Match {
  const parts = path.split("/").filter((part) => part !== "");
  for (const [pattern, page] of table) {
    const params = paramsOf(pattern.split("/").filter(Boolean), parts);
    if (params) return { page, params };
  }
  return { page: "missing", params: {} };
}

export const links = {
  flows: (query = "") => `flows${query}`,
  flow: (namespace: string, id: string, query = "") =>
    `flows/${encodeURIComponent(namespace)}/${encodeURIComponent(id)}${query}`,
  executions: (query = "") => `executions${query}`,
  execution: (namespace: string, flowId: string, id: string, query = "") =>
    `executions/${encodeURIComponent(namespace)}/${encodeURIComponent(flowId)}/${id}${query}`,
};

/** The query with some of its values changed: undefined and "" take one out. */
export function changeQuery(query: URLSearchParams, changes: Record<string, string | string[] | undefined>): string {
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    next.delete(name);
    for (const one of [value ?? []].flat()) if (one !== "") next.append(name, one);
  }
  const line = next.toString().replaceAll("%3A", ":").replaceAll("%2C", ",");
  return line ? `?${line}` : "";
}
