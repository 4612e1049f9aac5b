/* flow_check.c — Checking of sources for who writes them. */
#include "service/flow_check.h"

#include "base/limits.h"
#include "base/own.h"
#include "service/shape.h"

static struct bt_value *texts_of(const struct bt_diags *diags, enum bt_severity severity)
{
    BT_VALUE list = bt_list_new(0);
    for (size_t i = 0; list && i < diags->count; i++)
        if (diags->items[i].severity == severity &&
            bt_list_push(list, bt_value_cstr(diags->items[i].msg)) < 0)
            return NULL;
    return BT_TAKE(list);
}

/* Adds what was found; without errors the three lists. */
static int add_findings(struct bt_value *check, const struct bt_diags *diags)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    int rc = BT_OK;
    if (diags->errors) {
        bt_shape_violations_text(diags, &text);
        rc |= bt_map_puts(check, "constraints", bt_value_string(bt_buf_str(&text)));
        rc |= bt_map_puts(check, "violations", bt_shape_violations(diags));
    } else {
        rc |= bt_map_puts(check, "deprecationPaths", bt_list_new(0));
        rc |= bt_map_puts(check, "infos", texts_of(diags, BT_SEVERITY_INFO));
        rc |= bt_map_puts(check, "warnings", texts_of(diags, BT_SEVERITY_WARNING));
    }
    return rc == BT_OK ? BT_OK : BT_NO_MEM;
}

/* Whether the source was written over another revision than the newest. */
static bool is_outdated(struct bt_service *service, const struct bt_principal *principal,
                        const struct bt_flow *flow)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *stored = NULL;
    const struct bt_value *revision = bt_map_gets(flow->tree, "revision");
    struct bt_flow_key key = {.namespace = bt_str_of(flow->namespace), .id = bt_str_of(flow->id)};
    if (!bt_value_is(revision, BT_KIND_INT) ||
        bt_service_live_flow(service, principal, &key, &stored, NULL) < 0)
        return false;
    return bt_value_as_int(revision) != (int64_t)stored->revision + 1;
}

int bt_service_check_flow(struct bt_service *service, const struct bt_principal *principal,
                          struct bt_str source, int64_t index, struct bt_value **ret_check)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    struct bt_diags diags = BT_DIAGS_INIT;
    BT_VALUE check = bt_map_new(9);
    bool outdated = false;
    int rc = bt_flow_parse(source, &flow, &diags);
    bool is_short = rc == BT_NO_MEM;
    rc = bt_map_puts(check, "index", bt_value_int(index));
    if (flow) {
        rc |= bt_map_puts(check, "flow", bt_value_cstr(flow->id));
        rc |= bt_map_puts(check, "namespace", bt_value_cstr(flow->namespace));
        outdated = is_outdated(service, principal, flow);
    }
    rc |= add_findings(check, &diags);
    rc |= bt_map_puts(check, "outdated", bt_value_bool(outdated));
    bt_diags_done(&diags);
    if (rc != BT_OK || is_short)
        return BT_NO_MEM;
    *ret_check = BT_TAKE(check);
    return BT_OK;
}

/* --- Parts ------------------------------------------------------------------------------------ */

/* A flow around it: what is wrong is told where it stands in the part. */
static const char *const heads[] = {
    "id: part\nnamespace: part\ntasks:\n- ",
    "id: part\nnamespace: part\ntasks:\n- {id: part_task, type: log, message: x}\ntriggers:\n- "};
enum { INDENT = 2 };
static const uint32_t head_lines[] = {3, 5};
static const char *const paths[] = {"tasks[0]", "triggers[0]"};

static int wrap(struct bt_str source, const char *head, struct bt_buf *out)
{
    (void)bt_buf_adds(out, head); /* The caller checks. */
    for (size_t at = 0; at < source.len;) {
        ptrdiff_t end = bt_str_find(source, BT_STR("\n"), at);
        size_t next = end < 0 ? source.len : (size_t)end + 1;
        if (at)
            (void)bt_buf_adds(out, "  ");
        (void)bt_buf_add(out, bt_str_slice(source, at, next));
        at = next;
    }
    return bt_buf_addc(out, '\n');
}

static void move_mark(struct bt_mark *mark, uint32_t lines)
{
    mark->line = mark->line > lines ? mark->line - lines : 1;
    mark->col = mark->col > INDENT ? mark->col - INDENT : 1;
}

/* "tasks[0].message" becomes "message". */
static void move_diags(struct bt_diags *diags, uint32_t lines, const char *path)
{
    size_t len = strlen(path);
    for (size_t i = 0; i < diags->count; i++) {
        struct bt_diag *diag = &diags->items[i];
        move_mark(&diag->at, lines);
        move_mark(&diag->end, lines);
        if (strncmp(diag->path, path, len) == 0)
            diag->path += len + (diag->path[len] == '.');
    }
}

int bt_service_check_part(struct bt_str source, bool is_trigger, struct bt_value **ret_check)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(2 * BT_YAML_BYTES_MAX);
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    struct bt_diags diags = BT_DIAGS_INIT;
    BT_VALUE check = bt_map_new(6);
    struct bt_str part = source;
    if (bt_str_starts(part, BT_STR("---\n")))
        part = bt_str_slice(part, 4, part.len);
    if (wrap(part, heads[is_trigger], &text) < 0)
        return BT_NO_MEM;
    int rc = bt_flow_parse(bt_buf_str(&text), &flow, &diags);
    bool is_short = rc == BT_NO_MEM;
    move_diags(&diags, head_lines[is_trigger], paths[is_trigger]);
    rc = bt_map_puts(check, "index", bt_value_int(0));
    rc |= add_findings(check, &diags);
    rc |= bt_map_puts(check, "outdated", bt_value_bool(false));
    bt_diags_done(&diags);
    if (rc != BT_OK || is_short)
        return BT_NO_MEM;
    *ret_check = BT_TAKE(check);
    return BT_OK;
}
