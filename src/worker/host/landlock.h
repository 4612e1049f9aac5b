/* landlock.h — What we use of Landlock, with what newer kernels know and older headers do not. */
#pragma once
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LANDLOCK_SIGNALS_VERSION = 6 };               /* Linux 6.12 */
#define LANDLOCK_SCOPE_OF_SIGNALS (UINT64_C(1) << 1) /* Since version 6. */
#define LANDLOCK_RIGHT_TRUNCATE (UINT64_C(1) << 14)  /* Since version 3. */
#define LANDLOCK_RIGHT_REFER (UINT64_C(1) << 13)     /* Since version 2. */
/* Those that fit a rule for a file that is no directory. */
#define LANDLOCK_RIGHTS_OF_FILES (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_RIGHT_TRUNCATE)

/* struct landlock_ruleset_attr of version 6. */
struct landlock_rules {
    uint64_t handled_access_fs, handled_access_net, scoped;
};

/* 0 or less: this kernel has none, or it is switched off. */
static inline long landlock_version(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/* An older kernel refuses a longer struct only when something is set in it that it does not know.
 */
static inline size_t landlock_rules_size(long version)
{
    return version >= LANDLOCK_SIGNALS_VERSION ? sizeof(struct landlock_rules) : sizeof(uint64_t);
}

/* All that changes files. */
static inline uint64_t landlock_write_rights(long version)
{
    return (uint64_t)LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
           LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
           LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
           LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
           LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM |
           (version >= 2 ? LANDLOCK_RIGHT_REFER : 0) | (version >= 3 ? LANDLOCK_RIGHT_TRUNCATE : 0);
}
