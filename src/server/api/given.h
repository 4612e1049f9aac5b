/* given.h — The inputs of a form: of a flow that starts, or of one that is resumed. */
#pragma once
#include "server/api/api.h"

/* What a form holds, sorted into inputs and files. */
struct bt_given {
    struct bt_value *inputs; /* Map of texts by input id. Owned. */
    struct bt_input_file *files;
    size_t file_count;
};
/* `given` is zeroed; done with even after an error. What is no input of the set is left out, as the
 * original does; but for files, which are refused. */
int bt_given_read(struct bt_request *request, const struct bt_input_set *set,
                  struct bt_given *given, struct bt_err *err);
void bt_given_done(struct bt_given *given);
/* Answers an invalid input with its id as path; BT_INVALID when *err is about something else. */
int bt_given_refuse(struct bt_request *request, struct bt_err *err);
/* Answers what each input would be, with all that is wrong. */
int bt_given_check(struct bt_request *request, const struct bt_flow *flow,
                   const struct bt_input_set *set, struct bt_err *err);
