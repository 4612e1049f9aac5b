/* regex.c — Patterns of inputs, matched within limits: a wrong one costs a refusal only. */
#include "model/input_int.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { MATCH_STEPS_MAX = 1000000, MATCH_DEPTH_MAX = 10000 };

static int run(const pcre2_code *code, struct bt_str text, bool *ret_is_match, struct bt_err *err)
{
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(code, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    int rc = BT_OK;
    if (!data || !context) {
        rc = bt_fail_mem(err, "matching a pattern");
    } else {
        pcre2_set_match_limit(context, MATCH_STEPS_MAX);
        pcre2_set_depth_limit(context, MATCH_DEPTH_MAX);
        int hit =
            pcre2_match(code, (PCRE2_SPTR)(text.at ? text.at : ""), text.len, 0, 0, data, context);
        if (hit < 0 && hit != PCRE2_ERROR_NOMATCH)
            rc = bt_fail(err, BT_INVALID, "the pattern takes too long on this text");
        *ret_is_match = hit >= 0;
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    return rc;
}

int bt_regex_matches(struct bt_str pattern, struct bt_str text, bool *ret_is_match,
                     struct bt_err *err)
{
    int error;
    PCRE2_SIZE offset;
    uint32_t options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)pattern.at, pattern.len, options, &error, &offset, NULL);
    if (!code)
        return bt_fail(err, BT_INVALID, "invalid pattern [%.*s]", BT_FMT(pattern));
    int rc = run(code, text, ret_is_match, err);
    pcre2_code_free(code);
    return rc;
}
