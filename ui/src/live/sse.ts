// The text of server-sent events, taken apart as it arrives. Pure.
export interface SentEvent {
  id: string;
  name: string;
  data: string;
}

export class SseParser {
  #rest = "";
  #id = "";
  #name = "";
  #data: string[] = [];

  /** The events that this piece of the stream completes. */
  push(piece: string): SentEvent[] {
    const lines = (this.#rest + piece).split(/\r\n|\n|\r(?!$)/);
    const found: SentEvent[] = [];
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const event = this.#line(line);
      if (event) found.push(event);
    }
    return found;
  }

  #line(line: string): SentEvent | null {
    if (line === "") return this.#end();
    const colon = line.indexOf(":");
    if (colon === 0) return null; // A comment: it keeps the connection alive.
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "id") this.#id = value;
    else if (name === "event") this.#name = value;
    else if (name === "data") this.#data.push(value);
    return null;
  }

  #end(): SentEvent | null {
    const event = { id: this.#id, name: this.#name || "message", data: this.#data.join("\n") };
    const isEvent = this.#data.length > 0;
    this.#name = "";
    this.#data = [];
    return isEvent ? event : null;
  }
}
