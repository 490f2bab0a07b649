#include "core/lead.h"

#include <stdio.h>

#include "cmocka_all.h"

static void texts_are_copied(void **state)
{
    (void)state;
    char id[] = "lead-1", agent[] = "agent";
    const struct str params[] = {{agent, 5}, STR_NONE};
    struct lead *lead = lead_new(str_c(id), params, 2);
    assert_non_null(lead);
    id[0] = agent[0] = 'X';
    assert_string_equal(lead->id.ptr, "lead-1");
    assert_string_equal(lead->params[0].ptr, "agent");
    assert_int_equal(lead->params[1].len, 0);
    lead_free(lead);
}

static void failures(void **state)
{
    (void)state;
    struct lead *lead = lead_new(STR("x"), NULL, 0);
    assert_non_null(lead);
    lead->http_status = 503;
    lead->attempts = 6;
    lead_fail(lead, STAGE_FETCH, "http_503", "HTTP %d", 503);
    assert_int_equal(lead->outcome, OUTCOME_FAILED);
    assert_string_equal(stage_text(lead->failure.stage), "fetch");
    assert_string_equal(lead->failure.code, "http_503");
    assert_string_equal(lead->failure.error, "HTTP 503");
    assert_int_equal(lead->failure.http_status, 503);
    assert_int_equal(lead->failure.attempts, 6);
    lead_free(lead);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_copied),
        cmocka_unit_test(failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
