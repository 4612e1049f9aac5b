/* ids.h — Public identifiers: 22 base-62 characters, ordered by creation time.
 *
 * 48 bits of milliseconds since 1970 and 80 random bits make a 128-bit number, written in base 62
 * with leading zeros, most significant digit first; the digits are in ASCII order (0-9A-Za-z), so
 * byte order is time order. */
#pragma once
#include "base/str.h"

enum { BT_ID_LEN = 22 };

struct bt_id {
    char text[BT_ID_LEN + 1]; /* Terminated by NUL. */
};

/* Makes an id from a time and two random words (of the second only 16 bits are used). Pure. */
struct bt_id bt_id_make(int64_t now_ms, uint64_t random_high, uint64_t random_low);
bool bt_id_is_valid(struct bt_str text); /* 22 characters of the alphabet. */

static inline struct bt_str bt_id_str(const struct bt_id *id)
{
    return (struct bt_str){id->text, strlen(id->text)};
}
