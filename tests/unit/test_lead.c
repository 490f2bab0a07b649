#include "core/lead.h"

#include <stdio.h>

#include "cmocka_all.h"

static void texts_are_copied(void **state)
{
    (void)state;
    char id[] = "lead-1", agent[] = "agent";
    const struct str params[] = {{agent, 5}, STR_NONE};
    struct lead *lead = lead_new(str_c(id), params, 2, sizeof(struct lead));
    assert_non_null(lead);
    id[0] = agent[0] = 'X';
    assert_string_equal(lead->id.ptr, "lead-1");
    assert_string_equal(lead->params[0].ptr, "agent");
    assert_int_equal(lead->params[1].len, 0);
    assert_null(lead->run);
    lead_free(lead);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
