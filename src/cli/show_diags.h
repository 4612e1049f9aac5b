/* show_diags.h — Diagnostics of a file as people read them: place, message, the line, a hint. */
#pragma once
#include "base/diag.h"
#include "value/value.h"

#include <stdio.h>

/* Prints all diagnostics of one file. `name` is shown before each place. */
void bt_show_diags(FILE *out, const char *name, struct bt_str source, const struct bt_diags *diags,
                   bool has_colour);
/* The same for programs: a list of maps; NULL without memory. */
struct bt_value *bt_diags_value(const struct bt_diags *diags);
/* Whether a stream is a terminal that wants colours (NO_COLOR is honoured). */
bool bt_wants_colour(FILE *out);
