/* world.h — What jobs ask of the server (worker/world.h), answered from its environment, its
 * database, its logs and its key. Reads only what is committed. Any thread. */
#pragma once
#include "journal/journal.h"
#include "store/sqlite/db.h"
#include "store/vault/vault.h"
#include "sys/clock.h"
#include "worker/world.h"

struct bt_server_world; /* Opaque. */

/* `db_path`: read over a connection of its own. `logs` and `vault` are borrowed. */
int bt_server_world_open(const char *db_path, struct bt_logs *logs, const struct bt_vault *vault,
                         struct bt_server_world **ret_world, struct bt_err *err);
struct bt_server_world *bt_server_world_close(struct bt_server_world *world); /* Accepts NULL. */
struct bt_world bt_server_world(struct bt_server_world *world);               /* Borrows it. */

/* Key-values as they are committed; expired ones too. */
int bt_server_world_kv(struct bt_server_world *world, struct bt_kv_place place, struct bt_str key,
                       struct bt_kv **ret_kv, struct bt_err *err);
int bt_server_world_kv_list(struct bt_server_world *world, struct bt_kv_place place,
                            const struct bt_kv_query *query, struct bt_err *err);

/* secret('my_key') → the text of which SECRET_MY_KEY of this process's environment is the base64.
 */
int bt_env_secret(struct bt_str key, struct bt_value **ret_text, struct bt_err *err);
