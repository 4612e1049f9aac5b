/* code_text.h — Codings of bytes as text: base64, form encoding, hex. Private to the room. */
#pragma once
#include "base/buf.h"

int bt_base64_encode(struct bt_str bytes, struct bt_buf *out);
/* BT_INVALID: not base64 (padding may be missing). */
int bt_base64_decode(struct bt_str text, struct bt_buf *out);
int bt_form_encode(struct bt_str text, struct bt_buf *out);
int bt_form_decode(struct bt_str text, struct bt_buf *out); /* BT_INVALID: a broken escape. */
/* Bytes as UTF-8, with U+FFFD for what is none, as Java does it. */
int bt_utf8_mend(struct bt_str bytes, struct bt_buf *out);
int bt_hex_encode(struct bt_str bytes, struct bt_buf *out);
