/* glob.h — Patterns for paths: `*` and `?` within a part, `**` across parts, [a-z], [!a-z], {a,b},
 * `\` before a character that stands for itself. Pure; time is bounded by pattern × path. */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct bt_glob; /* Opaque, immutable. */

/* BT_INVALID: unbalanced brackets; BT_LIMIT: too long, or too many {,}. */
int bt_glob_parse(struct bt_str pattern, struct bt_glob **ret_glob, struct bt_err *err);
struct bt_glob *bt_glob_free(struct bt_glob *glob); /* Accepts and returns NULL. */
/* The pattern matches one path only: itself. */
bool bt_glob_is_literal(const struct bt_glob *glob);
/* A relative path with '/' between its parts. A leading double star and slash match nothing too. */
bool bt_glob_match(const struct bt_glob *glob, struct bt_str path);
