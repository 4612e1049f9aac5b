/* bus.c — Watchers by execution, in a map of lists; those of everything in a list of their own. */
#include "service/bus.h"

#include "base/map64.h"

#include <pthread.h>
#include <stdlib.h>

struct bt_watch {
    struct bt_watch *next, *previous;
    uint64_t exec;
    void (*changed)(void *data, const struct bt_change *change);
    void *data;
};

struct bt_bus {
    pthread_mutex_t lock;
    struct bt_map64 by_exec; /* key → the first of a list */
    struct bt_watch *of_all;
};

struct bt_bus *bt_bus_new(void)
{
    struct bt_bus *bus = calloc(1, sizeof *bus);
    if (bus)
        (void)pthread_mutex_init(&bus->lock, NULL); /* Cannot fail with default attributes. */
    return bus;
}

struct bt_bus *bt_bus_free(struct bt_bus *bus)
{
    if (!bus)
        return NULL;
    bt_map64_done(&bus->by_exec);
    (void)pthread_mutex_destroy(&bus->lock);
    free(bus);
    return NULL;
}

static void tell(struct bt_watch *watch, const struct bt_change *change)
{
    for (; watch; watch = watch->next)
        watch->changed(watch->data, change);
}

void bt_bus_publish(void *data, const struct bt_change *changes, size_t count)
{
    struct bt_bus *bus = data;
    (void)pthread_mutex_lock(&bus->lock); /* Cannot fail on a default mutex. */
    for (size_t i = 0; i < count && (bus->of_all || bus->by_exec.count); i++) {
        tell(bus->of_all, &changes[i]);
        tell(bt_map64_get(&bus->by_exec, changes[i].exec->key), &changes[i]);
    }
    (void)pthread_mutex_unlock(&bus->lock);
}

struct bt_watch *bt_bus_watch(struct bt_bus *bus, uint64_t exec,
                              void (*changed)(void *data, const struct bt_change *change),
                              void *data)
{
    struct bt_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    *watch = (struct bt_watch){.exec = exec, .changed = changed, .data = data};
    (void)pthread_mutex_lock(&bus->lock);
    watch->next = exec ? bt_map64_get(&bus->by_exec, exec) : bus->of_all;
    if (watch->next)
        watch->next->previous = watch;
    if (exec)
        bt_map64_put(&bus->by_exec, exec, watch);
    else
        bus->of_all = watch;
    (void)pthread_mutex_unlock(&bus->lock);
    return watch;
}

/* With the lock held: the list begins with another one, or is no more. */
static void set_first(struct bt_bus *bus, uint64_t exec, struct bt_watch *first)
{
    if (!exec)
        bus->of_all = first;
    else if (first)
        bt_map64_put(&bus->by_exec, exec, first);
    else
        (void)bt_map64_remove(&bus->by_exec, exec); /* It is the watch that goes. */
}

void bt_bus_unwatch(struct bt_bus *bus, struct bt_watch *watch)
{
    if (!watch)
        return;
    (void)pthread_mutex_lock(&bus->lock);
    if (watch->next)
        watch->next->previous = watch->previous;
    if (watch->previous)
        watch->previous->next = watch->next;
    else
        set_first(bus, watch->exec, watch->next);
    (void)pthread_mutex_unlock(&bus->lock);
    free(watch);
}
