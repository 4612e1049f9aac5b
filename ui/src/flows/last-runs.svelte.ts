// The last runs of the flows in a list: asked a few at a time, kept up to date by the stream.
import { SvelteMap } from "svelte/reactivity";
import { searchExecutions, type Execution, type Flow } from "../api/generated";
import { live } from "../live/live.svelte";
import { further } from "../executions/tree";

const AT_ONCE = 4;
const RUNS = 20;

const keyOf = (namespace: string, id: string) => `${namespace}/${id}`;

export class LastRuns {
  readonly #runs = new SvelteMap<string, Execution[]>();

  of(flow: Flow): Execution[] | undefined {
    return this.#runs.get(keyOf(flow.namespace, flow.id));
  }

  /** Loads and follows until the result is called. */
  start(flows: readonly Flow[]): () => void {
    const stop = new AbortController();
    const waiting = flows.filter((flow) => !this.of(flow));
    const next = async (): Promise<void> => {
      for (let flow = waiting.shift(); flow && !stop.signal.aborted; flow = waiting.shift())
        await this.#load(flow, stop.signal).catch(() => undefined);
    };
    for (let i = 0; i < AT_ONCE; i++) void next();
    const leave = live.follow({
      topic: "executions",
      on: (event) => {
        if (event.kind === "execution") this.#put(event.row);
      },
    });
    return () => {
      stop.abort();
      leave();
    };
  }

  async #load({ namespace, id }: Flow, signal: AbortSignal): Promise<void> {
    const query = { namespace, flowId: id, size: RUNS, sort: "state.startDate:desc", light: true };
    const { results } = await searchExecutions(query, { signal });
    // The filter takes the namespaces below it too.
    this.#runs.set(keyOf(namespace, id), results.filter((run) => run.namespace === namespace).reverse());
  }

  #put(row: Execution): void {
    const key = keyOf(row.namespace, row.flowId);
    const runs = this.#runs.get(key);
    if (!runs) return;
    const at = runs.findIndex((run) => run.id === row.id);
    const next = at < 0 ? [...runs, row] : runs.map((run, place) => (place === at ? further(run, row) : run));
    this.#runs.set(key, next.slice(-RUNS));
  }
}
