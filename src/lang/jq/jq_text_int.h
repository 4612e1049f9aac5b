/* jq_text_int.h — Functions of texts that jq_builtin.c lists. Private to the room. */
#pragma once
#include "lang/jq/jq_int.h"

/* jq_text.c: functions of texts, for the table of jq_builtin.c. */
int bt_jq_fn_delpaths(struct bt_jq *jq, const struct bt_value *in,
                      const struct bt_value *const *args, struct bt_value **ret_value);
int bt_jq_fn_downcase(struct bt_jq *jq, const struct bt_value *in,
                      const struct bt_value *const *args, struct bt_value **ret_value);
int bt_jq_fn_endswith(struct bt_jq *jq, const struct bt_value *in,
                      const struct bt_value *const *args, struct bt_value **ret_value);
int bt_jq_fn_env(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                 struct bt_value **ret_value);
int bt_jq_fn_explode(struct bt_jq *jq, const struct bt_value *in,
                     const struct bt_value *const *args, struct bt_value **ret_value);
int bt_jq_fn_format(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                    struct bt_value **ret_value);
int bt_jq_fn_fromdate(struct bt_jq *jq, const struct bt_value *in,
                      const struct bt_value *const *args, struct bt_value **ret_value);
int bt_jq_fn_implode(struct bt_jq *jq, const struct bt_value *in,
                     const struct bt_value *const *args, struct bt_value **ret_value);
int bt_jq_fn_indices(struct bt_jq *jq, const struct bt_value *in,
                     const struct bt_value *const *args, struct bt_value **ret_value);
int bt_jq_fn_join(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                  struct bt_value **ret_value);
int bt_jq_fn_ltrimstr(struct bt_jq *jq, const struct bt_value *in,
                      const struct bt_value *const *args, struct bt_value **ret_value);
int bt_jq_fn_match(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                   struct bt_value **ret_value);
int bt_jq_fn_rtrimstr(struct bt_jq *jq, const struct bt_value *in,
                      const struct bt_value *const *args, struct bt_value **ret_value);
int bt_jq_fn_setpath(struct bt_jq *jq, const struct bt_value *in,
                     const struct bt_value *const *args, struct bt_value **ret_value);
int bt_jq_fn_split(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                   struct bt_value **ret_value);
int bt_jq_fn_startswith(struct bt_jq *jq, const struct bt_value *in,
                        const struct bt_value *const *args, struct bt_value **ret_value);
int bt_jq_fn_todate(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                    struct bt_value **ret_value);
int bt_jq_fn_upcase(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                    struct bt_value **ret_value);
