/* filter.c — Names and words to numbers of flows, times to keys. */
#include "store/sqlite/filter.h"

#include <stdlib.h>
#include <strings.h>

enum { WORDS_MAX = 16, IDS_MAX = 10000, FLOWS_SOUGHT_MAX = 64 };

static const char sql_flows[] =
    "SELECT key,namespace,id FROM flows WHERE tenant=?1 ORDER BY namespace,id";
static const char sql_tenants[] =
    "SELECT (SELECT min(tenant) FROM flows)=?1 AND (SELECT max(tenant) FROM flows)=?1";
static const char sql_last_key[] = "SELECT coalesce(max(key),0) FROM executions";
static const char sql_start[] = "SELECT key,start_us FROM executions WHERE key>=?1 ORDER BY key"
                                " LIMIT 1";
static const char sql_ids[] =
    "SELECT key,flow,state FROM executions INDEXED BY executions_id"
    " WHERE tenant=?1 AND id>=?2 AND id<?2||'~' ORDER BY id DESC LIMIT ?3";
static const char sql_combos[] =
    "SELECT flow,state,count FROM rollups WHERE kind=0 AND period=0 AND flow>0";
static const char sql_combos_of[] =
    "SELECT flow,state,count FROM rollups WHERE kind=0 AND period=0 AND flow=?1";
static const char sql_exec[] = "SELECT flow,state,parent IS NOT NULL FROM executions WHERE key=?1";
static const char sql_parent[] = "SELECT parent=?2,parent IS NOT NULL FROM executions WHERE key=?1";
static const char sql_label[] = "SELECT 1 FROM labels WHERE name=?1 AND value=?2 AND exec=?3";

/* --- Text ------------------------------------------------------------------------------------- */

static bool is_letter(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (unsigned char)c >= 0x80;
}

/* The next word of a text from *at on; empty: none. */
static struct bt_str next_word(struct bt_str text, size_t *at)
{
    while (*at < text.len && !is_letter(text.at[*at]))
        (*at)++;
    size_t from = *at;
    while (*at < text.len && is_letter(text.at[*at]))
        (*at)++;
    return bt_str_slice(text, from, *at);
}

static bool starts(struct bt_str text, struct bt_str with)
{
    return text.len >= with.len && strncasecmp(text.at, with.at, with.len) == 0;
}

static bool has_word(struct bt_str text, struct bt_str word)
{
    size_t at = 0;
    for (struct bt_str found = next_word(text, &at); found.len; found = next_word(text, &at))
        if (starts(found, word))
            return true;
    return false;
}

static bool is_named(const struct bt_exec_query *query, struct bt_str namespace, struct bt_str id)
{
    for (size_t i = 0; i < query->flow_count; i++)
        if (bt_str_eq(query->flows[i].namespace, namespace) && bt_str_eq(query->flows[i].id, id))
            return true;
    return !query->flows;
}

static bool flow_matches(const struct bt_exec_query *query, struct bt_str namespace,
                         struct bt_str id)
{
    if (query->flow_id.len && !bt_str_eq(query->flow_id, id))
        return false;
    if (query->namespace.len && query->flow_id.len
            ? !bt_str_eq(query->namespace, namespace)
            : query->namespace.len && !bt_namespace_is_below(namespace, query->namespace))
        return false;
    return is_named(query, namespace, id) &&
           bt_flow_conds_hold(query->conds, query->cond_count, namespace, id);
}

/* --- Flows ------------------------------------------------------------------------------------ */

void named_flows_done(named_flows *flows)
{
    for (size_t i = 0; i < flows->count; i++) {
        free(flows->items[i].namespace);
        free(flows->items[i].id);
    }
    bt_vec_done(flows);
}

/* Words of the query, and of one flow those that it has. */
struct words {
    struct bt_str items[WORDS_MAX];
    uint32_t count;
};

static void split_words(const struct bt_exec_query *query, struct words *words)
{
    size_t at = 0;
    words->count = 0;
    while (words->count < WORDS_MAX) {
        struct bt_str word = next_word(query->text, &at);
        if (!word.len)
            return;
        words->items[words->count++] = word;
    }
}

static uint32_t words_in(const struct words *words, struct bt_str namespace, struct bt_str id)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < words->count; i++)
        if (has_word(namespace, words->items[i]) || has_word(id, words->items[i]))
            found |= 1u << i;
    return found;
}

/* A flow that matches in all but words, and the words that it has. */
struct worded_flow {
    int64_t key;
    uint32_t found;
};
typedef BT_VEC(struct worded_flow) worded_flows;

/* What the flows are wanted for: either may be NULL. */
struct flow_use {
    worded_flows *worded;
    named_flows *named; /* Those that have all words. */
};

static void use_flow(const struct flow_use *use, const struct words *words, sqlite3_stmt *statement)
{
    struct bt_str namespace = bt_db_text(statement, 1), id = bt_db_text(statement, 2);
    int64_t key = sqlite3_column_int64(statement, 0);
    uint32_t found = words_in(words, namespace, id);
    if (use->worded)
        bt_vec_push(use->worded, ((struct worded_flow){key, found}));
    if (!use->named || found != (1u << words->count) - 1)
        return;
    struct named_flow flow = {key, bt_str_dup(namespace), bt_str_dup(id)};
    if (!flow.namespace || !flow.id)
        bt_die("out of memory");
    bt_vec_push(use->named, flow);
}

static int each_flow(struct bt_db *db, const struct bt_exec_query *query,
                     const struct flow_use *use, struct bt_err *err)
{
    struct words words;
    sqlite3_stmt *statement;
    bool is_row;
    split_words(query, &words);
    BT_TRY(bt_db_prepare(db, sql_flows, &statement, err));
    bt_db_bind(statement, 1, bt_str_of(query->tenant));
    BT_TRY(bt_db_step(db, statement, &is_row, err));
    while (is_row) {
        if (flow_matches(query, bt_db_text(statement, 1), bt_db_text(statement, 2)))
            use_flow(use, &words, statement);
        BT_TRY(bt_db_step(db, statement, &is_row, err));
    }
    return BT_OK;
}

int filter_flows(struct bt_db *db, const struct bt_exec_query *query, named_flows *flows,
                 struct bt_err *err)
{
    return each_flow(db, query, &(struct flow_use){.named = flows}, err);
}

static int compare_keys(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, two = *(const int64_t *)b;
    return (one > two) - (one < two);
}

static bool has_key(const int64_t *keys, size_t count, int64_t key)
{
    return count && bsearch(&key, keys, count, sizeof key, compare_keys);
}

bool filter_has_flow(const struct filter *filter, int64_t flow)
{
    return filter->has_all_flows || has_key(filter->flows.items, filter->flows.count, flow);
}

/* --- Words in ids ----------------------------------------------------------------------------- */

static int keep_id(struct filter *filter, const worded_flows *worded, const struct words *words,
                   sqlite3_stmt *statement, const char *id)
{
    int64_t key = sqlite3_column_int64(statement, 0), flow = sqlite3_column_int64(statement, 1);
    enum bt_state state;
    if (filter_has_flow(filter, flow) || !bt_state_parse(bt_db_text(statement, 2), &state) ||
        !(filter->states & 1u << state))
        return BT_OK;
    for (size_t i = 0; i < worded->count; i++) {
        if (worded->items[i].key != flow)
            continue;
        uint32_t found = worded->items[i].found;
        for (uint32_t j = 0; j < words->count; j++)
            if (bt_str_starts(bt_str_of(id), words->items[j]))
                found |= 1u << j;
        if (found == (1u << words->count) - 1)
            bt_vec_push(&filter->ids, key);
        return BT_OK;
    }
    return BT_OK;
}

/* Executions whose id begins with the word; the others' words are looked for in it as well, which
 * holds when they are beginnings of this one: so the longest word is enough. */
static int find_ids(struct filter *filter, const worded_flows *worded, const struct words *words,
                    struct bt_err *err)
{
    for (uint32_t i = 0; i < words->count; i++) {
        char id[64];
        sqlite3_stmt *statement;
        bool is_row;
        int rows = 0;
        if (words->items[i].len >= sizeof id)
            continue; /* No id is so long. */
        (void)snprintf(id, sizeof id, "%.*s", BT_FMT(words->items[i]));
        BT_TRY(bt_db_prepare(filter->db, sql_ids, &statement, err));
        bt_db_bind(statement, 1, bt_str_of(filter->query->tenant));
        bt_db_bind(statement, 2, bt_str_of(id));
        (void)sqlite3_bind_int(statement, 3, IDS_MAX);
        BT_TRY(bt_db_step(filter->db, statement, &is_row, err));
        while (is_row) {
            rows++;
            BT_TRY(keep_id(filter, worded, words, statement, id));
            BT_TRY(bt_db_step(filter->db, statement, &is_row, err));
        }
        filter->is_ids_capped = filter->is_ids_capped || rows == IDS_MAX;
    }
    if (filter->ids.count)
        qsort(filter->ids.items, filter->ids.count, sizeof *filter->ids.items, compare_keys);
    size_t kept = 0; /* Two words may have found the same one. */
    for (size_t i = 0; i < filter->ids.count; i++)
        if (i == 0 || filter->ids.items[i] != filter->ids.items[i - 1])
            filter->ids.items[kept++] = filter->ids.items[i];
    filter->ids.count = kept;
    return BT_OK;
}

static bool asks_for_flows(const struct bt_exec_query *query)
{
    return query->namespace.len || query->flow_id.len || query->text.len || query->cond_count ||
           query->flows;
}

static int resolve_flows(struct filter *filter, struct bt_err *err)
{
    const struct bt_exec_query *query = filter->query;
    struct words words;
    if (!asks_for_flows(query)) {
        sqlite3_stmt *statement;
        bool is_row;
        BT_TRY(bt_db_prepare(filter->db, sql_tenants, &statement, err));
        bt_db_bind(statement, 1, bt_str_of(query->tenant));
        BT_TRY(bt_db_step(filter->db, statement, &is_row, err));
        filter->has_all_flows = is_row && sqlite3_column_int(statement, 0) == 1;
        (void)sqlite3_reset(statement); /* Done with. */
        if (filter->has_all_flows)
            return BT_OK;
    }
    worded_flows worded = {0};
    int rc = each_flow(filter->db, query, &(struct flow_use){.worded = &worded}, err);
    split_words(query, &words);
    for (size_t i = 0; i < worded.count; i++)
        if (worded.items[i].found == (1u << words.count) - 1)
            bt_vec_push(&filter->flows, worded.items[i].key);
    if (filter->flows.count)
        qsort(filter->flows.items, filter->flows.count, sizeof *filter->flows.items, compare_keys);
    filter->has_words = words.count > 0;
    if (rc == BT_OK)
        rc = find_ids(filter, &worded, &words, err);
    bt_vec_done(&worded);
    return rc;
}

/* --- Keys ------------------------------------------------------------------------------------- */

static int ask_number(struct bt_db *db, const char *sql, int64_t *ret_number, struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bt_db_prepare(db, sql, &statement, err));
    BT_TRY(bt_db_step(db, statement, &is_row, err));
    *ret_number = is_row ? sqlite3_column_int64(statement, 0) : 0;
    (void)sqlite3_reset(statement); /* Done with. */
    return BT_OK;
}

int filter_key_at(struct bt_db *db, int64_t us, int64_t *ret_key, struct bt_err *err)
{
    int64_t from = 1, to;
    BT_TRY(ask_number(db, sql_last_key, &to, err));
    to++; /* The answer is in [from, to]. */
    while (from < to) {
        int64_t middle = from + (to - from) / 2;
        sqlite3_stmt *statement;
        bool is_row;
        BT_TRY(bt_db_prepare(db, sql_start, &statement, err));
        (void)sqlite3_bind_int64(statement, 1, middle);
        BT_TRY(bt_db_step(db, statement, &is_row, err));
        if (is_row && sqlite3_column_int64(statement, 1) < us)
            from = sqlite3_column_int64(statement, 0) + 1;
        else
            to = middle;
        (void)sqlite3_reset(statement); /* Done with. */
    }
    *ret_key = from;
    return BT_OK;
}

static int resolve_times(struct filter *filter, struct bt_err *err)
{
    const struct bt_exec_query *query = filter->query;
    filter->from_key = 1;
    filter->to_key = INT64_MAX - 1;
    filter->is_whole = !query->from_us && !query->to_us;
    if (query->from_us)
        BT_TRY(filter_key_at(filter->db, query->from_us, &filter->from_key, err));
    if (!query->to_us)
        return BT_OK;
    BT_TRY(filter_key_at(filter->db, query->to_us + 1, &filter->to_key, err));
    filter->to_key--;
    return BT_OK;
}

/* --- Counts ----------------------------------------------------------------------------------- */

static int read_combos(struct filter *filter, const char *sql, int64_t flow, struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bt_db_prepare(filter->db, sql, &statement, err));
    if (sql == sql_combos_of)
        (void)sqlite3_bind_int64(statement, 1, flow);
    BT_TRY(bt_db_step(filter->db, statement, &is_row, err));
    while (is_row) {
        struct combo combo = {.flow = sqlite3_column_int64(statement, 0),
                              .count = sqlite3_column_int64(statement, 2)};
        if (bt_state_parse(bt_db_text(statement, 1), &combo.state) &&
            (filter->states & 1u << combo.state) && combo.count > 0 &&
            filter_has_flow(filter, combo.flow)) {
            bt_vec_push(&filter->combos, combo);
            filter->ever += combo.count;
        }
        BT_TRY(bt_db_step(filter->db, statement, &is_row, err));
    }
    return BT_OK;
}

int filter_all(const struct filter *filter, int64_t *ret_count, struct bt_err *err)
{
    struct filter all = {.db = filter->db, .has_all_flows = true, .states = filter->states};
    int rc = read_combos(&all, sql_combos_of, BT_ROLL_ALL_FLOWS, err);
    *ret_count = all.ever;
    bt_vec_done(&all.combos);
    return rc;
}

static int resolve_combos(struct filter *filter, struct bt_err *err)
{
    if (filter->has_all_flows)
        return read_combos(filter, sql_combos_of, BT_ROLL_ALL_FLOWS, err);
    if (filter->flows.count > FLOWS_SOUGHT_MAX)
        return read_combos(filter, sql_combos, 0, err);
    for (size_t i = 0; i < filter->flows.count; i++)
        BT_TRY(read_combos(filter, sql_combos_of, filter->flows.items[i], err));
    return BT_OK;
}

int filter_init(struct bt_db *db, const struct bt_exec_query *query, struct filter *ret_filter,
                struct bt_err *err)
{
    *ret_filter = (struct filter){
        .db = db,
        .query = query,
        .states = query->states ? query->states : (1u << BT_STATE_COUNT) - 1,
        .has_probes = bt_value_count(query->labels) || bt_value_count(query->no_labels) ||
                      query->parent.len || query->child != BT_CHILD_ANY,
    };
    int rc = resolve_flows(ret_filter, err);
    if (rc == BT_OK)
        rc = resolve_times(ret_filter, err);
    if (rc == BT_OK)
        rc = resolve_combos(ret_filter, err);
    if (rc < 0)
        filter_done(ret_filter);
    return rc;
}

void filter_done(struct filter *filter)
{
    bt_vec_done(&filter->flows);
    bt_vec_done(&filter->ids);
    bt_vec_done(&filter->combos);
}

/* --- Looking at one --------------------------------------------------------------------------- */

static int has_label(const struct filter *filter, const struct bt_value *labels, size_t index,
                     int64_t key, bool *ret_is)
{
    sqlite3_stmt *statement;
    BT_TRY(bt_db_prepare(filter->db, sql_label, &statement, NULL));
    bt_db_bind(statement, 1, bt_map_key(labels, index));
    bt_db_bind(statement, 2, bt_value_str(bt_map_at(labels, index, NULL)));
    (void)sqlite3_bind_int64(statement, 3, key);
    BT_TRY(bt_db_step(filter->db, statement, ret_is, NULL));
    (void)sqlite3_reset(statement); /* Done with. */
    return BT_OK;
}

static int probe_labels(const struct filter *filter, int64_t key, bool *ret_is, struct bt_err *err)
{
    const struct bt_value *all = filter->query->labels, *none = filter->query->no_labels;
    bool is = true, has = false;
    int rc = BT_OK;
    for (size_t i = 0; rc == BT_OK && is && i < bt_value_count(all); i++)
        rc = has_label(filter, all, i, key, &is);
    for (size_t i = 0; rc == BT_OK && is && i < bt_value_count(none); i++) {
        rc = has_label(filter, none, i, key, &has);
        is = !has;
    }
    *ret_is = is;
    return rc < 0 ? bt_db_fail(filter->db, err, "database") : BT_OK;
}

static int probe_parent(const struct filter *filter, int64_t key, bool *ret_is, struct bt_err *err)
{
    const struct bt_exec_query *query = filter->query;
    sqlite3_stmt *statement;
    *ret_is = true;
    if (!query->parent.len && query->child == BT_CHILD_ANY)
        return BT_OK;
    BT_TRY(bt_db_prepare(filter->db, sql_parent, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, key);
    bt_db_bind(statement, 2, query->parent);
    BT_TRY(bt_db_step(filter->db, statement, ret_is, err));
    if (!*ret_is)
        return BT_OK;
    bool is_child = sqlite3_column_int(statement, 1) != 0;
    if (query->parent.len)
        *ret_is = sqlite3_column_int(statement, 0) == 1;
    if (query->child != BT_CHILD_ANY && is_child != (query->child == BT_CHILD_ONLY))
        *ret_is = false;
    (void)sqlite3_reset(statement); /* Done with. */
    return BT_OK;
}

int filter_probe_rest(const struct filter *filter, int64_t key, bool *ret_is, struct bt_err *err)
{
    BT_TRY(probe_labels(filter, key, ret_is, err));
    return *ret_is ? probe_parent(filter, key, ret_is, err) : BT_OK;
}

int filter_probe(const struct filter *filter, int64_t key, bool *ret_is, struct bt_err *err)
{
    sqlite3_stmt *statement;
    enum bt_state state;
    *ret_is = filter->has_all_flows && filter->states == (1u << BT_STATE_COUNT) - 1;
    if (*ret_is)
        return filter_probe_rest(filter, key, ret_is, err);
    BT_TRY(bt_db_prepare(filter->db, sql_exec, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, key);
    BT_TRY(bt_db_step(filter->db, statement, ret_is, err));
    if (!*ret_is)
        return BT_OK;
    *ret_is = bt_state_parse(bt_db_text(statement, 1), &state) && (filter->states & 1u << state) &&
              (filter_has_flow(filter, sqlite3_column_int64(statement, 0)) ||
               has_key(filter->ids.items, filter->ids.count, key));
    (void)sqlite3_reset(statement); /* Done with. */
    return *ret_is ? filter_probe_rest(filter, key, ret_is, err) : BT_OK;
}
