/* environment.c — Values for expressions from the environment. */
#include "config/environment.h"

#include "base/utf8.h"
#include "value/json.h"

#include <stdlib.h>

#define GLOBALS_NAME "BATON_GLOBALS"

extern char **environ;

int bt_environment_envs(struct bt_value **ret_envs, struct bt_err *err)
{
    static const char *const prefixes[] = {"KESTRA_", "BATON_"};
    BT_VALUE envs = bt_map_new(0);
    for (char **env = environ; *env; env++) {
        for (size_t i = 0; i < BT_COUNT(prefixes); i++) {
            struct bt_str text = bt_str_of(*env), prefix = bt_str_of(prefixes[i]);
            ptrdiff_t equals = bt_str_find(text, BT_STR("="), 0);
            if (!bt_str_starts(text, prefix) || equals < (ptrdiff_t)prefix.len ||
                bt_str_starts(text, BT_STR(GLOBALS_NAME "=")))
                continue;
            char name[256];
            size_t len = (size_t)equals - prefix.len;
            if (len == 0 || len >= sizeof name)
                continue;
            for (size_t j = 0; j < len; j++) {
                char c = text.at[prefix.len + j];
                name[j] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
            }
            struct bt_str value = bt_str_slice(text, (size_t)equals + 1, text.len);
            if (!bt_utf8_is_valid(text, NULL))
                continue; /* What is no text could not be stored. */
            if (bt_map_put(envs, (struct bt_str){name, len}, bt_value_string(value)) < 0)
                return bt_fail_mem(err, "environment");
        }
    }
    *ret_envs = BT_TAKE(envs);
    return BT_OK;
}

int bt_environment_globals(struct bt_value **ret_globals, struct bt_err *err)
{
    const char *text = getenv(GLOBALS_NAME);
    BT_VALUE globals = NULL;
    if (!text || !*text)
        return BT_OK;
    if (bt_json_parse(bt_str_of(text), NULL, &globals, NULL) < 0 ||
        !bt_value_is(globals, BT_KIND_MAP)) {
        (void)bt_fail(err, BT_INVALID, "the environment variable %s is no JSON object",
                      GLOBALS_NAME);
        return bt_hint(err, "write it as %s='{\"name\": \"value\"}'", GLOBALS_NAME);
    }
    *ret_globals = BT_TAKE(globals);
    return BT_OK;
}
