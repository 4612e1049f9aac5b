// What the server says of the inputs of a form, before anything is started: what is wrong, and which
// inputs are not asked for. A field that is being filled in for the first time is left in peace.
import { ApiError, isAborted } from "../api/call";
import { validateNewExecutionInputs, type Flow } from "../api/generated";
import type { Field } from "./inputs";
import { shortProblem } from "./inputs";

const PAUSE_MS = 300;

export class Checks {
  problems: Record<string, string> = $state({});
  /** Inputs whose condition does not hold. */
  hidden: ReadonlySet<string> = $state.raw(new Set());
  readonly #left = new Set<string>(); // Fields that a person has been in, and left.
  readonly #stop = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;

  /** `body`: the form as it is now; files by name only. */
  constructor(readonly flow: Pick<Flow, "namespace" | "id">, readonly fields: readonly Field[], readonly body: () => FormData) {
    this.hidden = new Set(fields.filter(({ dependsOn }) => dependsOn.length).map(({ id }) => id)); // Until it is known.
  }

  /** Asks until the result is called. */
  start(): () => void {
    if (this.hidden.size) void this.#ask();
    return () => {
      clearTimeout(this.#timer);
      this.#stop.abort();
    };
  }
  change(id: string): void {
    delete this.problems[id];
    this.#soon();
  }
  leave(id: string): void {
    if (!this.fields.some((field) => field.id === id)) return;
    this.#left.add(id);
    this.#soon();
  }
  /** Everything is looked at; true: all is right. Throws what is not about inputs. */
  async all(): Promise<boolean> {
    clearTimeout(this.#timer);
    for (const { id } of this.fields) this.#left.add(id);
    await this.#read();
    return Object.keys(this.problems).length === 0;
  }
  refuse(error: ApiError): boolean {
    const known = error.fields.filter(({ path }) => this.fields.some(({ id }) => id === path));
    for (const { path, message } of known) this.problems[path] = shortProblem(message);
    return known.length > 0;
  }

  #soon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), PAUSE_MS);
  }
  async #ask(): Promise<void> {
    try {
      await this.#read();
    } catch (error) {
      if (!isAborted(error)) this.hidden = new Set(); // The start will say what is wrong.
    }
  }
  async #read(): Promise<void> {
    const number = ++this.#asked;
    const { namespace, id } = this.flow;
    const { inputs } = await validateNewExecutionInputs(namespace, id, this.body(), {}, { signal: this.#stop.signal });
    if (number !== this.#asked) return; // The form has changed since.
    this.hidden = new Set(inputs.filter(({ enabled }) => !enabled).map(({ input }) => input.id));
    const wrong = inputs.flatMap(({ input, enabled, errors }) => (enabled && errors[0] ? [[input.id, shortProblem(errors[0].message)]] : []));
    this.problems = Object.fromEntries(wrong.filter(([of]) => of !== undefined && this.#left.has(of)));
  }
}
