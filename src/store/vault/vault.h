/* vault.h — The key that seals texts with secrets before they are kept (value/sealed.h).
 * AES-256-GCM; a sealed text opens only for the tenant and namespace that it was sealed for. Any
 * thread. */
#pragma once
#include "value/value.h"

struct bt_vault; /* Opaque. */

/* The key in the file `name` of a directory, made there (mode 0600) at the first use. NULL: a key
 * that is never stored. */
int bt_vault_open(const char *dir, const char *name, struct bt_vault **ret_vault,
                  struct bt_err *err);
struct bt_vault *bt_vault_close(struct bt_vault *vault); /* Accepts and returns NULL. */

/* Whose texts. Borrowed names. */
struct bt_vault_place {
    const char *tenant, *namespace;
};

/* `masked` (borrowed) is what people see. */
int bt_vault_seal(const struct bt_vault *vault, struct bt_vault_place place, struct bt_str text,
                  const struct bt_value *masked, struct bt_value **ret_sealed);
/* BT_DENIED: it was sealed elsewhere, or changed. */
int bt_vault_unseal(const struct bt_vault *vault, struct bt_vault_place place,
                    const struct bt_value *sealed, struct bt_value **ret_text, struct bt_err *err);
