// Every word that a person sees.
import { count } from "./logic/format";

const plural = (number: number, one: string, many: string) => `${count(number)} ${number === 1 ? one : many}`;

interface Reach {
  number: number;
  others: number;
  isCapped: boolean;
}
const many = ({ number, isCapped }: Reach) => `${isCapped ? "at least " : ""}${plural(number, "execution", "executions")}`;
const others = ({ others: number }: Reach, why: string) => (number ? ` ${plural(number, "other has", "others have")} ${why} and ${number === 1 ? "stays" : "stay"} as ${number === 1 ? "it is" : "they are"}.` : "");

export const text = {
  product: "Baton",
  close: "Close",
  cancel: "Cancel",
  retry: "Try again",
  loading: "Loading",
  none: "–",
  skip: "Go to the content",
  items: (number: number) => `[${plural(number, "item", "items")}]`,
  keys: (number: number) => `{${plural(number, "key", "keys")}}`,
  more: (number: number) => `${count(number)} more`,
  sortBy: (what: string) => `Sort by ${what}`,
  copy: "Copy",
  copied: "Copied",
  states: {
    CREATED: "Created", QUEUED: "Queued", RUNNING: "Running", RESTARTED: "Restarted",
    RETRYING: "Retrying", PAUSED: "Paused", SUCCESS: "Success", WARNING: "Warning", FAILED: "Failed",
    KILLING: "Killing", KILLED: "Killed", CANCELLED: "Cancelled", SKIPPED: "Skipped", RETRIED: "Retried",
  },
  nav: {
    label: "Pages", flows: "Flows", executions: "Executions", narrow: "Narrow the menu", wide: "Widen the menu",
    theme: { system: "Theme: as the system", light: "Theme: light", dark: "Theme: dark" },
    dense: "Dense rows", comfortable: "Comfortable rows", breadcrumb: "Where you are",
  },
  live: {
    idle: "Nothing to follow", live: "Live", connecting: "Connecting", waiting: "Reconnecting",
    waitingTitle: (seconds: number) => `The connection is lost; next try in ${seconds} s`,
  },
  errors: {
    unreachable: "The server does not answer. Is it running, and is the network there?",
    status: (status: number) => `The server answered ${status} without saying why.`,
    noFlow: (id: string) => `There is no flow ${id}.`,
    noExecution: (id: string) => `There is no execution ${id}. It may have been deleted.`,
  },
  missing: { title: "There is no such page", hint: "The address may be old or mistyped.", back: "Go to the flows" },
  palette: {
    open: "Search or jump to…", label: "Jump to", placeholder: "A flow, an execution's id, a page",
    flows: "Flows", executions: "Executions", pages: "Pages",
    none: (words: string) => `Nothing is called “${words}”`, all: (total: string, isCapped: boolean) => `All ${isCapped ? "of at least " : ""}${total} executions that match`,
    foot: "to choose", enter: "to open",
  },
  pages: {
    label: "Pages of the list", previous: "Previous page", next: "Next page",
    range: (from: number, to: number, total: number, isCapped: boolean) =>
      total === 0 ? "0" : `${count(from)}–${count(to)} of ${isCapped ? "at least " : ""}${count(total)}`,
  },
  flows: {
    title: "Flows", search: "Search flows", namespace: "Namespace", allNamespaces: "All namespaces",
    columns: {
      id: "Flow", namespace: "Namespace", labels: "Labels", last: "Last execution", runs: "Last runs",
      revision: "Revision",
    },
    disabled: "Disabled", never: "Never run",
    run: (state: string, took: string) => `${state}, ${took}`,
    noneFound: "No flow matches", noneFoundHint: "Every word must occur in the namespace or the id.",
    clear: "Clear the filters",
    emptyTitle: "No flows yet",
    emptyHint: "A flow is a list of tasks in YAML. Begin with one of these: one click makes it, the next runs it.",
    emptyOr: "Or push your own from a terminal:",
  },
  flow: {
    source: "Source", executions: "Executions", overview: "Overview", inputs: "Inputs",
    run: "Run", revision: (number: number) => `Revision ${number}`, noInputs: "This flow takes no inputs.",
    lastRuns: "Last executions", all: "All executions", required: "required",
    defaultIs: (value: string) => `default ${value}`, disabled: "This flow is disabled: it cannot be run.",
    noRuns: "It has not run yet. Run it here, or from a terminal:",
    tabs: "Parts of the flow", tasks: (number: number) => plural(number, "task", "tasks"),
    details: "Details",
  },
  run: {
    title: (id: string) => `Run ${id}`, againTitle: (id: string) => `Run ${id} again`, start: "Run",
    optional: "optional", noInputs: "This flow takes no inputs: just run it.", notSet: "not set",
    choose: "Choose…", missing: "This is required", show: "Show", hide: "Hide", other: "Another value",
    labels: "Labels", labelsExample: "team:data reason:test",
    durationHint: "Like 1h 30m, or ISO 8601", durationExample: "1h 30m",
    listHint: (type: string) => `One ${type} a line, or a JSON list`,
    zone: (zone: string) => `In your time zone, ${zone}`,
    dependsOn: (names: string) => `asked only depending on ${names}`,
    sameFile: (uri: string) => `As before: ${uri}`,
    limits: {
      min: (value: string) => `at least ${value}`, max: (value: string) => `at most ${value}`,
      after: (value: string) => `after ${value}`, before: (value: string) => `before ${value}`,
      pattern: (value: string) => `matching ${value}`,
    },
  },
  executions: {
    title: "Executions", search: "Search", searchHint: "Text, or state:failed label:team=data …", flow: "Flow", label: "Label",
    remove: (what: string) => `Take ${what} out of the filter`, from: "From", to: "to", custom: "From … to …",
    deleted: "Deleted",
    last: (range: string) => `Last ${range}`,
    states: "State", anyState: "Any state", statesChosen: (number: number) => plural(number, "state", "states"),
    range: "Started",
    ranges: { "": "Any time", "15m": "Last 15 minutes", "1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days" },
    columns: {
      state: "State", id: "Execution", flow: "Flow", namespace: "Namespace", start: "Started",
      duration: "Duration", labels: "Labels", revision: "Rev.",
    },
    newRows: (number: number) => (number ? `${count(number)} new` : "New executions"),
    noneFound: "No execution matches", noneFoundHint: "Try fewer filters or a longer time.",
    emptyTitle: "Nothing has run yet", emptyHint: "Run a flow from its page, or from a terminal:",
    toFlows: "Go to the flows",
  },
  execution: {
    started: "Started", ended: "Ended", duration: "Duration", trigger: "Trigger", revision: "Revision",
    labels: "Labels", kill: "Kill", again: "Run again",
    killTitle: "Kill this execution?",
    killBody: (id: string, flow: string, running: number) =>
      `${id} of ${flow} stops now. ${running ? `${plural(running, "task is", "tasks are")} under way and will be ended.` : "No task is under way."}`,
    keep: "Keep it running", more: "More", moreKey: "More actions (.)",
    delete: "Delete…", deleteTitle: "Delete this execution?", deleteNow: "Delete", keepIt: "Keep it",
    deleteBody: (id: string, flow: string, isLive: boolean) =>
      `1 execution, ${id} of ${flow}, goes for good with its task runs, log lines, outputs and files.${isLive ? " It has not ended: it is killed first." : ""}`,
    gone: "This execution has been deleted. What you see is what was read before.", copyId: "Copy the execution's id",
    tasks: "Task runs", task: "Task", panel: "Details",
    tabs: { logs: "Logs", outputs: "Outputs", inputs: "Inputs", metrics: "Metrics", attempts: "Attempts", source: "Source" },
    noTasks: "No task has started yet.", runs: (number: number) => plural(number, "run", "runs"),
    values: (number: number) => plural(number, "value", "values"), lane: (number: number) => `#${number}`,
    failed: (number: number) => `${count(number)} failed`, onlyFailed: "Show only the failed ones, or all",
    notBegun: "Not begun", open: "Open", shut: "Shut", noOutputs: "There are no outputs.",
    noOutputsRun: (task: string) => `${task} has no outputs.`, noInputs: "This execution has no inputs.",
    noSource: "The flow of this revision is not there any more.",
    flowOutputs: "Outputs of the flow", runOutputs: (task: string) => `Outputs of ${task}`,
    attempt: (number: number) => `Attempt ${number}`, pickTask: "Choose a task run at the left to see its attempts.",
    failedAt: (task: string) => `${task} failed`, nextFailure: "Next failure", line: (number: number) => `line ${number}`,
    variables: "Variables", bar: (state: string, took: string) => `${state}, took ${took}`,
    barAfter: (state: string, took: string, wait: string) => `${state}, took ${took} after waiting ${wait}`,
    keys: "Keys: j k move, Enter opens, l o i m a s panels, f next failure, . more",
    whole: "Whole execution",
  },
  labels: {
    title: "Labels", edit: "Labels…", key: "Key of a label", value: "Value", valueOf: (key: string) => `Value of ${key}`,
    keyExample: "New key", valueExample: "Value", another: "One more", save: "Save the labels",
    merged: "A key that is there gets the new value; labels are never taken away.",
    of: (id: string) => `Of ${id}.`, noValue: (key: string) => `The label ${key} has no value.`,
    noKey: (value: string) => `The value ${value} has no key.`, twice: (key: string) => `The key ${key} is there twice.`,
    notEnded: "when it has ended",
  },
  bulk: {
    label: "What is chosen", chosen: (number: number) => `${count(number)} chosen`, clear: "Choose none",
    all: (number: number, isCapped: boolean) => `All ${isCapped ? "of at least " : ""}${count(number)} that match`,
    chooseAll: (number: number, isCapped: boolean) => `Choose all ${isCapped ? "of at least " : ""}${count(number)} that match`,
    page: "Choose all of this page", row: (id: string) => `Choose ${id}`, counting: "Counting…",
    acts: { kill: "Kill…", delete: "Delete…", labels: "Labels…" },
    now: { kill: (reach: Reach) => `Kill ${count(reach.number)}`, delete: (reach: Reach) => `Delete ${count(reach.number)}`, labels: () => "" },
    titles: {
      kill: (reach: Reach) => `Kill ${many(reach)}?`, delete: (reach: Reach) => `Delete ${many(reach)}?`,
      labels: (reach: Reach) => `Labels of ${many(reach)}`,
    },
    bodies: {
      kill: (reach: Reach) => `${many(reach)} ${reach.number === 1 ? "stops" : "stop"} now: what is under way is ended.${others(reach, "ended already")}`,
      delete: (reach: Reach) => `${many(reach)} ${reach.number === 1 ? "goes" : "go"} for good, with task runs, log lines, outputs and files.${others(reach, "not ended")}`,
      labels: (reach: Reach) => `Of ${many(reach)}.${others(reach, "not ended")}`,
    },
    nobody: {
      kill: "All of these have ended: there is nothing to kill.", delete: "None of these has ended: kill them first.",
      labels: "None of these has ended: labels can be changed afterwards.",
    },
  },
  metrics: {
    name: "Metric", task: "Task", value: "Value", at: "Since start", none: "Nothing was measured.", noneYet: "Nothing is measured yet.",
    how: "A task reports numbers with a line that it prints:",
    example: `::{"metrics":[{"name":"rows","type":"counter","value":3,"tags":{"table":"orders"}}]}::`,
    types: { counter: "Counter", timer: "Timer, in seconds", gauge: "Gauge" } as Record<string, string>,
    tooMany: (name: string, number: number) => `${name} holds ${plural(number, "task run", "task runs")}: choose one of them, or`,
    whole: "see the whole execution",
  },
  logs: {
    level: "Level", levels: { TRACE: "All levels", DEBUG: "Debug +", INFO: "Info +", WARN: "Warnings +", ERROR: "Errors" },
    search: "Search", hits: (at: number, total: number) => `${total ? at + 1 : 0}/${count(total)}`,
    previous: "Previous hit", next: "Next hit", wrap: "Wrap long lines", clock: "Clock", offset: "Since start",
    download: "Download", firstError: "First error", tail: "Follow the end", paused: "Stopped following",
    none: "No log lines yet.", noneOver: "It wrote no log lines.", noneMatch: "No line matches the filter.",
    of: (task: string) => `Only ${task}`, all: "Show all tasks", label: "Log lines",
    lines: (number: number) => plural(number, "line", "lines"),
  },
};
