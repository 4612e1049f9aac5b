/* blueprints.h — Flows to begin with: blueprints/ of the source, as parts of the program. Each
 * begins with comments "# title: …", "# description: …", "# tags: a, b". Any thread. */
#pragma once
#include "base/str.h"
#include "value/value.h"

struct bt_blueprint {
    struct bt_str id, title, description, tags; /* All live for ever. */
    struct bt_str source;
};
/* False: there is no such one. */
bool bt_blueprint_at(size_t index, struct bt_blueprint *ret_blueprint);
bool bt_blueprint_find(struct bt_str id, struct bt_blueprint *ret_blueprint);
/* Whether it holds a text (title, description, source), and all of a list of tags (or NULL). */
bool bt_blueprint_matches(const struct bt_blueprint *blueprint, struct bt_str text,
                          const struct bt_value *tags);
/* {id, title, description, includedTasks, tags, publishedAt}; owned, NULL without memory. */
struct bt_value *bt_blueprint_shape(const struct bt_blueprint *blueprint, bool has_source);
/* [{id, name}] of all tags, as they first occur. */
struct bt_value *bt_blueprint_tags(void);
