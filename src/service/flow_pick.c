/* flow_pick.c — Which flows a list or a bulk call means, and where words stand in their sources. */
#include "service/flow_many.h"

#include "base/limits.h"
#include "base/own.h"
#include "base/vec.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Where a word occurs, from `from` on, whatever its case; -1: nowhere. */
static ptrdiff_t find_word(struct bt_str text, struct bt_str word, size_t from)
{
    for (size_t i = from; i + word.len <= text.len; i++) {
        size_t same = 0;
        while (same < word.len && lower(text.at[i + same]) == lower(word.at[same]))
            same++;
        if (same == word.len)
            return (ptrdiff_t)i;
    }
    return -1;
}

/* The next word of a text that separates them by blanks. */
static bool next_word(struct bt_str text, size_t *at, struct bt_str *ret_word)
{
    while (*at < text.len && text.at[*at] == ' ')
        ++*at;
    size_t from = *at;
    while (*at < text.len && text.at[*at] != ' ')
        ++*at;
    *ret_word = bt_str_slice(text, from, *at);
    return ret_word->len > 0;
}

static bool has_words(struct bt_str text, const struct bt_flow *flow)
{
    struct bt_str word;
    for (size_t at = 0; next_word(text, &at, &word);)
        if (find_word(bt_str_of(flow->id), word, 0) < 0 &&
            find_word(bt_str_of(flow->namespace), word, 0) < 0)
            return false;
    return true;
}

static bool has_label(const struct bt_flow *flow, const struct bt_value *labels, size_t index)
{
    struct bt_value *name = NULL;
    const struct bt_value *wanted = bt_map_at(labels, index, &name);
    const struct bt_value *have = bt_map_get(flow->labels, bt_value_str(name));
    return have && bt_str_eq(bt_value_str(have), bt_value_str(wanted));
}

static bool labels_match(const struct bt_flow_filter *filter, const struct bt_flow *flow)
{
    for (size_t i = 0; i < bt_value_count(filter->labels); i++)
        if (!has_label(flow, filter->labels, i))
            return false;
    for (size_t i = 0; i < bt_value_count(filter->no_labels); i++)
        if (has_label(flow, filter->no_labels, i))
            return false;
    return true;
}

bool bt_flow_matches(const struct bt_flow_filter *filter, const struct bt_flow *flow)
{
    struct bt_str namespace = bt_str_of(flow->namespace), id = bt_str_of(flow->id);
    return !filter->is_nothing && has_words(filter->text, flow) && labels_match(filter, flow) &&
           bt_flow_conds_hold(filter->conds, filter->cond_count, namespace, id);
}

struct finding {
    const struct bt_flow_filter *filter;
    const struct bt_found_sink *sink;
};

static int find_one(void *data, const struct bt_found_flow *found)
{
    const struct finding *finding = data;
    return bt_flow_matches(finding->filter, found->flow)
               ? finding->sink->each(finding->sink->data, found)
               : BT_OK;
}

int bt_service_find_flows(struct bt_service *service, const struct bt_principal *principal,
                          const struct bt_flow_filter *filter, const struct bt_found_sink *sink,
                          struct bt_err *err)
{
    struct finding finding = {filter, sink};
    struct bt_flow_query query = {.namespace = filter->namespace};
    return bt_service_flows(service, principal, &query, &(struct bt_found_sink){find_one, &finding},
                            err);
}

/* --- Names ------------------------------------------------------------------------------------ */

void bt_flow_names_add(struct bt_flow_names *names, struct bt_str namespace, struct bt_str id)
{
    struct bt_owned_name name = {bt_str_dup(namespace), bt_str_dup(id), 0};
    if (!name.namespace || !name.id)
        bt_die("out of memory");
    bt_vec_push(names, name);
}

void bt_flow_names_done(struct bt_flow_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->items[i].namespace);
        free(names->items[i].id);
    }
    bt_vec_done(names);
}

static int name_one(void *data, const struct bt_found_flow *found)
{
    struct bt_flow_names *names = data;
    if (names->count == BT_BULK_MAX)
        return BT_LIMIT;
    bt_flow_names_add(names, bt_str_of(found->flow->namespace), bt_str_of(found->flow->id));
    names->items[names->count - 1].revision = found->flow->revision;
    return BT_OK;
}

int bt_service_name_flows(struct bt_service *service, const struct bt_principal *principal,
                          const struct bt_flow_filter *filter, struct bt_flow_names *names,
                          struct bt_err *err)
{
    int rc = bt_service_find_flows(service, principal, filter,
                                   &(struct bt_found_sink){name_one, names}, err);
    return rc == BT_LIMIT ? bt_fail(err, BT_INVALID, "more than %u flows match: narrow the filters",
                                    BT_BULK_MAX)
                          : rc;
}

static int by_name(const void *a, const void *b)
{
    const struct bt_owned_name *one = a, *other = b;
    int order = strcmp(one->namespace, other->namespace);
    return order ? order : strcmp(one->id, other->id);
}

static int by_id(const void *a, const void *b)
{
    const struct bt_owned_name *one = a, *other = b;
    int order = strcmp(one->id, other->id);
    return order ? order : by_name(a, b);
}

static int by_revision(const void *a, const void *b)
{
    const struct bt_owned_name *one = a, *other = b;
    int order = (one->revision > other->revision) - (one->revision < other->revision);
    return order ? order : by_name(a, b);
}

void bt_flow_names_sort(struct bt_flow_names *names, enum bt_flow_sort sort, bool is_descending)
{
    static int (*const orders[])(const void *a,
                                 const void *b) = {[BT_FLOW_SORT_NAMESPACE] = by_name,
                                                   [BT_FLOW_SORT_ID] = by_id,
                                                   [BT_FLOW_SORT_REVISION] = by_revision};
    if (names->count)
        qsort(names->items, names->count, sizeof *names->items, orders[sort]);
    for (size_t i = 0; is_descending && i < names->count / 2; i++) {
        struct bt_owned_name first = names->items[i];
        names->items[i] = names->items[names->count - 1 - i];
        names->items[names->count - 1 - i] = first;
    }
}

/* --- Words in sources ------------------------------------------------------------------------- */

enum { FRAGMENTS_MAX = 10, LINES_BEFORE = 1, LINES_AFTER = 2 };

/* The earliest word from `from` on. */
static ptrdiff_t first_of(struct bt_str source, struct bt_str text, size_t from, size_t *ret_len)
{
    ptrdiff_t first = -1;
    struct bt_str word;
    for (size_t at = 0; next_word(text, &at, &word);) {
        ptrdiff_t found = find_word(source, word, from);
        if (found >= 0 && (first < 0 || found < first)) {
            first = found;
            *ret_len = word.len;
        }
    }
    return first;
}

/* The part of the source around a place: whole lines. */
static struct bt_str around(struct bt_str source, size_t at)
{
    size_t from = at, to = at;
    for (int i = 0; i <= LINES_BEFORE; i++) {
        while (from && source.at[from - 1] != '\n')
            from--;
        from -= from && i < LINES_BEFORE ? 1 : 0;
    }
    while (from && source.at[from - 1] != '\n')
        from--;
    for (int i = 0; i <= LINES_AFTER && to < source.len; i++) {
        to += to < source.len && source.at[to] == '\n';
        while (to < source.len && source.at[to] != '\n')
            to++;
    }
    return bt_str_slice(source, from, to);
}

static struct bt_value *mark(struct bt_str part, struct bt_str text)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf out = BT_BUF_INIT(BT_YAML_BYTES_MAX);
    size_t at = 0, len = 0;
    for (ptrdiff_t next; (next = first_of(part, text, at, &len)) >= 0; at = (size_t)next + len)
        (void)bt_buf_addf(&out, "%.*s[mark]%.*s[/mark]",
                          BT_FMT(bt_str_slice(part, at, (size_t)next)),
                          BT_FMT(bt_str_slice(part, (size_t)next, (size_t)next + len)));
    (void)bt_buf_add(&out, bt_str_slice(part, at, part.len)); /* Cut when it is too long. */
    return bt_value_string(bt_buf_str(&out));
}

int bt_flow_fragments(const struct bt_flow *flow, struct bt_str text, struct bt_value **ret_list)
{
    struct bt_str word, source = flow->source;
    *ret_list = NULL;
    for (size_t at = 0; next_word(text, &at, &word);)
        if (find_word(source, word, 0) < 0)
            return BT_OK;
    BT_VALUE list = bt_list_new(2);
    size_t len = 0, from = 0;
    while (bt_value_count(list) < FRAGMENTS_MAX) {
        ptrdiff_t found = first_of(source, text, from, &len);
        if (found < 0)
            break;
        struct bt_str part = around(source, (size_t)found);
        if (bt_list_push(list, mark(part, text)) < 0)
            return BT_NO_MEM;
        from = (size_t)(part.at - source.at) + part.len;
    }
    *ret_list = BT_TAKE(list);
    return *ret_list ? BT_OK : BT_NO_MEM;
}
