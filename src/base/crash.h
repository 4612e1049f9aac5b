/* crash.h — Named points at which a test lets this process die as by kill -9: BATON_CRASH_AT=NAME:N
 * in its environment, the N-th time that it comes by. Without that a point costs a load. */
#pragma once
#include <stddef.h>

extern const char *bt_crash_name; /* NULL: at none. */

void bt_crash_init(void); /* Reads the environment; at the start of the program. */
void bt_crash_pass(const char *name);

#define BT_CRASH_POINT(name)                                                                       \
    do {                                                                                           \
        if (__builtin_expect(bt_crash_name != NULL, 0))                                            \
            bt_crash_pass(name);                                                                   \
    } while (0)
