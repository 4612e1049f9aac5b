/* iso_int.h — ISO-8601 dates and times of inputs. Private to the room; pure. */
#pragma once
#include "base/str.h"

/* "2019-10-06": days since 1970. The whole text. */
bool bt_iso_date(struct bt_str text, int64_t *ret_days);
/* "18:27", "18:27:49", "18:27:49.5": microseconds of the day. The whole text. */
bool bt_iso_time(struct bt_str text, int64_t *ret_us);
/* "2019-10-06T18:27:49Z", an offset in place of the Z: microseconds since 1970. The whole text. */
bool bt_iso_instant(struct bt_str text, int64_t *ret_us);

enum { BT_ISO_INSTANT_LEN = 32 };
/* Writes "2019-10-06T18:27:49.000Z". Returns the length. */
size_t bt_iso_instant_format(int64_t us, char ret_text[BT_ISO_INSTANT_LEN]);
