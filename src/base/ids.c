/* ids.c — Time-ordered identifiers. */
#include "base/ids.h"

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

struct bt_id bt_id_make(int64_t now_ms, uint64_t random_high, uint64_t random_low)
{
    unsigned __int128 number = (unsigned __int128)((uint64_t)now_ms & 0xFFFFFFFFFFFFu) << 80 |
                               (unsigned __int128)random_high << 16 | (random_low & 0xFFFFu);
    struct bt_id id;
    /* Two steps of 64-bit arithmetic: 62^10 fits, so the 128-bit division is done twice only. */
    const uint64_t chunk = 839299365868340224u; /* 62^10 */
    size_t at = BT_ID_LEN;
    for (int part = 0; part < 3; part++) {
        uint64_t low = part < 2 ? (uint64_t)(number % chunk) : (uint64_t)number;
        number /= chunk;
        for (size_t digits = part < 2 ? 10 : 2; digits > 0; digits--) {
            id.text[--at] = alphabet[low % 62];
            low /= 62;
        }
    }
    id.text[BT_ID_LEN] = '\0';
    return id;
}

bool bt_id_is_valid(struct bt_str text)
{
    if (text.len != BT_ID_LEN)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')))
            return false;
    }
    return true;
}
