// Flows to begin with: what the empty list offers.
export interface Example {
  title: string;
  what: string;
  id: string;
  source: string;
}

export const namespace = "tutorial";

export const examples: Example[] = [
  {
    title: "Hello",
    what: "An input, a shell step, its output in a message",
    id: "hello",
    source: `id: hello
namespace: ${namespace}
description: An input, a shell step, and its output in a message.

inputs:
  - id: who
    type: STRING
    defaults: world

tasks:
  - id: measure
    type: shell
    commands:
      - echo '::{"outputs":{"host":"'$(uname -n)'"}}::'
  - id: greet
    type: log
    message: "Hello {{ inputs.who }}, from {{ outputs.measure.vars.host }}"
`,
  },
  {
    title: "Loop in parallel",
    what: "Six pieces of work, three at a time",
    id: "loop",
    source: `id: loop
namespace: ${namespace}
description: Six pieces of work, three at a time.

tasks:
  - id: each
    type: foreach
    values: [ash, birch, cedar, elm, fir, oak]
    concurrencyLimit: 3
    tasks:
      - id: work
        type: shell
        commands:
          - echo "cutting {{ taskrun.value }}"
          - sleep 0.4
      - id: done
        type: log
        message: "{{ taskrun.value }} is done"
`,
  },
  {
    title: "When something fails",
    what: "Retries, and a step that runs on errors",
    id: "careful",
    source: `id: careful
namespace: ${namespace}
description: A step that is tried three times, and what happens when it fails.

tasks:
  - id: fetch
    type: shell
    commands:
      - echo "trying"
      - exit 1
    retry:
      type: constant
      interval: PT0.5S
      maxAttempt: 3

errors:
  - id: tell
    type: log
    level: WARN
    message: "{{ flow.id }} failed; this is where you would send a message"
`,
  },
];
