// Flows that the tests and the pictures of the page use. A gate is a file for which a task waits, so
// that a test sees what it wants to see, however busy the machine is.
const wait = (gate) => `until [ -e ${gate} ]; do sleep 0.05; done`;

export const gatedLoop = (gate) => `id: nightly-report
namespace: shop.reports
description: Collects orders from every region and writes the nightly report.
labels: {team: data, tier: gold}
inputs:
  - {id: day, type: DATE, defaults: "2026-03-01", description: The day to report on}
tasks:
  - id: collect
    type: shell
    commands:
      - echo "connecting to the warehouse"
      - printf '\\033[32mok\\033[0m 1204 rows, \\033[33m3 skipped\\033[0m\\n'
      - sleep 0.25
      - echo '::{"outputs":{"rows":1204,"regions":["north","south","east"]}}::'
  - id: regions
    type: foreach
    values: [north, south, east, west]
    concurrencyLimit: 2
    tasks:
      - id: load
        type: shell
        commands:
          - echo "loading {{ taskrun.value }}"
          - sleep 0.{{ taskrun.value | length - 2 }}
          - if [ {{ taskrun.value }} = west ]; then ${wait(gate)}; fi
      - id: check
        type: log
        message: "{{ taskrun.value }} looks right"
  - id: publish
    type: parallel
    tasks:
      - {id: mail, type: shell, commands: ["echo sending 14 mails; sleep 0.4"]}
      - {id: archive, type: shell, commands: ["echo packing; sleep 0.2"]}
  - id: summary
    type: log
    message: "Report for {{ inputs.day }} is out: {{ outputs.collect.vars.rows }} rows"
outputs:
  - {id: rows, type: INT, value: "{{ outputs.collect.vars.rows }}"}
`;

export const loop = gatedLoop("/");

export const noisy = (gate) => `id: noisy
namespace: demo
tasks:
  - id: lines
    type: shell
    commands:
      - for i in $(seq 1 3000); do echo line $i of many; done
      - echo bad >&2
      - ${wait(gate)}
      - echo last
`;

export const failing = `id: import-orders
namespace: shop.orders
description: Imports the day's orders and checks their sums.
labels: {team: orders}
tasks:
  - id: download
    type: shell
    commands:
      - echo "fetched 3 files"
      - sleep 0.1
  - id: verify
    type: shell
    commands:
      - echo "checking sums of 3 files"
      - 'echo "orders-2.csv: expected 8812, found 8790" >&2'
      - sleep 0.15
      - exit 3
  - id: store
    type: log
    message: stored
errors:
  - id: alert
    type: log
    level: WARN
    message: "{{ flow.id }} failed, the shop's on-call was told"
`;

export const slow = `id: backup
namespace: ops
description: Copies the database away, in twelve steps.
tasks:
  - id: steps
    type: shell
    commands:
      - for i in $(seq 1 400); do echo "step $i of 400"; sleep 0.05; done
`;

export const allInputs = `id: every-input
namespace: demo
description: One input of every type.
inputs:
  - {id: name, type: STRING, displayName: Name, description: Who it is for, validator: "[a-z ]+"}
  - {id: token, type: SECRET, required: false}
  - {id: count, type: INT, min: 1, max: 10}
  - {id: ratio, type: FLOAT, defaults: 0.5}
  - {id: fast, type: BOOLEAN, defaults: true}
  - {id: size, type: SELECT, values: [small, medium, large]}
  - {id: speed, type: SELECT, values: [slow, quick], isRadio: true, defaults: quick}
  - {id: colours, type: MULTISELECT, values: [red, green, blue]}
  - {id: at, type: DATETIME}
  - {id: day, type: DATE}
  - {id: hour, type: TIME}
  - {id: pause, type: DURATION}
  - {id: data, type: FILE}
  - {id: settings, type: JSON}
  - {id: extra, type: YAML, required: false}
  - {id: numbers, type: ARRAY, itemType: INT}
  - {id: link, type: URI}
  - {id: mail, type: EMAIL}
tasks:
  - id: show
    type: log
    message: "{{ inputs.name }} {{ inputs.count }} {{ inputs.pause }} {{ inputs.at }}"
`;

export const hello = (id, namespace, labels = "{}") => `id: ${id}
namespace: ${namespace}
labels: ${labels}
tasks:
  - {id: work, type: shell, commands: ["echo working; sleep 0.0$(date +%N | cut -c3)"]}
  - {id: done, type: log, message: done}
`;

export const fanOut = `id: thumbnails
namespace: shop.media
description: Makes a thumbnail of each of two hundred pictures.
tasks:
  - id: each
    type: foreach
    values: "{{ range(1, 200) }}"
    concurrencyLimit: 0
    tasks:
      - {id: resize, type: log, message: "picture {{ taskrun.value }}"}
`;

export const measured = (gate) => `id: load-orders
namespace: shop.orders
description: Loads orders of each table and counts them.
tasks:
  - id: tables
    type: foreach
    values: [orders, lines, customers]
    tasks:
      - id: load
        type: shell
        commands:
          - >-
            echo '::{"metrics":[{"name":"rows","type":"counter","value":1204.5,"tags":{"table":"{{ taskrun.value }}"}},
            {"name":"query","type":"timer","value":1.25},{"name":"lag","type":"gauge","value":0.00004}]}::'
  - id: last
    type: shell
    commands:
      - ${wait(gate)}
      - echo '::{"metrics":[{"name":"size","type":"counter","value":123456789}]}::'
`;

/** Three of its last values fail: late, so that all have begun. */
const resize = '{id: resize, type: log, message: "picture {{ taskrun.value }}"}';
export const large = (values, task = resize) => `id: large
namespace: shop.media
tasks:
  - {id: begin, type: log, message: begins}
  - id: each
    type: foreach
    values: "{{ range(1, ${values}) }}"
    concurrencyLimit: 0
    tasks:
      - ${task}
      - {id: check, type: fail, condition: "{{ ['${values - 30}', '${values - 20}', '${values - 10}'] contains taskrun.value }}"}
`;

export const conditional = `id: deploy
namespace: shop.web
inputs:
  - {id: where, type: SELECT, values: [test, production]}
  - id: reason
    type: STRING
    validator: "[A-Z]+-[0-9]+"
    dependsOn: {inputs: [where], condition: "{{ inputs.where == 'production' }}"}
  - {id: copies, type: INT, min: 1, max: 9}
  - {id: contact, type: EMAIL}
tasks:
  - {id: show, type: log, message: "{{ inputs.where }} {{ inputs.copies }}"}
`;
