/* level.c — Names of log levels. */
#include "base/level.h"

static const char *const names[BT_LEVEL_COUNT] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};

const char *bt_level_name(enum bt_level level)
{
    return (unsigned)level < BT_LEVEL_COUNT ? names[level] : "UNKNOWN";
}

bool bt_level_parse(struct bt_str text, enum bt_level *ret_level)
{
    for (unsigned level = 0; level < BT_LEVEL_COUNT; level++) {
        if (bt_str_is(text, names[level])) {
            *ret_level = (enum bt_level)level;
            return true;
        }
    }
    return false;
}
