/* sandbox.c — Asks the kernel what it offers. Changes nothing. */
#include "worker/host/sandbox.h"

#include "base/own.h"
#include "base/str.h"
#include "plugin/type.h"
#include "worker/host/landlock.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>

enum { PRIVILEGES, DIRECTORY, MEMORY, TIME, TREE, FILES, SIGNALS, SYSCALLS, PARTS };

static struct bt_sandbox_part parts[PARTS] = {
    [PRIVILEGES] = {.name = "no new privileges",
                    .is_there = true,
                    .use = "set-uid programs gain nothing in a plugin"},
    [DIRECTORY] = {.name = "private directory",
                   .is_there = true,
                   .use = "each task has a working and temporary directory of its own"},
    [MEMORY] = {.name = "memory limit",
                .is_there = true,
                .use = "limits.memory_mib of plugin.json, hostLimits.memory of a task"},
    [TIME] = {.name = "processor time limit",
              .is_there = true,
              .use = "limits.cpu_s of plugin.json, hostLimits.cpu of a task"},
    [TREE] = {.name = "limits of a whole task",
              .use = "limits hold for each process of a task, not for all of them together: "
                     "control groups are not used"},
    [FILES] = {.name = "files",
               .bit = BT_SANDBOX_FILES,
               .use = "a plugin with this sandbox writes only beneath the worker's directory"},
    [SIGNALS] = {.name = "signals",
                 .bit = BT_SANDBOX_SIGNALS,
                 .use = "a plugin with this sandbox signals only processes of its own"},
    [SYSCALLS] = {.name = "syscalls",
                  .bit = BT_SANDBOX_SYSCALLS,
                  .use = "a plugin with this sandbox cannot mount, trace, load modules, …"},
};

static void probe(void)
{
    long version = landlock_version();
    parts[FILES].is_there = version > 0;
    parts[SIGNALS].is_there = version >= LANDLOCK_SIGNALS_VERSION;
    parts[SYSCALLS].is_there = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
    if (!parts[FILES].is_there)
        parts[FILES].use = "the sandbox \"files\" needs Linux 5.13 with Landlock switched on "
                           "(lsm=landlock,…)";
    if (!parts[SIGNALS].is_there)
        parts[SIGNALS].use = "the sandbox \"signals\" needs Linux 6.12 with Landlock switched on "
                             "(lsm=landlock,…)";
    if (!parts[SYSCALLS].is_there)
        parts[SYSCALLS].use = "the sandbox \"syscalls\" needs a kernel with seccomp filters";
}

const struct bt_sandbox_part *bt_sandbox_probe(size_t *ret_count)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, probe); /* Valid arguments. */
    *ret_count = PARTS;
    return parts;
}

const char *bt_sandbox_missing(unsigned wanted)
{
    size_t count;
    const struct bt_sandbox_part *all = bt_sandbox_probe(&count);
    for (size_t i = 0; i < count; i++)
        if ((all[i].bit & wanted) && !all[i].is_there)
            return all[i].use;
    return NULL;
}

int bt_sandbox_wanted(unsigned *ret_sandbox, struct bt_err *err)
{
    const char *list = getenv("BATON_SANDBOX");
    unsigned sandbox = 0;
    while (list && *list) {
        struct bt_str word = {list, strcspn(list, ",")};
        unsigned bit = bt_sandbox_bit(bt_str_trim(word));
        if (bit == 0) {
            (void)bt_fail(err, BT_INVALID, "BATON_SANDBOX: '%.*s' is no sandbox", BT_FMT(word));
            return bt_hint(err, "it is a list of files, signals, syscalls, with commas");
        }
        sandbox |= bit;
        list += word.len + (list[word.len] == ',');
    }
    *ret_sandbox = sandbox;
    return BT_OK;
}
