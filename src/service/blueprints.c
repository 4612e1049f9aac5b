/* blueprints.c — The blueprints that are part of the program. */
#include "service/blueprints.h"

#include "base/own.h"
#include "model/flow.h"

#include <strings.h>

extern const char bt_blueprints[];

/* The rest of a line "# name: …" at the beginning of a source. */
static struct bt_str head_line(struct bt_str source, struct bt_str name)
{
    for (size_t at = 0; at < source.len && source.at[at] == '#';) {
        ptrdiff_t end = bt_str_find(source, BT_STR("\n"), at);
        size_t stop = end < 0 ? source.len : (size_t)end;
        struct bt_str line = bt_str_slice(source, at + 2, stop);
        if (bt_str_starts(line, name))
            return bt_str_trim(bt_str_slice(line, name.len, line.len));
        at = stop + 1;
    }
    return BT_STR_NONE;
}

bool bt_blueprint_at(size_t index, struct bt_blueprint *ret_blueprint)
{
    const char *at = bt_blueprints;
    for (size_t i = 0; *at; i++) {
        struct bt_str id = bt_str_of(at), source = bt_str_of(at + id.len + 1);
        at = source.at + source.len + 1;
        if (i != index)
            continue;
        *ret_blueprint = (struct bt_blueprint){
            .id = id,
            .title = head_line(source, BT_STR("title: ")),
            .description = head_line(source, BT_STR("description: ")),
            .tags = head_line(source, BT_STR("tags: ")),
            .source = source,
        };
        return true;
    }
    return false;
}

bool bt_blueprint_find(struct bt_str id, struct bt_blueprint *ret_blueprint)
{
    for (size_t i = 0; bt_blueprint_at(i, ret_blueprint); i++)
        if (bt_str_eq(ret_blueprint->id, id))
            return true;
    return false;
}

static bool holds(struct bt_str text, struct bt_str part)
{
    for (size_t i = 0; i + part.len <= text.len; i++)
        if (!part.len || strncasecmp(text.at + i, part.at, part.len) == 0)
            return true;
    return !part.len;
}

/* The next tag of "a, b". */
static bool next_tag(struct bt_str tags, size_t *at, struct bt_str *ret_tag)
{
    if (*at >= tags.len)
        return false;
    ptrdiff_t comma = bt_str_find(tags, BT_STR(","), *at);
    size_t end = comma < 0 ? tags.len : (size_t)comma;
    *ret_tag = bt_str_trim(bt_str_slice(tags, *at, end));
    *at = end + 1;
    return true;
}

static bool has_tag(struct bt_str tags, struct bt_str wanted)
{
    struct bt_str tag;
    for (size_t at = 0; next_tag(tags, &at, &tag);)
        if (tag.len == wanted.len && strncasecmp(tag.at, wanted.at, tag.len) == 0)
            return true;
    return false;
}

bool bt_blueprint_matches(const struct bt_blueprint *blueprint, struct bt_str text,
                          const struct bt_value *tags)
{
    for (size_t i = 0; i < bt_value_count(tags); i++)
        if (!has_tag(blueprint->tags, bt_value_str(bt_list_at(tags, i))))
            return false;
    return holds(blueprint->title, text) || holds(blueprint->description, text) ||
           holds(blueprint->source, text);
}

/* The types of its tasks, each once. */
static struct bt_value *types_of(const struct bt_blueprint *blueprint)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    struct bt_diags diags = BT_DIAGS_INIT;
    BT_VALUE list = bt_list_new(4), *seen = bt_map_new(4);
    int rc = bt_flow_parse(blueprint->source, &flow, &diags);
    bt_diags_done(&diags);
    for (uint32_t i = 0; rc == BT_OK && i < flow->task_count; i++) {
        const char *class = flow->tasks[i].type->class_name;
        if (bt_map_gets(seen, class))
            continue;
        rc = bt_map_puts(seen, class, bt_value_bool(true));
        rc |= bt_list_push(list, bt_value_cstr(class));
    }
    return rc == BT_NO_MEM ? NULL : BT_TAKE(list);
}

static struct bt_value *tags_of(const struct bt_blueprint *blueprint)
{
    BT_VALUE list = bt_list_new(4);
    struct bt_str tag;
    for (size_t at = 0; list && next_tag(blueprint->tags, &at, &tag);)
        if (bt_list_push(list, bt_value_string(tag)) < 0)
            return NULL;
    return BT_TAKE(list);
}

struct bt_value *bt_blueprint_shape(const struct bt_blueprint *blueprint, bool has_source)
{
    BT_VALUE map = bt_map_new(8);
    int rc = bt_map_puts(map, "id", bt_value_string(blueprint->id));
    rc |= bt_map_puts(map, "title", bt_value_string(blueprint->title));
    rc |= bt_map_puts(map, "description", bt_value_string(blueprint->description));
    rc |= bt_map_puts(map, "includedTasks", types_of(blueprint));
    rc |= bt_map_puts(map, "tags", tags_of(blueprint));
    rc |= bt_map_puts(map, "publishedAt", bt_value_cstr("2026-01-01T00:00:00Z"));
    if (has_source)
        rc |= bt_map_puts(map, "flow", bt_value_string(blueprint->source));
    return rc == BT_OK ? BT_TAKE(map) : NULL;
}

struct bt_value *bt_blueprint_tags(void)
{
    BT_VALUE list = bt_list_new(8), *seen = bt_map_new(8);
    struct bt_blueprint blueprint;
    struct bt_str tag;
    for (size_t i = 0; bt_blueprint_at(i, &blueprint); i++) {
        for (size_t at = 0; next_tag(blueprint.tags, &at, &tag);) {
            BT_VALUE item = bt_map_new(2);
            if (bt_map_get(seen, tag))
                continue;
            int rc = bt_map_put(seen, tag, bt_value_bool(true));
            rc |= bt_map_puts(item, "id", bt_value_string(tag));
            rc |= bt_map_puts(item, "name", bt_value_string(tag));
            if (rc != BT_OK || bt_list_push(list, BT_TAKE(item)) < 0)
                return NULL;
        }
    }
    return BT_TAKE(list);
}
