/* diags.h — Diagnostics of a file as people read them: place, message, the line, a hint. */
#pragma once
#include "base/diag.h"
#include "value/value.h"

#include <stdio.h>

/* Prints all diagnostics of one file; `name` stands before each place. In colour when the stream is
 * a terminal (NO_COLOR is honoured). */
void bt_cli_print_diags(FILE *out, const char *name, struct bt_str source,
                        const struct bt_diags *diags);
/* The same for programs: a list of maps; NULL without memory. */
struct bt_value *bt_cli_diags_value(const struct bt_diags *diags);
