/* cmd_validate.h — `baton validate`: checks flow files without running or storing them. */
#pragma once

/* argv[0] is "validate". Returns the exit code: 0 all valid, 2 some are not (or wrong usage). */
int bt_cmd_validate(int argc, char **argv);
