/* crash.c — Deaths on demand, for tests of what survives them. */
#include "base/crash.h"

#include "base/num.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *bt_crash_name;
static char name_copy[64];
static atomic_int passes_left;

void bt_crash_init(void)
{
    const char *wish = getenv("BATON_CRASH_AT"), *colon = wish ? strchr(wish, ':') : NULL;
    uint64_t passes;
    if (!colon || (size_t)(colon - wish) >= sizeof name_copy ||
        !bt_parse_u64(bt_str_of(colon + 1), &passes) || passes == 0 || passes > 1000000)
        return;
    memcpy(name_copy, wish, (size_t)(colon - wish));
    passes_left = (int)passes;
    bt_crash_name = name_copy;
}

void bt_crash_pass(const char *name)
{
    if (strcmp(name, bt_crash_name) == 0 && atomic_fetch_sub(&passes_left, 1) == 1)
        (void)kill(getpid(), SIGKILL);
}
