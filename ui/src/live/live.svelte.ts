// The tab's one stream of deltas: connects when something is followed, resumes where it was.
import type { Execution, LogEntry, TaskRun } from "../api/generated";
import { errorOf } from "../api/call";
import { apiUrl } from "../router/base";
import { SseParser, type SentEvent } from "./sse";

export type LogLine = LogEntry & { line: number };

/** What a follower hears. Deltas are whole rows: one that comes twice does no harm. */
export type LiveEvent =
  | { kind: "hello" } // Connected: take the snapshot now.
  | { kind: "gap" } // Something was missed: fetch again.
  | { kind: "end" } // What is followed is over.
  | { kind: "execution"; row: Execution }
  | { kind: "gone"; id: string } // The execution was deleted.
  | { kind: "run"; row: TaskRun }
  | { kind: "log"; row: LogLine };

export interface Follower {
  /** "executions", "execution:ID" or "logs:ID". */
  topic: string;
  /** Of logs: the next line that is wanted when the stream connects again. */
  nextLine?: () => number;
  on: (event: LiveEvent) => void;
}

const SILENCE_MS = 45000; // The server says something every 15 s.
const PAUSES_MS = [300, 1000, 2000, 5000, 10000];

/** The topics that an event is about. */
export function topicsOf(name: string, data: Record<string, unknown>): string[] {
  if (name === "execution") return ["executions", `execution:${String(data["id"])}`];
  if (name === "run") return [`execution:${String(data["executionId"])}`];
  if (name === "log") return [`logs:${String(data["executionId"])}`];
  if (name === "end") return [String(data["topic"])];
  return [];
}

class Live {
  status: "idle" | "connecting" | "live" | "waiting" = $state("idle");
  retryAt = $state(0);
  #followers = new Set<Follower>();
  #greeted = new WeakSet<Follower>();
  #lastId = "";
  #failures = 0;
  #connection: AbortController | null = null;
  #connected = new Set<string>(); // Topics of the connection that are not over.
  #isPlanned = false;

  /** Follows a topic until the result is called. */
  follow(follower: Follower): () => void {
    this.#followers.add(follower);
    this.#plan();
    return () => {
      if (this.#followers.delete(follower)) this.#plan();
    };
  }

  /** Several changes of what is followed make one new connection. */
  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    queueMicrotask(() => {
      this.#isPlanned = false;
      if (this.#fits()) {
        if (this.status === "live") this.#greet();
        return;
      }
      this.#failures = 0;
      this.#connect();
    });
  }

  /** The connection already has what is wanted, no more and no less. */
  #fits(): boolean {
    const wanted = new Set([...this.#followers].map(({ topic }) => topic));
    const needsLines = [...this.#followers].some((one) => one.nextLine && !this.#greeted.has(one));
    if (!this.#connection || !wanted.size || needsLines || wanted.size !== this.#connected.size) return false;
    return [...wanted].every((topic) => this.#connected.has(topic));
  }

  #connect(): void {
    this.#connection?.abort();
    this.#connection = null;
    if (this.#followers.size === 0) {
      this.status = "idle";
      this.#lastId = "";
      return;
    }
    const connection = new AbortController();
    this.#connection = connection;
    this.#connected = new Set([...this.#followers].map(({ topic }) => topic));
    if (this.status !== "live") this.status = "connecting";
    void this.#read(connection).catch(() => undefined).then(() => this.#lost(connection));
  }

  /** The stream ended or broke: again, later each time. */
  #lost(connection: AbortController): void {
    if (connection !== this.#connection) return;
    const pause = PAUSES_MS[Math.min(this.#failures++, PAUSES_MS.length - 1)] ?? 1000;
    connection.abort();
    this.status = "waiting";
    this.retryAt = Date.now() + pause;
    setTimeout(() => {
      if (connection === this.#connection) this.#connect();
    }, pause);
  }

  #topics(): string {
    const topics = [...this.#followers].map(({ topic, nextLine }) =>
      nextLine ? `${topic}:${nextLine()}` : topic,
    );
    return [...new Set(topics)].map(encodeURIComponent).join(",");
  }

  async #read(connection: AbortController): Promise<void> {
    const response = await fetch(apiUrl(`events?topics=${this.#topics()}`), {
      headers: this.#lastId ? { "Last-Event-ID": this.#lastId } : {},
      signal: connection.signal,
      cache: "no-store",
    });
    if (!response.ok || !response.body) throw await errorOf(response);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new SseParser();
    for (;;) {
      const silence = setTimeout(() => connection.abort(), SILENCE_MS);
      const { value, done } = await reader.read().finally(() => clearTimeout(silence));
      if (done || connection.signal.aborted) return;
      for (const event of parser.push(value)) this.#tell(event);
    }
  }

  #tell(event: SentEvent): void {
    this.#lastId = event.id || this.#lastId;
    if (event.name === "hello") return this.#greet();
    if (event.name === "gap") return this.#followers.forEach(({ on }) => on({ kind: "gap" }));
    const data = JSON.parse(event.data) as Record<string, unknown>;
    const topics = topicsOf(event.name, data);
    if (event.name === "end") topics.forEach((topic) => this.#connected.delete(topic));
    for (const follower of [...this.#followers]) {
      if (!topics.includes(follower.topic)) continue;
      if (event.name === "end") {
        this.#followers.delete(follower); // The connection stays: nothing more comes for it.
        follower.on({ kind: "end" });
      } else if (event.name === "execution" && data["deleted"] === true) {
        follower.on({ kind: "gone", id: String(data["id"]) });
      } else {
        follower.on({ kind: event.name, row: data } as unknown as LiveEvent);
      }
    }
    if (this.#followers.size === 0) this.#plan();
  }

  #greet(): void {
    this.status = "live";
    this.#failures = 0;
    for (const follower of [...this.#followers]) {
      if (this.#greeted.has(follower)) continue;
      this.#greeted.add(follower);
      follower.on({ kind: "hello" });
    }
  }
}

export const live = new Live();
