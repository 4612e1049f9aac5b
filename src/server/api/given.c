/* given.c — The inputs of a form: of a flow that starts, or of one that is resumed. */
#include "server/api/given.h"

#include "base/own.h"

#include <stdlib.h>

void bt_given_done(struct bt_given *given)
{
    bt_value_unref(given->inputs);
    free(given->files);
}

/* 0.21 names the input by the file's name, later versions by the part's: the former wins. */
static int add_file(struct bt_request *request, const struct bt_input_set *set,
                    const struct bt_part *part, struct bt_given *given, struct bt_err *err)
{
    const struct bt_input *input = bt_inputs_find(set, part->file_name);
    struct bt_str name = part->file_name.len ? part->file_name : part->name;
    if (!input)
        input = bt_inputs_find(set, part->name);
    if (!input)
        return bt_fail(err, BT_INVALID, "Illegal argument: the flow has no input '%.*s'",
                       BT_FMT(part->name));
    given->files[given->file_count++] =
        (struct bt_input_file){input->id, bt_arena_dup(&request->arena, name), part->fd};
    return given->files[given->file_count - 1].path ? BT_OK : bt_fail_mem(err, "inputs");
}

int bt_given_read(struct bt_request *request, const struct bt_input_set *set,
                  struct bt_given *given, struct bt_err *err)
{
    given->inputs = bt_map_new(request->part_count);
    given->files = calloc(request->part_count + 1, sizeof *given->files);
    if (!given->inputs || !given->files)
        return bt_fail_mem(err, "inputs");
    for (size_t i = 0; i < request->part_count; i++) {
        const struct bt_part *part = &request->parts[i];
        if (part->fd >= 0) {
            BT_TRY(add_file(request, set, part, given, err));
            continue;
        }
        const struct bt_input *input = bt_inputs_find(set, part->name);
        if (input && bt_map_puts(given->inputs, input->id, bt_value_string(part->text)) < 0)
            return bt_fail_mem(err, "inputs");
    }
    return BT_OK;
}

int bt_given_refuse(struct bt_request *request, struct bt_err *err)
{
    struct bt_str msg = bt_str_of(err->msg);
    ptrdiff_t from = bt_str_find(msg, BT_STR("`"), 0);
    ptrdiff_t to = from < 0 ? -1 : bt_str_find(msg, BT_STR("`"), (size_t)from + 1);
    struct bt_diags diags = BT_DIAGS_INIT;
    if (to < 0 || !bt_str_starts(msg, BT_STR("Invalid input for ")))
        return BT_INVALID;
    struct bt_diag *diag =
        bt_diags_add(&diags, BT_SEVERITY_ERROR, "input", (struct bt_mark){0}, "%s", err->msg);
    if (diag) {
        diag->original = diag->msg;
        diag->path = bt_diags_dup(&diags, "%.*s", (int)(to - from - 1), msg.at + from + 1);
    }
    int rc = bt_respond_violations(request, &diags, err);
    bt_diags_done(&diags);
    return rc;
}

/* --- Checking --------------------------------------------------------------------------------- */

static struct bt_value *errors_of(const struct bt_input_check *check)
{
    BT_VALUE list = bt_list_new(1), *item = NULL;
    if (!check->error)
        return BT_TAKE(list);
    item = bt_map_new(2);
    if (bt_map_puts(item, "message", bt_value_cstr(check->error)) < 0 ||
        bt_map_puts(item, "path", bt_value_cstr(check->input->id)) < 0 ||
        bt_list_push(list, BT_TAKE(item)) < 0)
        return NULL;
    return BT_TAKE(list);
}

static int add_check(void *data, const struct bt_input_check *check)
{
    BT_VALUE item = bt_map_new(4), *spec = bt_value_copy(check->input->spec);
    int rc = BT_OK;
    if (!bt_map_gets(spec, "required"))
        rc |= bt_map_puts(spec, "required", bt_value_bool(check->input->is_required));
    rc |= bt_map_puts(item, "input", BT_TAKE(spec));
    if (check->value)
        rc |= bt_map_puts(item, "value", bt_value_ref(check->value));
    rc |= bt_map_puts(item, "enabled", bt_value_bool(check->is_enabled));
    rc |= bt_map_puts(item, "errors", errors_of(check));
    return rc == BT_OK ? bt_list_push(data, BT_TAKE(item)) : BT_NO_MEM;
}

/* A file counts as given; nothing is stored. */
static int name_files(const struct bt_given *given)
{
    for (size_t i = 0; i < given->file_count; i++)
        BT_TRY(bt_map_puts(given->inputs, given->files[i].input,
                           bt_value_cstr("baton:///inputs/file")));
    return BT_OK;
}

int bt_given_check(struct bt_request *request, const struct bt_flow *flow,
                   const struct bt_input_set *set, struct bt_err *err)
{
    BT_VALUE list = bt_list_new(0), *body = bt_map_new(3);
    struct bt_given given = {0};
    int rc = bt_given_read(request, set, &given, err);
    if (rc == BT_OK && name_files(&given) < 0)
        rc = bt_fail_mem(err, "inputs");
    struct bt_input_request inputs = {flow, *set, given.inputs};
    if (rc == BT_OK)
        rc = bt_inputs_check(&inputs, &(struct bt_input_sink){add_check, list}, err);
    bt_given_done(&given);
    BT_TRY(rc);
    if (bt_map_puts(body, "id", bt_value_cstr(flow->id)) < 0 ||
        bt_map_puts(body, "namespace", bt_value_cstr(flow->namespace)) < 0 ||
        bt_map_puts(body, "inputs", BT_TAKE(list)) < 0)
        return bt_fail_mem(err, "the answer");
    return bt_respond_json(request, BT_TAKE(body), err);
}
