/* jq_cache.c — Programs as they were parsed, a few for each thread: a template in a loop runs the
 * same one again and again. Nothing of a run stays in one. */
#include "lang/jq/jq_int.h"

#include <pthread.h>
#include <stdlib.h>

enum { PROGRAMS = 8, TEXT_BYTES_MAX = 4096 };

struct cache {
    struct bt_jq_program programs[PROGRAMS];
    uint64_t clock;
};

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool has_key;

void bt_jq_program_done(struct bt_jq_program *program)
{
    for (size_t i = 0; i < program->jq.values_count; i++)
        bt_value_unref(program->jq.values[i]);
    free(program->jq.values);
    bt_value_unref(program->jq.error);
    bt_arena_done(&program->jq.arena);
    free(program->text);
    *program = (struct bt_jq_program){0};
}

static void cache_free(void *data)
{
    struct cache *cache = data;
    for (size_t i = 0; i < PROGRAMS; i++)
        bt_jq_program_done(&cache->programs[i]);
    free(cache);
}

static void make_key(void)
{
    has_key = pthread_key_create(&key, cache_free) == 0;
}

static struct cache *cache_of_thread(void)
{
    (void)pthread_once(&once, make_key); /* Cannot fail with these arguments. */
    if (!has_key)
        return NULL;
    struct cache *cache = pthread_getspecific(key);
    if (!cache && (cache = calloc(1, sizeof *cache)) && pthread_setspecific(key, cache) != 0) {
        free(cache);
        cache = NULL;
    }
    return cache;
}

struct bt_jq_program *bt_jq_cached(struct bt_str text)
{
    struct cache *cache = text.len <= TEXT_BYTES_MAX ? cache_of_thread() : NULL;
    for (size_t i = 0; cache && i < PROGRAMS; i++) {
        struct bt_jq_program *program = &cache->programs[i];
        if (!program->node || !bt_str_eq((struct bt_str){program->text, program->len}, text))
            continue;
        program->used = ++cache->clock;
        return program;
    }
    return NULL;
}

bool bt_jq_cache(struct bt_jq_program *program)
{
    struct cache *cache = program->len <= TEXT_BYTES_MAX ? cache_of_thread() : NULL;
    if (!cache)
        return false;
    struct bt_jq_program *oldest = &cache->programs[0];
    for (size_t i = 1; i < PROGRAMS; i++)
        if (cache->programs[i].used < oldest->used) /* An empty one was never used. */
            oldest = &cache->programs[i];
    bt_jq_program_done(oldest);
    *oldest = *program;
    oldest->used = ++cache->clock;
    return true;
}
