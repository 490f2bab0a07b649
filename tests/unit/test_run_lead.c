#include "core/run/run_lead.h"

#include <stdio.h>

#include "cmocka_all.h"

static void pending_at_first(void **state)
{
    (void)state;
    const struct str params[] = {STR("agent"), STR("")};
    struct lead *lead = run_lead_new(STR("lead-1"), params, 2);
    assert_non_null(lead);
    const struct lead *as_sinks_see_it = lead;
    assert_ptr_equal(&as_sinks_see_it->run->lead, lead);
    assert_int_equal(lead->run->outcome, OUTCOME_PENDING);
    assert_false(lead->run->ready);
    assert_false(lead->run->counted);
    memset(lead + 1, 0xff, sizeof *lead->run - sizeof *lead); /* no text is there */
    assert_string_equal(lead->id.ptr, "lead-1");
    assert_string_equal(lead->params[0].ptr, "agent");
    assert_string_equal(lead->params[1].ptr, "");
    lead_free(lead);
}

static void failures(void **state)
{
    (void)state;
    struct lead *lead = run_lead_new(STR("x"), NULL, 0);
    assert_non_null(lead);
    lead->http_status = 503;
    lead->attempts = 6;
    lead_fail(lead, STAGE_FETCH, "http_503", "HTTP %d", 503);
    assert_int_equal(lead->run->outcome, OUTCOME_FAILED);
    assert_string_equal(stage_text(lead->run->failure.stage), "fetch");
    assert_string_equal(lead->run->failure.code, "http_503");
    assert_string_equal(lead->run->failure.error, "HTTP 503");
    assert_int_equal(lead->run->failure.http_status, 503);
    assert_int_equal(lead->run->failure.attempts, 6);
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
