/* api.c — Paging, filters and answers that several resources share. */
#include "server/api/api.h"

#include "base/limits.h"
#include "base/own.h"
#include "service/shape.h"
#include "value/time.h"

#include <stdio.h>

int bt_paging_of(const struct bt_request *request, struct bt_paging *ret_paging, struct bt_err *err)
{
    BT_TRY(bt_query_int(request, "page", 1, &ret_paging->page, err));
    BT_TRY(bt_query_int(request, "size", 10, &ret_paging->size, err));
    if (ret_paging->page < 1 || ret_paging->page > 1000000000)
        return bt_fail(err, BT_INVALID, "Illegal argument: page must be 1 to 1000000000");
    if (ret_paging->size < 1 || ret_paging->size > BT_PAGE_SIZE_MAX)
        return bt_fail(err, BT_INVALID, "Illegal argument: size must be 1 to %u", BT_PAGE_SIZE_MAX);
    return BT_OK;
}

int bt_sorting_of(const struct bt_request *request, struct bt_sorting *ret_sorting,
                  struct bt_err *err)
{
    struct bt_str text = bt_query(request, "sort");
    *ret_sorting = (struct bt_sorting){0};
    if (!text.len)
        return BT_OK;
    ptrdiff_t colon = bt_str_find(text, BT_STR(":"), 0);
    if (colon < 1 || bt_str_find(text, BT_STR(":"), (size_t)colon + 1) >= 0)
        return bt_fail(err, BT_INVALID, "Illegal argument: sort must be field:asc or field:desc");
    ret_sorting->field = bt_str_slice(text, 0, (size_t)colon);
    ret_sorting->is_ascending = bt_str_is(bt_str_slice(text, (size_t)colon + 1, text.len), "asc");
    return BT_OK;
}

int bt_sorting_refuse(const struct bt_sorting *sorting, struct bt_err *err)
{
    return bt_fail(err, BT_INVALID, "Illegal argument: cannot sort by '%.*s:%s'",
                   BT_FMT(sorting->field), sorting->is_ascending ? "asc" : "desc");
}

int bt_exec_form_of(const struct bt_request *request, enum bt_exec_form *ret_form,
                    struct bt_err *err)
{
    bool is_light;
    BT_TRY(bt_query_bool(request, "light", false, &is_light, err));
    *ret_form = is_light ? BT_EXEC_LIGHT : BT_EXEC_WHOLE;
    return BT_OK;
}

int bt_most_runs_of(const struct bt_request *request, int64_t *ret_most, struct bt_err *err)
{
    return bt_query_int(request, "taskRuns", -1, ret_most, err);
}

int bt_write_exec(struct bt_request *request, const struct bt_exec *exec, struct bt_err *err)
{
    struct bt_buf *out = &request->response.body;
    int64_t most;
    BT_TRY(bt_most_runs_of(request, &most, err));
    if (most < 0 || exec->next_n - 1 <= most) {
        int rc = bt_service_exec_json(request->service, exec, BT_EXEC_WHOLE, out, err);
        if (rc != BT_LIMIT)
            return rc;
        bt_buf_clear(out);
    }
    BT_TRY(bt_service_exec_json(request->service, exec, BT_EXEC_HEAD, out, err));
    (void)bt_buf_addf(out, ",\"taskRunCount\":%u", exec->next_n - 1); /* Checked here. */
    return bt_buf_check(out, "the execution", err);
}

struct bt_str bt_filter(const struct bt_request *request, const char *name)
{
    char other[96];
    struct bt_str plain = bt_query(request, name);
    if (plain.at)
        return plain;
    (void)snprintf(other, sizeof other, "filters[%s][EQUALS]", name); /* Names are short. */
    return bt_query(request, other);
}

int bt_query_revision(const struct bt_request *request, uint32_t *ret_revision, struct bt_err *err)
{
    int64_t revision;
    BT_TRY(bt_query_int(request, "revision", 0, &revision, err));
    if (revision < 0 || revision > UINT32_MAX)
        return bt_fail(err, BT_NOT_FOUND, "%s", "");
    *ret_revision = (uint32_t)revision;
    return BT_OK;
}

int bt_levels_of(const struct bt_request *request, uint32_t *ret_levels, struct bt_err *err)
{
    static const char *const others[] = {"filters[level][EQUALS]",
                                         "filters[level][GREATER_THAN_OR_EQUAL_TO]"};
    struct bt_str text = bt_filter(request, "minLevel");
    for (size_t i = 0; !text.len && i < BT_COUNT(others); i++)
        text = bt_query(request, others[i]);
    return bt_levels_from(text, ret_levels, err);
}

int bt_levels_from(struct bt_str text, uint32_t *ret_levels, struct bt_err *err)
{
    enum bt_level level;
    *ret_levels = 0;
    if (!text.len)
        return BT_OK;
    if (!bt_level_parse(text, &level))
        return bt_fail(err, BT_INVALID, "Invalid format: '%.*s' is no log level", BT_FMT(text));
    for (int i = (int)level; i < BT_LEVEL_COUNT; i++)
        *ret_levels |= 1u << i;
    return BT_OK;
}

int bt_query_time(const struct bt_request *request, const char *name, int64_t *ret_us,
                  struct bt_err *err)
{
    return bt_time_of(bt_query(request, name), name, ret_us, err);
}

int bt_time_of(struct bt_str text, const char *name, int64_t *ret_us, struct bt_err *err)
{
    enum { FAR = 10 }; /* What is added to a time later stays in range. */
    struct bt_zone utc = bt_zone_utc();
    struct bt_moment moment;
    *ret_us = 0;
    if (!text.len)
        return BT_OK;
    if (bt_moment_parse(text, BT_STR_NONE, &utc, &moment, NULL) < 0)
        return bt_fail(err, BT_INVALID, "Invalid format: '%s' must be a date and time, not '%.*s'",
                       name, BT_FMT(text));
    if (moment.epoch_s > INT64_MAX / 1000000 / FAR || moment.epoch_s < INT64_MIN / 1000000 / FAR)
        return bt_fail(err, BT_INVALID, "Invalid format: '%s' is out of range", name);
    *ret_us = moment.epoch_s * 1000000 + moment.nano / 1000;
    return BT_OK;
}

int bt_respond_violations(struct bt_request *request, const struct bt_diags *diags,
                          struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    struct bt_value *list = bt_shape_violations(diags);
    (void)bt_buf_adds(&text, "Invalid entity: "); /* Cut when it is too long. */
    bt_shape_violations_text(diags, &text);
    if (!list)
        return bt_fail_mem(err, "the answer");
    return bt_respond_error(request, 422, bt_buf_str(&text), list);
}

const struct bt_part *bt_part(const struct bt_request *request, const char *name)
{
    for (size_t i = 0; i < request->part_count; i++)
        if (bt_str_is(request->parts[i].name, name))
            return &request->parts[i];
    return NULL;
}

/* --- Bulk calls ------------------------------------------------------------------------------- */

int bt_invalids_add(struct bt_invalids *invalids, const char *message, const char *path,
                    struct bt_str value, struct bt_err *err)
{
    BT_VALUE item = bt_map_new(3);
    if (!invalids->list)
        invalids->list = bt_list_new(1);
    int rc = bt_map_puts(item, "message", bt_value_cstr(message));
    rc |= bt_map_puts(item, "propertyPath", bt_value_cstr(path));
    rc |= bt_map_puts(item, "invalidValue", bt_value_string(value));
    if (rc != BT_OK || bt_list_push(invalids->list, BT_TAKE(item)) < 0)
        return bt_fail_mem(err, "the answer");
    return BT_OK;
}

int bt_respond_invalids(struct bt_request *request, const char *verb, struct bt_invalids *invalids,
                        struct bt_err *err)
{
    char text[80];
    BT_VALUE body = bt_map_new(2);
    (void)snprintf(text, sizeof text, "invalid bulk %s", verb); /* Verbs are short. */
    if (bt_map_puts(body, "message", bt_value_cstr(text)) < 0 ||
        bt_map_puts(body, "invalids", BT_TAKE(invalids->list)) < 0)
        return bt_fail_mem(err, "the answer");
    BT_TRY(bt_respond_json(request, BT_TAKE(body), err));
    return bt_respond(request, 400);
}

int bt_respond_count(struct bt_request *request, size_t count, struct bt_err *err)
{
    (void)bt_buf_addf(&request->response.body, "{\"count\":%zu}", count); /* Checked next. */
    return bt_respond_text(request, "application/json", err);
}
