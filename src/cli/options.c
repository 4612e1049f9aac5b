/* options.c — Reading of command lines. */
#include "cli/options.h"

#include "base/num.h"
#include "base/own.h"

static const struct bt_flag *find(const struct bt_flag *flags, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(flags[i].name);
        bool is_short = flags[i].letter && text[0] == '-' && text[1] == flags[i].letter && !text[2];
        bool is_long = strncmp(text, flags[i].name, len) == 0 && (!text[len] || text[len] == '=');
        if (is_short || is_long)
            return &flags[i];
    }
    return NULL;
}

static int unknown(const char *command, const char *text, const struct bt_flag *flags, size_t count,
                   struct bt_err *err)
{
    const char *names[32];
    size_t known = 0;
    for (size_t i = 0; i < count && known < BT_COUNT(names); i++)
        names[known++] = flags[i].name;
    const char *near = bt_str_nearest(bt_str_of(text), names, known);
    (void)bt_fail(err, BT_INVALID, "unknown option '%s'", text);
    if (near)
        return bt_hint(err, "did you mean '%s'?", near);
    return bt_hint(err, "'baton %s --help' lists the options", command);
}

int bt_options_read(const char *command, int argc, char **argv, const struct bt_flag *flags,
                    size_t flag_count, const char **positional, size_t *positional_count,
                    struct bt_err *err)
{
    size_t cap = *positional_count;
    *positional_count = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return BT_NOT_FOUND;
        const struct bt_flag *flag = find(flags, flag_count, argv[i]);
        if (!flag && argv[i][0] == '-' && argv[i][1])
            return unknown(command, argv[i], flags, flag_count, err);
        if (!flag && *positional_count == cap)
            return bt_fail(err, BT_INVALID, "'%s' is one argument too many", argv[i]);
        if (!flag) {
            positional[(*positional_count)++] = argv[i];
            continue;
        }
        const char *equals = argv[i][1] == '-' ? strchr(argv[i], '=') : NULL;
        *flag->value = equals ? equals + 1 : "";
        if (flag->has_value && !equals) {
            if (++i == argc)
                return bt_fail(err, BT_INVALID, "%s needs a value", flag->name);
            *flag->value = argv[i];
        }
    }
    return BT_OK;
}

int bt_option_number(const char *name, const char *text, unsigned least, unsigned most,
                     unsigned absent, unsigned *ret_number, struct bt_err *err)
{
    uint64_t number = absent;
    if (text && (!bt_parse_u64(bt_str_of(text), &number) || number < least || number > most))
        return bt_fail(err, BT_INVALID, "%s must be a number from %u to %u", name, least, most);
    *ret_number = (unsigned)number;
    return BT_OK;
}
