/* flow_text.h — Changes in the text of a flow that leave everything else, comments too, as it is.
 * Pure. */
#pragma once
#include "base/buf.h"
#include "value/value.h"

/* The next document of a text that may hold several, separated by lines "---". *at begins at 0.
 * False: there is no more. Empty ones are left out. */
bool bt_flow_text_next(struct bt_str text, size_t *at, struct bt_str *ret_document);
/* A property of the flow itself, a scalar: its value is replaced, or it gets a line of its own
 * behind the flow's name. BT_INVALID: the text is no flow. */
int bt_flow_text_set(struct bt_str source, const char *name, struct bt_str value,
                     struct bt_buf *out, struct bt_err *err);
/* The task with this id, wherever it stands, becomes `task` (a map). BT_NOT_FOUND. */
int bt_flow_text_put_task(struct bt_str source, struct bt_str id, const struct bt_value *task,
                          struct bt_buf *out, struct bt_err *err);
/* The text without a line "revision: N" at its beginning. */
struct bt_str bt_flow_text_bare(struct bt_str source);
/* The task or trigger with this id in a flow's tree, or NULL. Borrowed. */
const struct bt_value *bt_flow_tree_task(const struct bt_value *tree, struct bt_str id);
