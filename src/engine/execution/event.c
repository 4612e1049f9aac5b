/* event.c — Ownership of events and effects. */
#include "engine/execution/event.h"

void bt_event_done(struct bt_event *event)
{
    event->outputs = bt_value_unref(event->outputs);
    event->metrics = bt_value_unref(event->metrics);
    event->error = bt_value_unref(event->error);
}

void bt_effect_done(struct bt_effect *effect)
{
    effect->value = bt_value_unref(effect->value);
    effect->templates = bt_value_unref(effect->templates);
    bt_event_done(&effect->event);
}
