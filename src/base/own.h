/* own.h — Ownership of locals: cleanup at scope exit, and transfer out of it. */
#pragma once

/* Runs `fn(&variable)` when the variable leaves its scope. */
#define BT_CLEANUP(fn) __attribute__((cleanup(fn)))

/* Gives the pointer away: evaluates to it and leaves NULL behind. */
#define BT_TAKE(pointer)                                                                           \
    ({                                                                                             \
        __typeof__(pointer) bt_taken_ = (pointer);                                                 \
        (pointer) = NULL;                                                                          \
        bt_taken_;                                                                                 \
    })

/* Defines `name`_p(T **) for use with BT_CLEANUP, for a destructor `name` that accepts NULL. */
#define BT_CLEANUP_DEFINE(name, type)                                                              \
    static inline void name##_p(type **pointer)                                                    \
    {                                                                                              \
        if (*pointer)                                                                              \
            name(*pointer);                                                                        \
    }

/* Marks a structure member to its container. */
#define BT_CONTAINER(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define BT_COUNT(array) (sizeof(array) / sizeof *(array))
