/* parse_workers.c — `workerGroup` of a task: which workers may run it, and what if there are none.
 */
#include "model/model_int.h"

#include "base/limits.h"
#include "base/own.h"
#include "base/tags.h"

static enum bt_fallback fallback_of(struct bt_str name)
{
    static const char *const names[] = {"WAIT", "FAIL", "CANCEL", "IGNORE"};
    for (size_t i = 0; i < BT_COUNT(names); i++)
        if (bt_str_is(name, names[i]))
            return (enum bt_fallback)i;
    return BT_FALLBACK_WAIT;
}

/* The tags as one text; NULL when one cannot be a tag, which is reported. */
static const char *tags_of(struct parse *parse, const struct place *place,
                           const struct bt_value *tags)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(4096);
    for (size_t i = 0; i < bt_value_count(tags); i++) {
        struct bt_str tag = bt_value_str(bt_list_at(tags, i));
        if (!bt_tag_is_valid(tag)) {
            (void)bt_model_error(
                parse, place, "invalid-tag",
                "\"%.*s\" is no tag: letters, digits, '.', '_' and '-', at most %u",
                BT_FMT(bt_str_slice(tag, 0, 80)), BT_TAG_BYTES_MAX);
            return NULL;
        }
        if (i)
            (void)bt_buf_addc(&text, ','); /* A failure shows in the next call. */
        (void)bt_buf_add(&text, tag);
    }
    return bt_model_cstr(parse, bt_buf_str(&text));
}

void bt_model_worker_group(struct parse *parse, const struct place *place, struct bt_task *task)
{
    const struct bt_value *schema = bt_map_gets(bt_type_common(), "workerGroup");
    BT_VALUE group = bt_schema_value(parse, schema, place);
    if (!group)
        return;
    struct bt_str key = bt_map_str(group, "key");
    const struct bt_value *tags = bt_map_gets(group, "tags");
    if (key.len == 0 && bt_value_count(tags) == 0) {
        (void)bt_model_error(parse, place, "missing-property",
                             "\"workerGroup\" needs a \"key\" or \"tags\"");
        return;
    }
    if (key.len)
        task->worker_group = bt_model_cstr(parse, key);
    if (bt_value_count(tags))
        task->worker_tags = tags_of(parse, place, tags);
    task->fallback = fallback_of(bt_map_str(group, "fallback"));
}
