/* exec_form.c — Inputs and labels of the command line, as a form. */
#include "cli/cmd_exec_int.h"

#include "base/own.h"

#include <stdlib.h>
#include <string.h>

struct bt_exec_form *bt_exec_form_new(void)
{
    struct bt_exec_form *form = calloc(1, sizeof *form);
    if (form)
        form->query = (struct bt_buf)BT_BUF_INIT(32u << 10);
    return form;
}

void bt_exec_form_free(struct bt_exec_form *form)
{
    for (size_t i = 0; form && i < form->part_count; i++)
        free(form->names[i]);
    if (form)
        bt_buf_done(&form->query);
    free(form);
}

int bt_exec_form_take(struct bt_exec_form *form, const struct bt_repeated *given,
                      struct bt_err *err)
{
    const char *equals = strchr(given->text, '=');
    if (!equals || equals == given->text)
        return bt_fail(err, BT_INVALID, "'%s' is not NAME=VALUE", given->text);
    struct bt_str name = {given->text, (size_t)(equals - given->text)};
    if (given->letter == 'l') {
        (void)bt_buf_adds(&form->query, "&labels="); /* Checked by the caller. */
        (void)bt_client_escape(name, &form->query);
        (void)bt_buf_adds(&form->query, "%3A");
        (void)bt_client_escape(bt_str_of(equals + 1), &form->query);
        return BT_OK;
    }
    char *copy = bt_str_dup(name);
    if (!copy)
        return bt_fail_mem(err, "inputs");
    form->names[form->part_count] = copy;
    const char *path = given->letter == 'f' ? equals + 1 + (equals[1] == '@') : NULL;
    form->parts[form->part_count++] = (struct bt_client_part){copy, path ? NULL : equals + 1, path};
    return BT_OK;
}
