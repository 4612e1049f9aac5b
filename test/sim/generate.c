/* generate.c — Random flows as YAML text. */
#include "sim.h"

#include <stdio.h>

struct generator {
    struct bt_rng *rng;
    FILE *out;
    int next_id, tasks_left;
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

static void leaf(struct generator *gen, int level)
{
    switch (pick(gen, 11)) {
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
    case 3:
        (void)fprintf(gen->out, "type: sleep\n");
        indent(gen, level);
        (void)fprintf(gen->out, "duration: PT%dS\n", 1 + (int)pick(gen, 20));
        break;
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
    branch(gen, level, depth, "tasks");
}

static void group(struct generator *gen, int level, int depth)
{
    switch (pick(gen, 6)) {
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
}

static void task_list(struct generator *gen, int level, int depth)
{
    int count = 1 + (int)pick(gen, 3);
    for (int i = 0; i < count; i++) {
        indent(gen, level);
        (void)fprintf(gen->out, "- id: t%d\n", gen->next_id++);
        common(gen, level + 2);
        indent(gen, level + 2);
        gen->tasks_left--;
        if (depth < 4 && gen->tasks_left > 0 && pick(gen, 3) == 0)
            group(gen, level + 2, depth);
        else
            leaf(gen, level + 2);
    }
}

char *generate_flow(struct bt_rng *rng, size_t number)
{
    char *text = NULL;
    size_t size = 0;
    struct generator gen = {.rng = rng, .tasks_left = 20};
    gen.out = open_memstream(&text, &size);
    (void)fprintf(gen.out, "id: f%zu\nnamespace: sim\ntasks:\n", number);
    task_list(&gen, 2, 0);
    if (bt_rng_below(rng, 4) == 0) {
        (void)fprintf(gen.out, "errors:\n");
        task_list(&gen, 2, 3);
    }
    if (bt_rng_below(rng, 3) == 0)
        (void)fprintf(gen.out, "outputs:\n  - {id: o, type: STRING, value: \"{{ kv('o') }}\"}\n");
    (void)fclose(gen.out);
    return text;
}
