/* options.c — Reading of command lines. */
#include "cli/options.h"

#include "base/num.h"
#include "base/own.h"

static const struct bt_flag *find(const struct bt_options *options, const char *text)
{
    for (size_t i = 0; i < options->flag_count; i++) {
        const struct bt_flag *flag = &options->flags[i];
        size_t len = strlen(flag->name);
        bool is_short = flag->letter && text[0] == '-' && text[1] == flag->letter && !text[2];
        bool is_long = strncmp(text, flag->name, len) == 0 && (!text[len] || text[len] == '=');
        if (is_short || is_long)
            return flag;
    }
    return NULL;
}

static int unknown(const struct bt_options *options, const char *text, struct bt_err *err)
{
    const char *names[32];
    size_t known = 0;
    for (size_t i = 0; i < options->flag_count && known < BT_COUNT(names); i++)
        names[known++] = options->flags[i].name;
    const char *near = bt_str_nearest(bt_str_of(text), names, known);
    (void)bt_fail(err, BT_INVALID, "unknown option '%s'", text);
    if (near)
        return bt_hint(err, "did you mean '%s'?", near);
    return bt_hint(err, "'baton %s --help' lists the options", options->command);
}

/* The value of the flag at argv[*at]; moves *at over it. NULL: it is missing. */
static const char *value_of(const struct bt_flag *flag, int argc, char **argv, int *at)
{
    const char *equals = argv[*at][1] == '-' ? strchr(argv[*at], '=') : NULL;
    if (equals)
        return equals + 1;
    if (!flag->has_value)
        return "";
    return ++*at == argc ? NULL : argv[*at];
}

static int take_flag(struct bt_options *options, const struct bt_flag *flag, const char *text,
                     struct bt_err *err)
{
    if (!text)
        return bt_fail(err, BT_INVALID, "%s needs a value", flag->name);
    if (flag->value) {
        *flag->value = text;
        return BT_OK;
    }
    if (options->repeated_count == options->repeated_max)
        return bt_fail(err, BT_INVALID, "%s is given too often", flag->name);
    options->repeated[options->repeated_count++] = (struct bt_repeated){flag->letter, text};
    return BT_OK;
}

int bt_options_read(struct bt_options *options, int argc, char **argv, struct bt_err *err)
{
    options->positional_count = options->repeated_count = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return BT_NOT_FOUND;
        const struct bt_flag *flag = find(options, argv[i]);
        if (flag)
            BT_TRY(take_flag(options, flag, value_of(flag, argc, argv, &i), err));
        else if (argv[i][0] == '-' && argv[i][1])
            return unknown(options, argv[i], err);
        else if (options->positional_count == options->positional_max)
            return bt_fail(err, BT_INVALID, "'%s' is one argument too many", argv[i]);
        else
            options->positional[options->positional_count++] = argv[i];
    }
    return BT_OK;
}

int bt_option_number(const struct bt_number_option *option, const char *text, unsigned *ret_number,
                     struct bt_err *err)
{
    uint64_t number = option->absent;
    if (text && (!bt_parse_u64(bt_str_of(text), &number) || number < option->least ||
                 number > option->most))
        return bt_fail(err, BT_INVALID, "%s must be a number from %u to %u", option->name,
                       option->least, option->most);
    *ret_number = (unsigned)number;
    return BT_OK;
}
