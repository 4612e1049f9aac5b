/* state_test.c — Goal: the table of states is the one the engine and the API rely on. Method: names
 * there and back, ended states, and every move compared with a table written by hand. */
#include "model/state.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < BT_STATE_COUNT; i++) {
        enum bt_state back = BT_STATE_COUNT;
        const char *name = bt_state_name((enum bt_state)i);
        assert_true(bt_state_parse(bt_str_of(name), &back));
        assert_int_equal(back, i);
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(name, bt_state_name((enum bt_state)j));
    }
    static const char *const wrong[] = {"", "created", "CREATED ", "CREATE", "CREATEDD", "UNKNOWN"};
    for (size_t i = 0; i < BT_COUNT(wrong); i++) {
        enum bt_state back = BT_KILLING;
        assert_false(bt_state_parse(bt_str_of(wrong[i]), &back));
        assert_int_equal(back, BT_KILLING); /* Not written. */
    }
}

static void test_ended(void **state)
{
    (void)state;
    static const enum bt_state ended[] = {BT_SUCCESS,   BT_WARNING, BT_FAILED, BT_KILLED,
                                          BT_CANCELLED, BT_RETRIED, BT_SKIPPED};
    size_t count = 0;
    for (unsigned i = 0; i < BT_STATE_COUNT; i++)
        count += bt_state_is_ended((enum bt_state)i);
    assert_int_equal(count, BT_COUNT(ended));
    for (size_t i = 0; i < BT_COUNT(ended); i++)
        assert_true(bt_state_is_ended(ended[i]));
}

/* A row and a column per state in the order of the enum; x: the move is legal. */
static const char *const moves[BT_STATE_COUNT] = {
    /*             C R P S K S W F K C Q R R S
     *             r u a t i u a a i a u g d k */
    /* CREATED */ ".xx.xxxxxxxx.x",
    /* RUNNING */ "..x.xxxxxx.xxx",
    /* PAUSED  */ ".x.xxxxxxx.x..",
    /* RESTART */ ".xx.xxxxxxxx.x",
    /* KILLING */ "........x.....",
    /* SUCCESS */ ".x.x.xxxxx....",
    /* WARNING */ ".x.x.xxxxx....",
    /* FAILED  */ ".x.x.xxxxx....",
    /* KILLED  */ ".x.x.xxxxx....",
    /* CANCEL  */ ".x.x.xxxxx....",
    /* QUEUED  */ ".x..x..xxx....",
    /* RETRYNG */ "xxx.xxxxxx....",
    /* RETRIED */ "..............",
    /* SKIPPED */ "...x..........",
};

static void test_moves(void **state)
{
    (void)state;
    for (unsigned from = 0; from < BT_STATE_COUNT; from++)
        for (unsigned to = 0; to < BT_STATE_COUNT; to++)
            if (bt_state_is_legal((enum bt_state)from, (enum bt_state)to) !=
                (moves[from][to] == 'x'))
                fail_msg("%s to %s", bt_state_name((enum bt_state)from),
                         bt_state_name((enum bt_state)to));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_ended),
        cmocka_unit_test(test_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
