/* slot_host.h — A slot whose attempt runs in a plugin host instead of a command. */
#pragma once
#include "worker/worker_int.h"

/* Renders the properties and keeps the order for the host. */
int slot_host_plan(struct slot *slot, struct bt_err *err);
/* dir.c: the attempt takes the directory that its host-to-be kept: true; else it makes one. */
bool slot_host_take_dir(struct slot *slot);
/* dir.c: before the release: the host keeps the directory when it is as new. */
void slot_host_keep_dir(struct slot *slot);
/* Hands the order to a host. BT_ABORTED: the warden was killed. */
int slot_host_spawn(struct slot *slot, struct bt_err *err);
void slot_host_on_socket(struct slot *slot, uint32_t events);
void slot_host_on_output(struct slot *slot, int which);
void slot_host_on_event(struct slot *slot, const struct bt_warden_event *event);
/* Ends a host that does not take the order, without its slot. */
void slot_host_retire(struct slot *slot);
/* The answer to a flush: NULL, or why the events are not durable. */
void slot_host_flushed(struct slot *slot, const char *error);
/* The helper thread's work for the host, and what follows it. */
void slot_host_help(struct slot *slot);
void slot_host_helped(struct slot *slot);
/* The host's processes are gone, or it never had any: the slot has no host any more. */
void slot_host_drop(struct slot *slot);
/* The outputs of the attempt: NULL without memory. */
struct bt_value *slot_host_outputs(const struct slot *slot);
void slot_host_done(struct slot *slot); /* Frees what the attempt kept. */

/* message.c: one message of the plugin. BT_INVALID, BT_LIMIT: it is none of the protocol. */
int slot_host_message(struct slot *slot, struct bt_str text, struct bt_err *err);
/* ask.c: what the plugin asks for, put into the map `reply`. */
int slot_host_render(struct slot *slot, const struct bt_value *message, struct bt_value *reply,
                     struct bt_err *err);
int slot_host_encrypt(struct slot *slot, const struct bt_value *message, struct bt_value *reply,
                      struct bt_err *err);
/* Tells the plugin that its events are durable, or why not. */
int slot_host_answer_flush(struct slot *slot, const char *error, struct bt_err *err);
/* Tells the plugin what the helper did. */
int slot_host_answer(struct slot *slot, enum help kind, struct bt_err *err);
