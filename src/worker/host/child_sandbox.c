/* child_sandbox.c — What a host process gives up before it loads a plugin. */
#include "plugin/type.h"
#include "worker/host/child_int.h"
#include "worker/host/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

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

static bool use_landlock(unsigned sandbox, const char *write_dir)
{
    long version = landlock_version();
    bool has_files = (sandbox & BT_SANDBOX_FILES) != 0;
    bool has_signals = (sandbox & BT_SANDBOX_SIGNALS) != 0;
    uint64_t rights = landlock_write_rights(version);
    struct landlock_rules rules = {
        .handled_access_fs = has_files ? rights : 0,
        .scoped = has_signals ? LANDLOCK_SCOPE_OF_SIGNALS : 0,
    };
    int ruleset =
        (int)syscall(SYS_landlock_create_ruleset, &rules, landlock_rules_size(version), 0);
    if (ruleset < 0)
        return false;
    bool is_ok =
        !has_files || (allow_beneath(ruleset, write_dir, rights) &&
                       allow_beneath(ruleset, "/dev/null", rights & LANDLOCK_RIGHTS_OF_FILES));
    is_ok = is_ok && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    (void)close(ruleset); /* In force already. */
    return is_ok;
}

bool child_confine(unsigned sandbox, const char *write_dir, const char **ret_why)
{
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* Every kernel that we run on has it. */
    *ret_why = "Landlock refused the rules";
    if ((sandbox & (BT_SANDBOX_FILES | BT_SANDBOX_SIGNALS)) && !use_landlock(sandbox, write_dir))
        return false;
    *ret_why = "seccomp refused the filter";
    return !(sandbox & BT_SANDBOX_SYSCALLS) || child_deny_syscalls();
}
