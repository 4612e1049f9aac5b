/* vec.h — Growing arrays for rooms that stop the program when memory runs out.
 *
 * Used where going on without memory is worse than stopping: the runner's batch is then not
 * committed, and the next start goes on from the last commit. */
#pragma once
#include <stddef.h>
#include <stdlib.h>

/* An array type: struct { int *items; size_t count, cap; } */
#define BT_VEC(type)                                                                               \
    struct {                                                                                       \
        type *items;                                                                               \
        size_t count, cap;                                                                         \
    }

/* Room for one more item; aborts without memory. */
void bt_vec_grow(void **items, size_t *cap, size_t count, size_t item_size);

/* Adds an item at the end. */
#define bt_vec_push(vec, item)                                                                     \
    do {                                                                                           \
        if ((vec)->count == (vec)->cap)                                                            \
            bt_vec_grow((void **)&(vec)->items, &(vec)->cap, (vec)->count, sizeof *(vec)->items);  \
        (vec)->items[(vec)->count++] = (item);                                                     \
    } while (0)

#define bt_vec_done(vec)                                                                           \
    do {                                                                                           \
        free((vec)->items);                                                                        \
        (vec)->items = NULL;                                                                       \
        (vec)->count = (vec)->cap = 0;                                                             \
    } while (0)

/* Says `what` on standard error and aborts. */
_Noreturn void bt_die(const char *what);
