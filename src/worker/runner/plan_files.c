/* plan_files.c — Which files come in and which are kept. Must never touch any. */
#include "value/json.h"
#include "worker/runner/plan_int.h"

int bt_planner_input_files(struct bt_planner *planner)
{
    BT_VALUE files = NULL;
    BT_TRY(bt_planner_render(planner, "inputFiles", &files));
    if (bt_value_is(files, BT_KIND_STRING)) {
        struct bt_value *parsed = NULL;
        int rc = bt_json_parse(bt_value_str(files), NULL, &parsed, planner->err);
        if (rc < 0) {
            (void)bt_err_prefix(planner->err, "inputFiles"); /* Gives the code again. */
            return rc;
        }
        bt_value_unref(files);
        files = parsed;
    }
    if (files && !bt_value_is(files, BT_KIND_MAP))
        return bt_fail(planner->err, BT_INVALID,
                       "inputFiles: must be a map of file names to contents, or its JSON text");
    planner->plan->input_files = BT_TAKE(files);
    return BT_OK;
}

/* A list, or one text instead of a list of one. Takes the value; NULL for none or an empty list. */
static int take_list(struct bt_planner *planner, struct bt_value *value, const char *what,
                     struct bt_value **ret_list)
{
    BT_VALUE list = value;
    *ret_list = NULL;
    if (bt_value_is(list, BT_KIND_STRING)) {
        BT_VALUE one = bt_list_new(1);
        if (!one || bt_list_push(one, BT_TAKE(list)) < 0)
            return bt_fail_mem(planner->err, what);
        list = BT_TAKE(one);
    }
    if (list && !bt_value_is_null(list) && !bt_value_is(list, BT_KIND_LIST))
        return bt_fail(planner->err, BT_INVALID, "%s: must be a list of names or globs", what);
    if (bt_value_count(list) > 0)
        *ret_list = BT_TAKE(list);
    return BT_OK;
}

int bt_planner_output_files(struct bt_planner *planner)
{
    struct bt_value *list = NULL;
    BT_TRY(bt_planner_render(planner, "outputFiles", &list));
    return take_list(planner, list, "outputFiles", &planner->plan->output_files);
}

static bool is_off(const struct bt_value *enabled)
{
    return (bt_value_is(enabled, BT_KIND_BOOL) && !bt_value_as_bool(enabled)) ||
           (bt_value_is(enabled, BT_KIND_STRING) &&
            !bt_text_is_truthy(bt_str_trim(bt_value_str(enabled))));
}

int bt_planner_space_files(struct bt_planner *planner)
{
    struct bt_plan *plan = planner->plan;
    BT_VALUE spec = NULL;
    BT_TRY(bt_planner_render(planner, "namespaceFiles", &spec));
    if (!spec)
        return BT_OK;
    if (!bt_value_is(spec, BT_KIND_MAP))
        return bt_fail(planner->err, BT_INVALID, "namespaceFiles: must be a map");
    plan->has_space_files = !is_off(bt_map_gets(spec, "enabled"));
    BT_TRY(take_list(planner, bt_value_ref(bt_map_gets(spec, "include")), "namespaceFiles: include",
                     &plan->space_include));
    return take_list(planner, bt_value_ref(bt_map_gets(spec, "exclude")), "namespaceFiles: exclude",
                     &plan->space_exclude);
}

static int plan_cache(struct bt_planner *planner)
{
    struct bt_plan *plan = planner->plan;
    const struct bt_place *place = &planner->job->place;
    BT_VALUE spec = NULL;
    BT_TRY(bt_planner_render(planner, "cache", &spec));
    if (!spec)
        return BT_OK;
    BT_TRY(take_list(planner, bt_value_ref(bt_map_gets(spec, "patterns")), "cache: patterns",
                     &plan->cache_patterns));
    struct bt_str ttl = bt_map_str(spec, "ttl");
    int rc = ttl.len ? bt_duration_parse(ttl, &plan->cache_ttl_us, planner->err) : BT_OK;
    if (rc < 0) {
        (void)bt_err_prefix(planner->err, "cache: ttl"); /* Gives the code again. */
        return rc;
    }
    plan->restores_cache = plan->cache_patterns && place->op == BT_PLACE_OPEN;
    plan->saves_cache = plan->cache_patterns && place->op == BT_PLACE_CLOSE && place->saves_cache;
    return BT_OK;
}

int bt_planner_place(struct bt_planner *planner)
{
    if (planner->job->place.op == BT_PLACE_CLOSE) {
        BT_TRY(bt_planner_output_files(planner));
        return plan_cache(planner);
    }
    if (planner->job->place.op != BT_PLACE_OPEN)
        return bt_fail(planner->err, BT_INVALID, "a working directory without a place");
    BT_TRY(plan_cache(planner));
    BT_TRY(bt_planner_input_files(planner));
    return bt_planner_space_files(planner);
}
