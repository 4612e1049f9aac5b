/* hub_places.c — Places: which member has which, and the jobs that must go to it. Under the hub's
 * mutex, but for the doors. */
#include "worker/hub_int.h"

#include <assert.h>

bool hub_is_bound(const struct bt_job *job)
{
    return !job->templates && (job->place.op == BT_PLACE_IN || job->place.op == BT_PLACE_CLOSE);
}

static void lose(struct bt_job *job, verdict_vec *verdicts)
{
    struct verdict verdict = {.job = job, .stub = hub_stub(job), .is_lost = true};
    bt_vec_push(verdicts, verdict);
}

/* --- Seats ------------------------------------------------------------------------------------ */

static void release(const struct seat *seat)
{
    const struct bt_member *member = seat->member;
    if (member->ops.release)
        member->ops.release(member->data, seat->place);
}

void hub_seat(struct bt_hub *hub, struct bt_member *member, uint64_t place)
{
    assert(place != 0);
    struct seat *seat = bt_map64_get(&hub->seats, place);
    if (seat && seat->member != member)
        release(seat); /* Opened anew elsewhere. */
    if (!seat) {
        seat = malloc(sizeof *seat);
        if (!seat)
            bt_die("out of memory");
        bt_map64_put(&hub->seats, place, seat);
    }
    *seat = (struct seat){place, member};
}

/* What waits for the place is lost. */
static void unseat(struct bt_hub *hub, const struct seat *seat, verdict_vec *verdicts)
{
    struct bt_member *member = seat->member;
    size_t kept = 0;
    for (size_t i = 0; i < member->bound.count; i++) {
        struct bt_job *job = member->bound.items[i];
        if (job->place.id == seat->place)
            lose(job, verdicts);
        else
            member->bound.items[kept++] = job;
    }
    member->bound.count = kept;
    free(bt_map64_remove(&hub->seats, seat->place));
}

void hub_unseat_ended(struct bt_hub *hub, const struct bt_job *stub, enum bt_state state)
{
    bool is_over = stub->place.op == BT_PLACE_CLOSE ||
                   (stub->place.op == BT_PLACE_OPEN && state != BT_SUCCESS);
    if (is_over) /* Nobody waits for it: the engine has sent the last of it. */
        free(bt_map64_remove(&hub->seats, stub->place.id));
}

void hub_unseat_lost(struct bt_hub *hub, const struct bt_job *stub, verdict_vec *verdicts)
{
    const struct seat *seat =
        stub->place.op == BT_PLACE_NONE ? NULL : bt_map64_get(&hub->seats, stub->place.id);
    if (!seat)
        return;
    release(seat); /* It may have it all the same. */
    unseat(hub, seat, verdicts);
}

typedef BT_VEC(const struct seat *) seat_vec;

/* The seats of a member. The caller frees the list. */
static seat_vec seats_of(const struct bt_hub *hub, const struct bt_member *member)
{
    seat_vec seats = {0};
    for (size_t i = 0; i < hub->seats.cap; i++) {
        const struct seat *seat = hub->seats.slots[i].value;
        if (seat && seat->member == member)
            bt_vec_push(&seats, seat);
    }
    return seats;
}

void hub_unseat_member(struct bt_hub *hub, struct bt_member *member, verdict_vec *verdicts)
{
    seat_vec seats = seats_of(hub, member);
    for (size_t i = 0; i < seats.count; i++)
        unseat(hub, seats.items[i], verdicts);
    bt_vec_done(&seats);
    assert(member->bound.count == 0);
    if (!hub->is_closed)
        return;
    for (size_t i = 0; i < verdicts->count; i++) /* The next start takes them up again. */
        bt_job_free(verdicts->items[i].job);
    verdicts->count = 0;
}

/* --- Jobs ------------------------------------------------------------------------------------- */

void hub_bind(struct bt_hub *hub, struct bt_job *job, verdict_vec *verdicts)
{
    const struct seat *seat = bt_map64_get(&hub->seats, job->place.id);
    if (seat) {
        bt_vec_push(&seat->member->bound, job);
        hub_give_bound(hub, seat->member);
    } else if (hub->is_expecting || hub->is_closed) {
        bt_vec_push(&hub->homeless, job);
    } else {
        lose(job, verdicts);
    }
}

void hub_give_bound(struct bt_hub *hub, struct bt_member *member)
{
    size_t given = 0, count = member->bound.count;
    while (given < count && member->credit > 0 && !member->is_away && !hub->is_closed)
        hub_give(hub, member, member->bound.items[given++]);
    if (given > 0)
        memmove(member->bound.items, member->bound.items + given,
                (count - given) * sizeof *member->bound.items);
    member->bound.count = count - given;
}

void hub_lose_homeless(struct bt_hub *hub, verdict_vec *verdicts)
{
    for (size_t i = 0; i < hub->homeless.count; i++)
        lose(hub->homeless.items[i], verdicts);
    hub->homeless.count = 0;
}

static struct bt_job *take(struct bt_job **jobs, size_t *count, uint64_t token)
{
    for (size_t i = 0; i < *count; i++) {
        struct bt_job *job = jobs[i];
        if (job->token != token)
            continue;
        memmove(jobs + i, jobs + i + 1, (*count - i - 1) * sizeof *jobs);
        --*count;
        return job;
    }
    return NULL;
}

struct bt_job *hub_take_bound(struct bt_hub *hub, uint64_t token)
{
    struct bt_job *job = take(hub->homeless.items, &hub->homeless.count, token);
    for (size_t i = 0; i < hub->members.count && !job; i++) {
        struct bt_member *member = hub->members.items[i];
        job = take(member->bound.items, &member->bound.count, token);
    }
    return job;
}

size_t hub_count_bound(const struct bt_hub *hub)
{
    size_t count = hub->homeless.count;
    for (size_t i = 0; i < hub->members.count; i++)
        count += hub->members.items[i]->bound.count;
    return count;
}

void hub_places_done(struct bt_hub *hub)
{
    for (size_t i = 0; i < hub->homeless.count; i++)
        bt_job_free(hub->homeless.items[i]);
    bt_vec_done(&hub->homeless);
    assert(hub->seats.count == 0); /* Members have left. */
    bt_map64_done(&hub->seats);
}

/* --- Doors ------------------------------------------------------------------------------------ */

void bt_hub_release(void *data, uint64_t place)
{
    struct bt_hub *hub = data;
    verdict_vec verdicts = {0};
    hub_lock(hub);
    const struct seat *seat = bt_map64_get(&hub->seats, place);
    if (seat && !hub->is_closed) {
        release(seat);
        unseat(hub, seat, &verdicts);
    }
    hub_unlock(hub);
    hub_tell(hub, &verdicts);
}

bool bt_hub_adopt_place(struct bt_member *member, uint64_t place)
{
    struct bt_hub *hub = member->hub;
    size_t kept = 0;
    hub_lock(hub);
    bool is_free = place != 0 && !bt_map64_get(&hub->seats, place);
    if (is_free)
        hub_seat(hub, member, place);
    for (size_t i = 0; is_free && i < hub->homeless.count; i++) {
        struct bt_job *job = hub->homeless.items[i];
        if (job->place.id == place)
            bt_vec_push(&member->bound, job);
        else
            hub->homeless.items[kept++] = job;
    }
    if (is_free) {
        hub->homeless.count = kept;
        hub_give_bound(hub, member);
    }
    hub_unlock(hub);
    return is_free;
}

void bt_hub_check_places(struct bt_member *member, const uint64_t *places, size_t count)
{
    struct bt_hub *hub = member->hub;
    struct bt_map64 named = {0};
    verdict_vec verdicts = {0};
    hub_lock(hub);
    for (size_t i = 0; i < count; i++) {
        const struct seat *seat = bt_map64_get(&hub->seats, places[i]);
        bt_map64_put(&named, places[i], member);
        if (!seat || seat->member != member)
            release(&(struct seat){places[i], member});
    }
    seat_vec seats = seats_of(hub, member);
    for (size_t i = 0; i < seats.count; i++)
        if (!bt_map64_get(&named, seats.items[i]->place))
            unseat(hub, seats.items[i], &verdicts);
    hub_unlock(hub);
    bt_vec_done(&seats);
    bt_map64_done(&named);
    hub_tell(hub, &verdicts);
}
