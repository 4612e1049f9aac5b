/* tags.h — Tags of workers: words of letters, digits, '.', '_' and '-'; several as "a,b". */
#pragma once
#include "base/str.h"

bool bt_tag_is_valid(struct bt_str tag);
/* Of a whole text "a,b"; empty is none, which is fine. */
bool bt_tags_are_valid(struct bt_str tags);
/* Whether all of `wanted` are among `tags`. */
bool bt_tags_have(struct bt_str tags, struct bt_str wanted);
