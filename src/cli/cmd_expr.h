/* cmd_expr.h — `baton expr`: renders an expression over variables from a file. */
#pragma once

/* The command line from the command's name on. Returns the exit status: 0, or 2 for a bad
 * expression, context or command line. */
int bt_cmd_expr(int argc, char **argv);
