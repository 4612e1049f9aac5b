/* seal.h — The encrypted form of a text that the original's clients know. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "value/value.h"

/* {"value": …, "type": "io.kestra.datatype:aes_encrypted"}: base64 of 12 bytes of nonce, the text
 * by AES-GCM, 16 bytes of tag. `key` is base64 of 32 bytes. *ret_value is owned. Any thread. */
int bt_seal(struct bt_str key, struct bt_str text, struct bt_value **ret_value, struct bt_err *err);
