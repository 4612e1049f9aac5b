// Executions of a list that are chosen, one by one or all that match, and what is done with them.
import {
  deleteExecutionsByIds, deleteExecutionsByQuery, killExecutionsByIds, killExecutionsByQuery, searchExecutions,
  setLabelsOnTerminatedExecutionsByIds, setLabelsOnTerminatedExecutionsByQuery, type Execution, type Label,
} from "../api/generated";
import { statesFor, takers, type Act } from "./bulk";
import { askOf, type Filter } from "./filter";

export interface Reach {
  number: number; // Of those that take it.
  others: number; // Of those that do not.
  isCapped: boolean; // There are at least so many.
}

export class Bulk {
  chosen: ReadonlySet<string> = $state.raw(new Set());
  /** All that match, also those of other pages. */
  all = $state(false);

  constructor(readonly filter: Filter) {}

  put(chosen: ReadonlySet<string>): void {
    this.chosen = chosen;
    this.all = false;
  }

  #query(act: Act) {
    return { ...askOf(this.filter), state: statesFor(act, this.filter.state) };
  }

  /** How many it would be; `rows`: the chosen ones, `total`: of all that match. */
  async reach(act: Act, rows: readonly Execution[], total: number): Promise<Reach> {
    if (!this.all) {
      const number = takers(act, rows).length;
      return { number, others: rows.length - number, isCapped: false };
    }
    const query = this.#query(act);
    if (!query.state.length) return { number: 0, others: total, isCapped: false };
    const found = await searchExecutions({ ...query, page: 1, size: 1, light: true });
    return { number: found.total, others: Math.max(0, total - found.total), isCapped: found.totalIsCapped ?? false };
  }

  async act(act: Act, rows: readonly Execution[], labels: Label[]): Promise<void> {
    const query = this.#query(act);
    const ids = takers(act, rows).map(({ id }) => id);
    if (act === "kill") await (this.all ? killExecutionsByQuery(query) : killExecutionsByIds(ids));
    else if (act === "delete") await (this.all ? deleteExecutionsByQuery(query) : deleteExecutionsByIds(ids));
    else if (this.all) await setLabelsOnTerminatedExecutionsByQuery(labels, query);
    else await setLabelsOnTerminatedExecutionsByIds({ executionsId: ids, executionLabels: labels });
    this.put(new Set());
  }
}
