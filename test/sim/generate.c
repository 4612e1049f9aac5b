/* generate.c — Random flows as YAML text. */
#include "sim.h"

#include <stdio.h>

struct generator {
    struct bt_rng *rng;
    FILE *out;
    int next_id, tasks_left;
    int loops, eaches, subflows; /* Around this task; in all. */
    bool is_in_place;            /* Of a WorkingDirectory: only what a worker or the engine runs. */
    size_t number;
};

static uint64_t pick(struct generator *gen, uint64_t bound)
{
    return bt_rng_below(gen->rng, bound);
}

static void indent(struct generator *gen, int level)
{
    (void)fprintf(gen->out, "%*s", level, "");
}

static void task_list(struct generator *gen, int level, int depth);
static void task(struct generator *gen, int level, int depth);

static void retry(struct generator *gen, int level)
{
    static const char *const kinds[] = {
        "constant, interval: PT1S, maxAttempt: 3",
        "exponential, interval: PT1S, maxInterval: PT10S, maxAttempt: 4",
        "random, minInterval: PT1S, maxInterval: PT5S, maxAttempt: 2",
    };
    if (pick(gen, 4) != 0)
        return;
    indent(gen, level);
    (void)fprintf(gen->out, "retry: {type: %s}\n", kinds[pick(gen, 3)]);
}

static void common(struct generator *gen, int level)
{
    if (pick(gen, 12) == 0) {
        indent(gen, level);
        (void)fprintf(gen->out, "allowFailure: true\n");
    }
    if (pick(gen, 12) == 0) {
        indent(gen, level);
        if (pick(gen, 3) == 0) /* A worker has to say. */
            (void)fprintf(gen->out, "runIf: \"{{ kv('%d') == '1' }}\"\n", (int)pick(gen, 2));
        else
            (void)fprintf(gen->out, "runIf: \"{{ %d == 1 }}\"\n", (int)pick(gen, 2));
    }
    if (pick(gen, 20) == 0) {
        indent(gen, level);
        (void)fprintf(gen->out, "disabled: true\n");
    }
}

/* Another flow, with a smaller number: there are no circles, and not too many. */
static bool subflow(struct generator *gen, int level)
{
    if (gen->number == 0 || gen->is_in_place || gen->subflows >= 2 || pick(gen, 5) != 0)
        return false;
    size_t other = gen->eaches || gen->loops ? 0 : pick(gen, gen->number);
    gen->subflows++;
    (void)fprintf(gen->out, "type: subflow\n");
    indent(gen, level);
    (void)fprintf(gen->out, "namespace: sim\n");
    indent(gen, level);
    (void)fprintf(gen->out, "flowId: \"%s%zu\"\n", pick(gen, 3) ? "f" : "{{ kv('f') }}", other);
    indent(gen, level);
    (void)fprintf(gen->out, "wait: %s\n", pick(gen, 4) ? "true" : "false");
    retry(gen, level);
    return true;
}

static void leaf(struct generator *gen, int level)
{
    if (subflow(gen, level))
        return;
    switch (pick(gen, gen->loops ? 8 : 11)) { /* What a loop removes is not counted. */
    case 8:
        (void)fprintf(gen->out, "type: kv.set\n");
        indent(gen, level);
        (void)fprintf(gen->out, "key: \"{{ taskrun.id }}\"\n");
        indent(gen, level);
        (void)fprintf(gen->out, "value: \"{{ %s }}\"\n", pick(gen, 2) ? "kv('x')" : "1 + 1");
        break;
    case 9:
        (void)fprintf(gen->out, "type: return\n");
        indent(gen, level);
        (void)fprintf(gen->out, "format: \"{{ kv('%s') }}\"\n", pick(gen, 6) ? "a" : "bad");
        retry(gen, level);
        break;
    case 10:
        (void)fprintf(gen->out, "type: shell\n");
        indent(gen, level);
        (void)fprintf(gen->out, "commands: [x]\n");
        indent(gen, level);
        (void)fprintf(gen->out, "timeout: \"{{ kv('PT1M') }}\"\n");
        break;
    case 0:
    case 1:
    case 2:
        (void)fprintf(gen->out, "type: shell\n");
        indent(gen, level);
        (void)fprintf(gen->out, "commands: [\"echo {{ taskrun.value ?? flow.id }}\"]\n");
        retry(gen, level);
        break;
    case 3: {
        bool is_pause = pick(gen, 2) && !gen->is_in_place;
        (void)fprintf(gen->out, "type: %s\n", is_pause ? "pause" : "sleep");
        indent(gen, level);
        (void)fprintf(gen->out, "%s: PT%dS\n", is_pause ? "pauseDuration" : "duration",
                      1 + (int)pick(gen, 20));
        break;
    }
    case 4:
        (void)fprintf(gen->out, "type: fail\n");
        indent(gen, level);
        (void)fprintf(gen->out, "condition: \"{{ taskrun.attemptsCount < %d }}\"\n",
                      (int)pick(gen, 3));
        retry(gen, level);
        break;
    case 5:
        (void)fprintf(gen->out, "type: log\n");
        indent(gen, level);
        (void)fprintf(gen->out, "message: [\"{{ execution.id }}\", \"{{ task.id }}\"]\n");
        break;
    default:
        (void)fprintf(gen->out, "type: return\n");
        indent(gen, level);
        (void)fprintf(gen->out, "format: \"{{ task.id }} {{ taskrun.value ?? '-' }}\"\n");
        break;
    }
}

static void branch(struct generator *gen, int level, int depth, const char *name)
{
    indent(gen, level);
    (void)fprintf(gen->out, "%s:\n", name);
    task_list(gen, level + 2, depth + 1);
}

static void each(struct generator *gen, int level, int depth)
{
    (void)fprintf(gen->out, "type: foreach\n");
    indent(gen, level);
    if (pick(gen, 4) == 0)
        (void)fprintf(gen->out, "values: \"{{ [kv('x'), kv('y'), kv('z')] }}\"\n");
    else
        (void)fprintf(gen->out, "values: \"{{ range(1, %d) }}\"\n",
                      1 + (int)pick(gen, depth ? 4 : 12));
    indent(gen, level);
    (void)fprintf(gen->out, "concurrencyLimit: %d\n", (int)pick(gen, 4));
    gen->eaches++;
    branch(gen, level, depth, "tasks");
    gen->eaches--;
}

static void dag(struct generator *gen, int level, int depth)
{
    int count = 1 + (int)pick(gen, 4), ids[4];
    (void)fprintf(gen->out, "type: dag\n");
    indent(gen, level);
    (void)fprintf(gen->out, "concurrent: %d\n", (int)pick(gen, 3));
    indent(gen, level);
    (void)fprintf(gen->out, "tasks:\n");
    for (int i = 0; i < count; i++) {
        indent(gen, level + 2);
        (void)fprintf(gen->out, "- task:\n");
        ids[i] = gen->next_id;
        task(gen, level + 6, depth + 1);
        indent(gen, level + 4);
        (void)fprintf(gen->out, "dependsOn: [");
        const char *comma = "";
        for (int k = 0; k < i; k++) {
            if (pick(gen, 2) == 0)
                continue;
            (void)fprintf(gen->out, "%st%d", comma, ids[k]);
            comma = ", ";
        }
        (void)fprintf(gen->out, "]\n");
    }
}

static void loop(struct generator *gen, int level, int depth)
{
    (void)fprintf(gen->out, "type: loop_until\n");
    indent(gen, level);
    (void)fprintf(gen->out, "condition: \"{{ outputs[task.id].iterationCount == %s%d }}\"\n",
                  pick(gen, 3) ? "" : "0 * (kv('1') | number) + ", 1 + (int)pick(gen, 3));
    indent(gen, level);
    (void)fprintf(gen->out, "checkFrequency: {interval: PT%dS, maxIterations: 2}\n",
                  1 + (int)pick(gen, 5));
    indent(gen, level);
    (void)fprintf(gen->out, "failOnMaxReached: %s\n", pick(gen, 2) ? "true" : "false");
    gen->loops++;
    branch(gen, level, depth, "tasks");
    gen->loops--;
}

static void working_directory(struct generator *gen, int level, int depth)
{
    (void)fprintf(gen->out, "type: working_directory\n");
    gen->loops++; /* It may begin anew. */
    gen->is_in_place = true;
    branch(gen, level, depth, "tasks");
    gen->is_in_place = false;
    gen->loops--;
}

static void group(struct generator *gen, int level, int depth)
{
    switch (pick(gen, 10)) {
    case 8: working_directory(gen, level, depth); break;
    case 6: dag(gen, level, depth); break;
    case 7: loop(gen, level, depth); break;
    case 0:
        (void)fprintf(gen->out, "type: sequential\n");
        branch(gen, level, depth, "tasks");
        break;
    case 1:
        (void)fprintf(gen->out, "type: parallel\n");
        indent(gen, level);
        (void)fprintf(gen->out, "concurrent: %d\n", (int)pick(gen, 3));
        branch(gen, level, depth, "tasks");
        break;
    case 2:
        (void)fprintf(gen->out, "type: if\n");
        indent(gen, level);
        (void)fprintf(gen->out, "condition: \"{{ %s == '1' }}\"\n",
                      pick(gen, 2) ? "kv('1')" : "'0'");
        branch(gen, level, depth, "then");
        if (pick(gen, 2))
            branch(gen, level, depth, "else");
        break;
    case 3:
        (void)fprintf(gen->out, "type: allow_failure\n");
        branch(gen, level, depth, "tasks");
        break;
    default: each(gen, level, depth); break;
    }
    if (pick(gen, 5) == 0)
        branch(gen, level, depth, "errors");
    if (pick(gen, 8) == 0)
        branch(gen, level, depth, "finally");
}

/* The properties of one task. */
static void task(struct generator *gen, int level, int depth)
{
    indent(gen, level);
    (void)fprintf(gen->out, "id: t%d\n", gen->next_id++);
    common(gen, level);
    indent(gen, level);
    gen->tasks_left--;
    if (depth < 4 && gen->tasks_left > 0 && !gen->is_in_place && pick(gen, 3) == 0)
        group(gen, level, depth);
    else
        leaf(gen, level);
}

static void task_list(struct generator *gen, int level, int depth)
{
    int count = 1 + (int)pick(gen, 3);
    for (int i = 0; i < count; i++) {
        indent(gen, level);
        (void)fprintf(gen->out, "-\n");
        task(gen, level + 2, depth);
    }
}

char *generate_flow(struct bt_rng *rng, size_t number)
{
    char *text = NULL;
    size_t size = 0;
    struct generator gen = {.rng = rng, .tasks_left = 20, .number = number};
    gen.out = open_memstream(&text, &size);
    (void)fprintf(gen.out, "id: f%zu\nnamespace: sim\n", number);
    if (bt_rng_below(rng, 3) == 0)
        (void)fprintf(gen.out, "concurrency: {limit: %d}\n", 1 + (int)bt_rng_below(rng, 3));
    (void)fprintf(gen.out, "tasks:\n");
    task_list(&gen, 2, 0);
    if (bt_rng_below(rng, 4) == 0) {
        (void)fprintf(gen.out, "errors:\n");
        task_list(&gen, 2, 3);
    }
    if (bt_rng_below(rng, 5) == 0) {
        (void)fprintf(gen.out, "finally:\n");
        task_list(&gen, 2, 3);
    }
    if (bt_rng_below(rng, 5) == 0) {
        (void)fprintf(gen.out, "afterExecution:\n");
        task_list(&gen, 2, 3);
    }
    if (bt_rng_below(rng, 3) == 0)
        (void)fprintf(gen.out, "outputs:\n  - {id: o, type: STRING, value: \"{{ kv('o') }}\"}\n");
    (void)fclose(gen.out);
    return text;
}
