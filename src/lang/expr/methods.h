/* methods.h — The methods of values, as rows. Private to the room. */
#pragma once
#include "lang/expr/expr_int.h"

enum bt_on {
    BT_ON_TEXT = 1,
    BT_ON_LIST = 2,
    BT_ON_MAP = 4,
    BT_ON_NUMBER = 8,
    BT_ON_BOOL = 16,
    BT_ON_ENTRY = 32,
    BT_ON_LOOP = 64,
    BT_ON_SAFE = 128,
    BT_ON_ITEMS = BT_ON_LIST | BT_ON_MAP,
    BT_ON_ANY = 255
};

/* Matched without regard to case, also with get, is or has before the name, as in the original.
 * `kinds`: of each argument: s text, i integer, * anything. */
struct bt_method {
    const char *name;
    uint8_t on; /* bt_on */
    const char *kinds;
    int (*fn)(struct bt_call *call, struct bt_value **ret_value);
};

struct bt_method_table {
    const struct bt_method *rows;
    size_t count;
};

extern const struct bt_method_table bt_methods_text;

/* Runs a filter on the input, with the call's arguments or with none. */
int bt_method_filter(struct bt_call *call, const char *name, struct bt_value **ret_value);
int bt_method_bool(struct bt_value **ret_value, bool is_true);
int bt_method_int(struct bt_call *call, int64_t number, struct bt_value **ret_value);
