/* masks.h — The secrets that an attempt has seen, to be hidden in what it tells. */
#pragma once
#include "base/buf.h"

struct bt_masks {
    char **texts; /* Owned; the longest first. Zeroed when they are freed. */
    size_t count, cap;
};

/* Remembers a secret, and each longer line of one with several. BT_NO_MEM. */
int bt_masks_add(struct bt_masks *masks, struct bt_str secret);
bool bt_masks_has(const struct bt_masks *masks, struct bt_str text); /* One stands in the text. */
/* Appends the text with every secret replaced by as many asterisks. */
int bt_masks_apply(const struct bt_masks *masks, struct bt_str text, struct bt_buf *out);
/* The same for a text that is known to hold one: the short ones are hidden everywhere too. */
int bt_masks_apply_all(const struct bt_masks *masks, struct bt_str text, struct bt_buf *out);
void bt_masks_done(struct bt_masks *masks);
