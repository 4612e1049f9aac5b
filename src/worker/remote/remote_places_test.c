/* Goal: places (engine/job.h) and folders over the worker protocol. Method: as in remote_test.c. */
#include "worker/remote/remote_server_case.h"

#include "sys/fs.h"
#include "worker/remote/address.h"
#include "worker/remote/remote_files.h"

/* --- Places -------------------------------------------------------------------------------------
 */

static void submit_to(uint64_t place, enum bt_place_op op)
{
    struct bt_job *job = case_job(flow, next_token++);
    job->place = (struct bt_place){.id = place, .op = op, .saves_cache = true};
    bt_hub_submit(hub, job);
}

static size_t count_released(struct fake *fake)
{
    (void)pthread_mutex_lock(&fake->lock);
    size_t count = fake->released.count;
    (void)pthread_mutex_unlock(&fake->lock);
    return count;
}

/* All jobs of a place reach the worker that opened it, with what the engine said of them. */
static void test_places(void **state)
{
    (void)state;
    struct fake one = {0}, two = {0};
    struct bt_client *clients[] = {start_client(&one, NULL), start_client(&two, NULL)};
    for (int ms = 0; ms < 5000 && bt_hub_counts(hub).members < 2; ms++)
        (void)poll(NULL, 0, 1);
    uint64_t results = 0;
    for (uint64_t place = UINT64_MAX; place > UINT64_MAX - 20; place--) {
        submit_to(place, BT_PLACE_OPEN);
        assert_true(counter_wait(&counter, &counter.results, results += 1));
        for (int i = 0; i < 3; i++)
            submit_to(place, BT_PLACE_IN);
        assert_true(counter_wait(&counter, &counter.results, results += 3));
        submit_to(place, BT_PLACE_CLOSE);
        assert_true(counter_wait(&counter, &counter.results, results += 1));
    }
    assert_int_equal(bt_hub_counts(hub).places, 0);
    for (size_t i = 0; i < 2; i++)
        bt_client_stop(clients[i], 1000);
    assert_int_equal(one.strays + two.strays, 0);
    assert_int_equal(one.opened, 10); /* They take turns. */
    assert_int_equal(two.opened, 10);
    assert_int_equal(counter.lost, 0);
}

static void test_place_release(void **state)
{
    (void)state;
    struct fake fake = {0};
    struct bt_client *client = start_client(&fake, NULL);
    submit_to(7, BT_PLACE_OPEN);
    assert_true(counter_wait(&counter, &counter.results, 1));
    bt_hub_release(hub, 7);
    for (int ms = 0; ms < 5000 && count_released(&fake) == 0; ms++)
        (void)poll(NULL, 0, 1);
    assert_int_equal(count_released(&fake), 1);
    submit_to(7, BT_PLACE_IN);
    assert_true(counter_wait(&counter, &counter.lost, 1));
    int64_t begin_us = bt_clock_mono_us(bt_clock_system());
    bt_client_stop(client, 5000); /* Nothing is open: it does not wait. */
    assert_true(bt_clock_mono_us(bt_clock_system()) - begin_us < 3000000);
}

/* The worker does not know the place: the job is lost, and the place with it. */
static void test_place_lost(void **state)
{
    (void)state;
    struct fake fake = {0};
    struct bt_client *client = start_client(&fake, NULL);
    submit_to(7, BT_PLACE_OPEN);
    assert_true(counter_wait(&counter, &counter.results, 1));
    fake.is_losing = true;
    submit_to(7, BT_PLACE_IN);
    assert_true(counter_wait(&counter, &counter.lost, 1));
    assert_int_equal(bt_hub_counts(hub).places, 0);
    submit(1);
    assert_true(counter_wait(&counter, &counter.results, 2));
    bt_client_stop(client, 1000);
}

/* A worker that drains ends what it has begun, and begins nothing. */
static void test_place_drain(void **state)
{
    (void)state;
    struct fake fake = {0};
    struct bt_client *client = start_client(&fake, NULL);
    submit_to(7, BT_PLACE_OPEN);
    assert_true(counter_wait(&counter, &counter.results, 1));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stop_slowly, client), 0);
    (void)poll(NULL, 0, 300);
    submit_to(7, BT_PLACE_IN);
    assert_true(counter_wait(&counter, &counter.results, 2));
    submit(1); /* Not for this one. */
    submit_to(7, BT_PLACE_CLOSE);
    (void)pthread_join(thread, NULL);
    assert_true(counter_wait(&counter, &counter.results, 3));
    assert_int_equal(counter.lost, 0);
    assert_int_equal(bt_hub_counts(hub).waiting, 1);
}

/* The server is another one: the worker brings its places along. */
static void test_place_adopted(void **state)
{
    (void)state;
    struct fake fake = {0};
    struct bt_listener_config config = {.hub = hub,
                                        .address = NULL,
                                        .token = "secret secret secret",
                                        .heartbeat_ms = 400,
                                        .lost_ms = 2000};
    char address[BT_ADDRESS_SIZE];
    (void)snprintf(address, sizeof address, "%s", bt_listener_address(listener));
    config.address = address;
    struct bt_client *client = start_client(&fake, NULL);
    submit_to(7, BT_PLACE_OPEN);
    submit_to(8, BT_PLACE_OPEN);
    assert_true(counter_wait(&counter, &counter.results, 2));
    listener = bt_listener_stop(listener);
    hub = bt_hub_free(hub);
    config.hub = hub = counter_hub(&counter);
    assert_int_equal(bt_listener_start(&config, &listener, NULL), BT_OK);
    submit_to(7, BT_PLACE_IN);
    submit_to(9, BT_PLACE_IN); /* Nobody has it: lost when all have had their time. */
    assert_true(counter_wait(&counter, &counter.results, 3));
    assert_int_equal(bt_hub_counts(hub).places, 2);
    assert_true(counter_wait(&counter, &counter.lost, 1));
    bt_client_stop(client, 0);
    wait_until_gone();
    assert_int_equal(fake.strays, 0);
}

/* Silent for too long: its places are no more, and its jobs begin anew elsewhere. */
static void test_place_fence(void **state)
{
    (void)state;
    struct fake fake = {0};
    char address[BT_ADDRESS_SIZE];
    (void)snprintf(address, sizeof address, "%s", bt_listener_address(listener));
    struct bt_client *client = start_client(&fake, NULL);
    submit_to(7, BT_PLACE_OPEN);
    assert_true(counter_wait(&counter, &counter.results, 1));
    listener = bt_listener_stop(listener);
    for (int ms = 0; ms < 5000 && count_released(&fake) == 0; ms++)
        (void)poll(NULL, 0, 1);
    assert_int_equal(count_released(&fake), 1);
    submit_to(7, BT_PLACE_IN);
    bt_hub_expect(hub, false);
    assert_true(counter_wait(&counter, &counter.lost, 1));
    bt_client_stop(client, 0);
}

/* --- Folders ------------------------------------------------------------------------------------
 */

static int add_uri(void *data, struct bt_str uri)
{
    return bt_buf_addf(data, "%.*s|", BT_FMT(uri));
}

/* A worker sees the folders of the server's storage as the server does. */
static void test_folders(void **state)
{
    (void)state;
    char root[] = "/tmp/bt-remote-XXXXXX";
    struct bt_files *local = NULL, *remote = NULL;
    struct bt_file_writer *writer = NULL;
    struct bt_err err = BT_ERR_INIT;
    assert_non_null(mkdtemp(root));
    assert_int_equal(bt_files_open_local(root, &local, NULL), BT_OK);
    assert_int_equal(bt_files_create(local, "main", BT_STR("baton:///a/b/c.txt"), &writer, NULL),
                     BT_OK);
    assert_int_equal(bt_file_write(writer, "12345", 5, NULL), BT_OK);
    assert_int_equal(bt_file_commit(writer, NULL), BT_OK);
    listener = bt_listener_stop(listener);
    struct bt_listener_config config = {
        .hub = hub, .files = local, .address = "127.0.0.1:0", .token = "secret secret secret"};
    assert_int_equal(bt_listener_start(&config, &listener, NULL), BT_OK);
    assert_int_equal(bt_files_open_remote(bt_listener_address(listener), "secret secret secret",
                                          root, &remote, NULL),
                     BT_OK);
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1000);
    static const struct bt_str folders[] = {BT_STR("baton:///a/"), BT_STR("baton:///none/")};
    for (size_t i = 0; i < BT_COUNT(folders); i++)
        assert_int_equal(bt_files_walk(remote, "main",
                                       &(struct bt_files_walk){folders[i], NULL, add_uri, &text},
                                       NULL),
                         BT_OK);
    assert_string_equal(bt_buf_cstr(&text), "baton:///a/b/c.txt|");
    struct bt_file_info here, there;
    struct bt_str uri = BT_STR("baton:///a/b/c.txt");
    assert_int_equal(bt_files_stat(local, "main", uri, &here, NULL), BT_OK);
    assert_int_equal(bt_files_stat(remote, "main", uri, &there, NULL), BT_OK);
    assert_false(there.is_folder);
    assert_int_equal(there.size_bytes, 5);
    assert_int_equal(there.modified_us, here.modified_us);
    assert_int_equal(there.created_us, here.created_us);
    assert_int_equal(bt_files_stat(remote, "main", BT_STR("baton:///a/x"), &there, &err),
                     BT_NOT_FOUND);
    (void)bt_files_close(remote);
    listener = bt_listener_stop(listener);
    (void)bt_files_close(local);
    assert_int_equal(bt_fs_remove_tree(AT_FDCWD, root, NULL), BT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_places),      CASE(test_place_release), CASE(test_place_lost),
        CASE(test_place_drain), CASE(test_place_adopted), CASE(test_place_fence),
        CASE(test_folders),
    };
    return cmocka_run_group_tests_name("remote places", tests, NULL, NULL);
}
