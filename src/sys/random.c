/* random.c — getrandom(2). */
#include "sys/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void bt_random_bytes(void *at, size_t len)
{
    char *byte = at;
    while (len > 0) {
        ssize_t got = getrandom(byte, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort();
        byte += got;
        len -= (size_t)got;
    }
}

uint64_t bt_random_u64(void)
{
    uint64_t word;
    bt_random_bytes(&word, sizeof word);
    return word;
}
