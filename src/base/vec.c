/* vec.c — Growth of arrays. */
#include "base/vec.h"

#include <stdint.h>
#include <stdio.h>

void bt_die(const char *what)
{
    (void)fprintf(stderr, "baton: fatal: %s\n", what); /* Nothing else can be done. */
    abort();
}

void bt_vec_grow(void **items, size_t *cap, size_t count, size_t item_size)
{
    size_t want = count < 4 ? 8 : count * 2;
    size_t bytes;
    if (__builtin_mul_overflow(want, item_size, &bytes))
        bt_die("out of memory");
    void *grown = realloc(*items, bytes);
    if (!grown)
        bt_die("out of memory");
    *items = grown;
    *cap = want;
}
