/* sealed.h — How a text that holds a secret looks wherever it is kept or shown: encrypted, in the
 * form of the original, with the masked text beside it.
 *
 *     {"type": "io.kestra.datatype:aes_encrypted", "value": BASE64, "masked": "Bearer ******"}
 *
 * Only a worker's surroundings can open it (store/vault/vault.h). */
#pragma once
#include "value/value.h"

#define BT_SEALED_TYPE "io.kestra.datatype:aes_encrypted"

/* Both texts are taken; NULL without memory. */
struct bt_value *bt_sealed_new(struct bt_value *cipher, struct bt_value *masked);
bool bt_sealed_is(const struct bt_value *value);
/* Whether it is one, or holds one at any depth. */
bool bt_sealed_has(const struct bt_value *value);
/* Of a sealed value: the masked text, borrowed (a STRING or NULL). */
struct bt_value *bt_sealed_masked(const struct bt_value *value);
/* A copy with every sealed value replaced by what `open` gives for its cipher text (owned). Values
 * without any are shared. */
int bt_sealed_replace(const struct bt_value *value,
                      int (*open)(void *data, const struct bt_value *sealed,
                                  struct bt_value **ret_value, struct bt_err *err),
                      void *data, struct bt_value **ret_value, struct bt_err *err);
