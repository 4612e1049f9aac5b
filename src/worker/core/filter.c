/* filter.c — storage.filter. One rendering for each line. */
#include "base/limits.h"
#include "sys/fs.h"
#include "worker/core/core_int.h"

enum verdict { FAIL, INCLUDE, EXCLUDE };

struct filter {
    struct core_expr expr;
    struct bt_rows rows;
    struct bt_out out;
    bool is_exclude;       /* What matches is left out. */
    enum verdict on_error; /* What becomes of a line whose expression fails. */
    int64_t count, dropped;
};

static void filter_done(struct filter *filter)
{
    bt_rows_done(&filter->rows);
    bt_out_done(&filter->out);
}

static bool is_fatal(int rc)
{
    return rc == BT_NO_MEM || rc == BT_ABORTED || rc == BT_NEED;
}

static int judge(struct filter *filter, const struct bt_value *row, bool *ret_is_kept,
                 struct bt_err *err)
{
    BT_VALUE text = NULL;
    int rc = core_expr_render(&filter->expr, row, &text, err);
    if (rc < 0 && (is_fatal(rc) || filter->on_error == FAIL))
        return rc;
    if (rc < 0)
        *ret_is_kept = filter->on_error == INCLUDE;
    else
        *ret_is_kept = bt_text_is_truthy(bt_str_trim(bt_value_str(text))) != filter->is_exclude;
    return BT_OK;
}

static int filter_all(struct filter *filter, struct bt_err *err)
{
    for (;;) {
        struct bt_str line;
        BT_VALUE row = NULL;
        bool is_kept = false;
        int rc = core_row_next(&filter->expr, &filter->rows, &line, &row, err);
        if (rc == BT_NOT_FOUND)
            return BT_OK;
        BT_TRY(rc);
        BT_TRY(judge(filter, row, &is_kept, err));
        filter->count++;
        filter->dropped += !is_kept;
        if (!is_kept)
            continue;
        BT_TRY(bt_out_add(&filter->out, line, err));
        BT_TRY(bt_out_add(&filter->out, BT_STR("\n"), err));
    }
}

static enum verdict verdict_of(struct bt_str text)
{
    return bt_str_is(text, "INCLUDE") ? INCLUDE : bt_str_is(text, "EXCLUDE") ? EXCLUDE : FAIL;
}

int core_filter(struct bt_core *core, struct bt_err *err)
{
    BT_FD fd = -1;
    BT_CLEANUP(filter_done)
    struct filter filter = {.is_exclude = bt_str_is(core_text(core, "filterType"), "EXCLUDE"),
                            .on_error = verdict_of(core_text(core, "errorOrNullBehavior"))};
    core_expr_init(&filter.expr, core, "filterCondition");
    BT_TRY(core_open(core, "from", &fd, err));
    bt_rows_init(&filter.rows, fd, core->is_over);
    BT_TRY(core_create(core, "filter", BT_STR(".ion"), &filter.out, err));
    BT_TRY(filter_all(&filter, err));
    BT_TRY(bt_out_commit(&filter.out, err));
    BT_TRY(core_put(core, "processedItemsTotal", bt_value_int(filter.count), err));
    return core_put(core, "droppedItemsTotal", bt_value_int(filter.dropped), err);
}
