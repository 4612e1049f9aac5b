/* random.h — Random bytes of the operating system, for seeds, ids and tokens. */
#pragma once
#include <stddef.h>
#include <stdint.h>

void bt_random_bytes(void *at, size_t len); /* Aborts when the kernel has none. */
uint64_t bt_random_u64(void);
