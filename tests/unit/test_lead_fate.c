#include "core/run/lead_fate.h"

#include <stdio.h>

#include "cmocka_all.h"

static void pending_at_first(void **state)
{
    (void)state;
    const struct str params[] = {STR("agent"), STR("")};
    struct lead *lead = lead_new_with_fate(STR("lead-1"), params, 2);
    assert_non_null(lead);
    const struct lead *as_sinks_see_it = lead;
    assert_ptr_equal(&as_sinks_see_it->fate->lead, lead);
    assert_int_equal(lead->fate->outcome, OUTCOME_PENDING);
    assert_false(lead->fate->ready);
    assert_false(lead->fate->counted);
    memset(lead + 1, 0xff, sizeof *lead->fate - sizeof *lead); /* no text is there */
    assert_string_equal(lead->id.ptr, "lead-1");
    assert_string_equal(lead->params[0].ptr, "agent");
    assert_string_equal(lead->params[1].ptr, "");
    lead_free(lead);
}

static void failures(void **state)
{
    (void)state;
    struct lead *lead = lead_new_with_fate(STR("x"), NULL, 0);
    assert_non_null(lead);
    lead->http_status = 503;
    lead->attempts = 6;
    lead_fail(lead, STAGE_FETCH, "http_503", "HTTP %d", 503);
    assert_int_equal(lead->fate->outcome, OUTCOME_FAILED);
    assert_string_equal(stage_text(lead->fate->failure.stage), "fetch");
    assert_string_equal(lead->fate->failure.code, "http_503");
    assert_string_equal(lead->fate->failure.error, "HTTP 503");
    assert_int_equal(lead->fate->failure.http_status, 503);
    assert_int_equal(lead->fate->failure.attempts, 6);
    lead_free(lead);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pending_at_first),
        cmocka_unit_test(failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
