#include "core/http/http_status.h"

#include "cmocka_all.h"

#define S INT64_C(1000000)

static const struct row {
    int status;
    bool has_retry_after;
    int64_t retry_after_us;
    bool retryable, is_limit, may_hold, is_congestion;
    enum try_end end;
} rows[] = {
    {200, false, 0, false, false, false, false, TRY_GOOD},
    {204, false, 0, false, false, false, false, TRY_GOOD},
    {301, true, S, false, false, false, false, TRY_GOOD},
    {400, false, 0, false, false, false, false, TRY_GOOD},
    {401, true, S, false, false, false, false, TRY_GOOD},
    {403, false, 0, false, false, true, false, TRY_GOOD},
    {403, true, S, false, true, true, false, TRY_BUSY},
    {403, true, 0, false, true, true, false, TRY_BUSY}, /* not understood: still "later" */
    {404, true, S, false, false, false, false, TRY_GOOD},
    {407, false, 0, false, false, false, false, TRY_GOOD},
    {408, false, 0, true, false, false, false, TRY_GOOD},
    {425, false, 0, true, false, false, false, TRY_GOOD},
    {429, false, 0, true, true, true, true, TRY_BUSY},
    {429, true, S, true, true, true, true, TRY_BUSY},
    {500, true, S, true, false, false, false, TRY_GOOD},
    {501, false, 0, false, false, false, false, TRY_GOOD},
    {502, true, S, true, false, false, false, TRY_GATEWAY},
    {503, false, 0, true, false, true, true, TRY_GATEWAY},
    {503, true, S, true, false, true, true, TRY_HELD},
    {504, false, 0, true, false, false, true, TRY_GATEWAY},
    {505, false, 0, false, false, false, false, TRY_GOOD},
    {519, false, 0, false, false, false, false, TRY_GOOD},
    {520, false, 0, true, false, false, false, TRY_GATEWAY},
    {524, false, 0, true, false, false, false, TRY_GATEWAY},
    {525, false, 0, false, false, false, false, TRY_GOOD},
    {528, false, 0, false, false, false, false, TRY_GOOD},
    {529, false, 0, true, false, true, true, TRY_GATEWAY},
    {529, true, S, true, false, true, true, TRY_HELD},
    {530, false, 0, true, false, false, false, TRY_GATEWAY},
    {598, false, 0, false, false, false, false, TRY_GOOD},
    {599, false, 0, true, false, false, false, TRY_GATEWAY},
    {999, false, 0, false, false, false, false, TRY_GOOD},
};

static void statuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *w = &rows[i];
        bool is_limit = http_status_is_limit(w->status, w->has_retry_after);
        enum try_end end = http_status_end(w->status, is_limit, w->retry_after_us);
        if (http_status_retryable(w->status) != w->retryable || is_limit != w->is_limit ||
            http_status_may_hold(w->status) != w->may_hold ||
            http_status_is_congestion(w->status) != w->is_congestion || end != w->end)
            fail_msg("%d: retryable %d, limit %d, may hold %d, congestion %d, end %d; expected %d, "
                     "%d, %d, %d, %d",
                     w->status, http_status_retryable(w->status), is_limit,
                     http_status_may_hold(w->status), http_status_is_congestion(w->status),
                     (int)end, w->retryable, w->is_limit, w->may_hold, w->is_congestion,
                     (int)w->end);
    }
}

static void redirects(void **state)
{
    (void)state;
    static const struct {
        int status;
        bool without, with; /* a target */
    } cases[] = {
        {200, false, false}, {201, false, false}, {300, false, true},  {301, true, true},
        {302, true, true},   {303, true, true},   {304, false, false}, {305, false, true},
        {306, false, true},  {307, true, true},   {308, true, true},   {399, false, true},
        {400, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool without = http_status_is_redirect(cases[i].status, false);
        bool with = http_status_is_redirect(cases[i].status, true);
        if (without != cases[i].without || with != cases[i].with)
            fail_msg("%d: %d and with a target %d; expected %d, %d", cases[i].status, without, with,
                     cases[i].without, cases[i].with);
    }
}

static void refusals(void **state)
{
    (void)state;
    for (int status = 0; status <= 999; status++) {
        bool want = status == 401 || status == 403;
        if (http_status_is_refusal(status, false) != want)
            fail_msg("%d: wanted %d", status, want);
    }
    assert_true(http_status_is_refusal(401, true));
    assert_false(http_status_is_refusal(403, true));
    assert_false(http_status_is_refusal(429, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses),
        cmocka_unit_test(redirects),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
