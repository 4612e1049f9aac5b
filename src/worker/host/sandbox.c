/* sandbox.c — Asks the kernel what it offers. Changes nothing. */
#include "worker/host/sandbox.h"

#include "base/own.h"

#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PRIVILEGES, MEMORY, TIME, FILES, PARTS };

const struct bt_sandbox_part *bt_sandbox_probe(size_t *ret_count)
{
    static struct bt_sandbox_part parts[PARTS] = {
        [PRIVILEGES] = {.name = "no new privileges",
                        .use = "set-uid programs gain nothing in a plugin"},
        [MEMORY] = {.name = "memory limit",
                    .is_there = true,
                    .use = "limits.memory_mib of plugin.json, hostLimits.memory of a task"},
        [TIME] = {.name = "processor time limit",
                  .is_there = true,
                  .use = "limits.cpu_s of plugin.json, hostLimits.cpu of a task"},
        [FILES] = {.name = "files (Landlock)"},
    };
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    parts[PRIVILEGES].is_there = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) >= 0;
    parts[FILES].is_there = version > 0;
    parts[FILES].use =
        version > 0 ? "a plugin with \"sandbox\": \"files\" writes only beneath its work directory"
                    : "a plugin with \"sandbox\": \"files\" cannot run: needs Linux 5.13 with "
                      "Landlock switched on (lsm=landlock,…)";
    *ret_count = BT_COUNT(parts);
    return parts;
}
