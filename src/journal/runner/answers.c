/* answers.c — What a step asked for and got: absent runs and lists, kept until a run is added.
 *
 * A step starts anew after each answer, so it must find all its earlier ones: a step that reads two
 * lists would ask for ever if only the last one were kept. Never holds rows, only their numbers. */
#include "journal/runner/runner_int.h"

static int compare_listed(const void *a, const void *b)
{
    const struct listed *one = a, *two = b;
    if (one->parent != two->parent)
        return one->parent > two->parent ? 1 : -1;
    return (one->n > two->n) - (one->n < two->n);
}

void answers_clear(struct answers *answers)
{
    if (answers->absent.count)
        bt_map64_clear(&answers->absent);
    for (size_t i = 0; i < answers->lists.count; i++) {
        bt_vec_done(&answers->lists.items[i].runs);
        bt_vec_done(&answers->lists.items[i].ns);
    }
    answers->lists.count = 0;
}

void answers_done(struct answers *answers)
{
    answers_clear(answers);
    bt_map64_done(&answers->absent);
    bt_vec_done(&answers->lists);
}

struct task_list *answers_list(struct answers *answers, uint32_t task)
{
    for (size_t i = 0; i < answers->lists.count; i++)
        if (answers->lists.items[i].task == task)
            return &answers->lists.items[i];
    return NULL;
}

/* The first entry of a parent, or where it would stand. */
static size_t lower_bound(const struct task_list *list, uint32_t parent)
{
    size_t low = 0, high = list->runs.count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (list->runs.items[mid].parent < parent)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool answers_list_of(struct answers *answers, uint32_t task, uint32_t parent,
                     const uint32_t **ret_ns, size_t *ret_count)
{
    const struct task_list *list = answers_list(answers, task);
    if (!list || (!list->is_all && list->parent != parent))
        return false;
    size_t from = lower_bound(list, parent), to = from;
    while (to < list->runs.count && list->runs.items[to].parent == parent)
        to++;
    *ret_ns = list->ns.items ? list->ns.items + from : NULL;
    *ret_count = to - from;
    return true;
}

void answers_list_sort(struct task_list *list)
{
    if (list->runs.count)
        qsort(list->runs.items, list->runs.count, sizeof *list->runs.items, compare_listed);
    list->ns.count = 0;
    for (size_t i = 0; i < list->runs.count; i++)
        bt_vec_push(&list->ns, list->runs.items[i].n);
}
