// One request to the server. What fails becomes an ApiError with words for people.
import { apiUrl } from "../router/base";
import { noteServerTime } from "../logic/clock.svelte";
import { text } from "../text";

export interface CallOptions {
  signal?: AbortSignal;
}

export interface Call {
  method: string;
  path: string;
  reading: "json" | "text" | "nothing";
  query?: Record<string, unknown>;
  body?: unknown;
  media?: string;
}

/** What is wrong with a part of what was sent, e.g. one input. */
export interface FieldError {
  path: string;
  message: string;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly fields: FieldError[] = [],
  ) {
    super(message);
  }
}

/** Values of a list are repeated; what is undefined or empty is left out. */
export function queryOf(query: Record<string, unknown> = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined && one !== null && one !== "") params.append(name, String(one));
  const line = params.toString();
  return line ? `?${line}` : "";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fieldsOf(body: Record<string, unknown>): FieldError[] {
  const errors = isRecord(body["_embedded"]) ? body["_embedded"]["errors"] : undefined;
  if (!Array.isArray(errors)) return [];
  return errors.filter(isRecord).map((error) => ({
    path: typeof error["path"] === "string" ? error["path"] : "",
    message: String(error["message"] ?? ""),
  }));
}

export async function errorOf(response: Response): Promise<ApiError> {
  const plain = await response.text().catch(() => "");
  try {
    const body: unknown = JSON.parse(plain);
    if (isRecord(body) && typeof body["message"] === "string")
      return new ApiError(response.status, body["message"], fieldsOf(body));
  } catch {
    // Not one of ours: a proxy's answer.
  }
  return new ApiError(response.status, text.errors.status(response.status));
}

export async function call<T>(what: Call, options: CallOptions): Promise<T> {
  const body = what.media === "application/json" ? JSON.stringify(what.body) : what.body;
  let response: Response;
  try {
    response = await fetch(apiUrl(what.path + queryOf(what.query)), {
      method: what.method,
      headers: what.media ? { "Content-Type": what.media } : {},
      body: body as BodyInit | undefined,
      signal: options.signal,
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, text.errors.unreachable);
  }
  noteServerTime(response.headers.get("Date"));
  if (!response.ok) throw await errorOf(response);
  if (what.reading === "nothing") return undefined as T;
  return (what.reading === "json" ? await response.json() : await response.text()) as T;
}

export function isAborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
