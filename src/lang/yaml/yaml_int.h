/* yaml_int.h — What the sources of this room share. */
#pragma once
#include "lang/yaml/yaml.h"

/* Size, UTF-8 and control characters. */
int bt_yaml_check(struct bt_str source, struct bt_diags *diags);

/* Closes a map whose pairs are set: reports duplicate keys and resolves merge keys. `ret_added` is
 * the number of nodes that merging added. */
int bt_yaml_map_close(struct bt_arena *arena, struct bt_yaml_node *map, size_t *ret_added,
                      struct bt_diags *diags);

/* Whether a flow map that was just closed is `{{ … }}` without quotes; then it is reported and
 * becomes a scalar with the text of the source. */
bool bt_yaml_unquoted(struct bt_str source, struct bt_yaml_node *map, struct bt_diags *diags);
/* Whether nothing but white space stands from this line on. */
bool bt_yaml_is_end(struct bt_str source, uint32_t line);
/* Explains a syntax error of the reader at this place. */
void bt_yaml_explain(struct bt_str source, struct bt_mark at, const char *msg,
                     struct bt_diags *diags);
