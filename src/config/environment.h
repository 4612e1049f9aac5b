/* environment.h — What the environment gives to expressions. */
#pragma once
#include "value/value.h"

/* KESTRA_X and BATON_X become envs.x: an owned map. */
int bt_environment_envs(struct bt_value **ret_envs, struct bt_err *err);
/* What {{ globals.x }} gives: JSON. Left alone when there is none. */
int bt_environment_globals(struct bt_value **ret_globals, struct bt_err *err);
