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
        return bt_fail(err, BT_INVALID, "Illegal argument: page must be at least 1");
    if (ret_paging->size < 1 || ret_paging->size > BT_PAGE_SIZE_MAX)
        return bt_fail(err, BT_INVALID, "Illegal argument: size must be 1 to %u", BT_PAGE_SIZE_MAX);
    return BT_OK;
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

int bt_levels_of(const struct bt_request *request, uint32_t *ret_levels, struct bt_err *err)
{
    struct bt_str text = bt_filter(request, "minLevel");
    enum bt_level level;
    *ret_levels = 0;
    if (!text.len)
        text = bt_query(request, "filters[level][EQUALS]");
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
