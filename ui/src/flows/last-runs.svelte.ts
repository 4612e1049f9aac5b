// The last runs of the flows in a list: asked for all at once, kept up to date by the stream.
import { untrack } from "svelte";
import { SvelteMap } from "svelte/reactivity";
import { latestExecutions, type Execution, type Flow } from "../api/generated";
import { live } from "../live/live.svelte";
import { further } from "../executions/tree";

const RUNS = 20;

const keyOf = (namespace: string, id: string) => `${namespace}/${id}`;

export class LastRuns {
  readonly #runs = new SvelteMap<string, Execution[]>();
  #heard: Execution[] = []; // While an answer is under way.

  of(flow: Flow): Execution[] | undefined {
    return this.#runs.get(keyOf(flow.namespace, flow.id));
  }

  /** Loads and follows until the result is called. */
  start(flows: readonly Flow[]): () => void {
    const stop = new AbortController();
    const load = (some: readonly Flow[]) => void this.#load(some, stop.signal).catch(() => undefined);
    const missing = untrack(() => flows.filter((flow) => !this.of(flow)));
    if (missing.length) load(missing);
    const leave = live.follow({
      topic: "executions",
      on: (event) => {
        if (event.kind === "execution") {
          if (this.#heard.length < 1000) this.#heard.push(event.row);
          this.#put(event.row);
        } else if (event.kind === "gone") this.#drop(event.id);
        else if (event.kind === "gap") load(flows);
      },
    });
    return () => {
      stop.abort();
      leave();
    };
  }

  async #load(flows: readonly Flow[], signal: AbortSignal): Promise<void> {
    this.#heard = [];
    const names = flows.map(({ namespace, id }) => ({ namespace, id }));
    const found = await latestExecutions({ flows: names }, { size: RUNS, light: true }, { signal });
    const byFlow = new Map<string, Execution[]>(names.map(({ namespace, id }) => [keyOf(namespace, id), []]));
    for (const run of found) byFlow.get(keyOf(run.namespace, run.flowId))?.unshift(run); // Newest first.
    for (const [key, runs] of byFlow) this.#runs.set(key, runs);
    for (const row of this.#heard) this.#put(row);
  }

  #put(row: Execution): void {
    const key = keyOf(row.namespace, row.flowId);
    const runs = this.#runs.get(key);
    if (!runs) return;
    const at = runs.findIndex((run) => run.id === row.id);
    const next = at < 0 ? [...runs, row] : runs.map((run, place) => (place === at ? further(run, row) : run));
    this.#runs.set(key, next.slice(-RUNS));
  }

  #drop(id: string): void {
    for (const [key, runs] of this.#runs)
      if (runs.some((run) => run.id === id)) this.#runs.set(key, runs.filter((run) => run.id !== id));
  }
}
