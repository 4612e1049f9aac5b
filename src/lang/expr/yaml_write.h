/* yaml_write.h — Values to YAML text. */
#pragma once
#include "value/value.h"

/* Block style, lists indented by one blank, quotes only where needed, a line break at the end. */
int bt_yaml_write(const struct bt_value *value, struct bt_buf *out, struct bt_err *err);
