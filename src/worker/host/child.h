/* child.h — What the worker tells a new host process, as arguments. */
#pragma once

enum child_arg {
    CHILD_ARG_NAME,       /* "bt-host" */
    CHILD_ARG_PLUGIN,     /* Name of the plugin. */
    CHILD_ARG_FILE,       /* Its shared object or executable. */
    CHILD_ARG_EXECUTABLE, /* "1": an executable. */
    CHILD_ARG_DIR,        /* The worker's directory. */
    CHILD_ARG_SANDBOX,    /* enum bt_sandbox, as a number. */
    CHILD_ARG_COUNT,
};

/* Exit codes that say why a host never became one. */
enum { CHILD_EXIT_CONFINE = 124, CHILD_EXIT_EXEC = 126 };

/* The host process, from its birth to its end. `socket` stands at descriptor 3. */
int bt_host_child(int argc, char **argv);
