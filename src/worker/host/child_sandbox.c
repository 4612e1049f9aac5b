/* child_sandbox.c — What a host process gives up before it loads a plugin. */
#include "worker/host/child_int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* All that changes files; what a kernel does not know is taken out by its version. */
static const uint64_t write_rights = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                                     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                                     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

static bool allow_beneath(int ruleset, const char *path, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights};
    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    bool is_ok = rule.parent_fd >= 0 &&
                 syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    if (rule.parent_fd >= 0)
        (void)close(rule.parent_fd); /* Only a name. */
    return is_ok;
}

bool child_confine(const char *write_dir, const char **ret_why)
{
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* Every kernel that we run on has it. */
    if (!write_dir[0])
        return true;
    struct landlock_ruleset_attr rules = {.handled_access_fs = write_rights};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
    *ret_why = "this kernel has no Landlock";
    if (ruleset < 0)
        return false;
    bool is_ok = allow_beneath(ruleset, write_dir, write_rights) &&
                 allow_beneath(ruleset, "/dev/null", LANDLOCK_ACCESS_FS_WRITE_FILE) &&
                 syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    *ret_why = "Landlock refused the rules";
    (void)close(ruleset); /* In force already. */
    return is_ok;
}
