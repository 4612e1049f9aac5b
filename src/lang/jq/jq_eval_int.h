/* jq_eval_int.h — The frame of an expression under evaluation. Private to the evaluator. */
#pragma once
#include "lang/jq/jq_int.h"

/* A sink that knows the expression that it serves. */
struct bt_jq_frame {
    struct bt_jq_sink sink;
    struct bt_jq *jq;
    const struct bt_jq_node *node;
    const struct bt_jq_env *env;
    struct bt_jq_in in;
    struct bt_jq_sink *next;
    const struct bt_value *left; /* Of binary operators: the right side comes first. */
    struct bt_value *held;       /* Owned, of those that keep a value. */
    const void *call;            /* A call whose parameters are being bound. */
    size_t index;
    bool flag;
};

typedef int (*bt_jq_step)(struct bt_jq_sink *sink, struct bt_jq_in out);

static inline struct bt_jq_frame *bt_jq_frame_of(struct bt_jq_sink *sink)
{
    return (struct bt_jq_frame *)(void *)sink;
}

/* Evaluates `part` of the frame's expression over its input, without paths. */
static inline int bt_jq_each(struct bt_jq_frame *frame, const struct bt_jq_node *part,
                             bt_jq_step step)
{
    frame->sink.fn = step;
    return bt_jq_eval(frame->jq, part, frame->env, (struct bt_jq_in){frame->in.value, NULL},
                      &frame->sink);
}

/* jq_bind.c */
int bt_jq_eval_as(struct bt_jq_frame *self);
int bt_jq_eval_reduce(struct bt_jq_frame *self);
int bt_jq_eval_foreach(struct bt_jq_frame *self);
int bt_jq_eval_update(struct bt_jq_frame *self);
int bt_jq_eval_call(struct bt_jq_frame *self);
int bt_jq_eval_variable(struct bt_jq_frame *self);
int bt_jq_eval_def(struct bt_jq_frame *self);
