/* What a message keeps of its memory once it is empty. */
#include "cmocka_all.h"

#include "sinks/delivery/message.h"

#define BODY_MAX ((size_t)1 << 20)

static void fill(struct buf *b, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        buf_add(b, "x", 1);
    assert_int_equal(buf_rc(b), RC_OK);
}

static size_t kept(size_t keep_bytes, size_t body, size_t noted, size_t answer)
{
    struct message *p = message_new(NULL, 1, BODY_MAX);
    assert_non_null(p);
    fill(&p->body, body);
    fill(&p->noted, noted);
    fill(&p->request.answer, answer);
    message_clear(p, keep_bytes);
    assert_int_equal(p->body.len + p->noted.len + p->request.answer.len, 0);
    size_t bytes = p->body.cap + p->noted.cap + p->request.answer.cap;
    fill(&p->body, 10); /* it may be filled again */
    message_free(p);
    return bytes;
}

static void what_is_kept(void **state)
{
    (void)state;
    static const struct {
        size_t keep_bytes, body, noted, answer;
        bool all_is_kept;
    } rows[] = {
        {8192, 3000, 1000, 1000, true},
        {131072, 60000, 30000, 30000, true},
        {8192, 5000, 3000, 3000, false},
        {8192, 900000, 900000, 900000, false},
        {0, 1, 1, 1, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t bytes = kept(rows[i].keep_bytes, rows[i].body, rows[i].noted, rows[i].answer);
        size_t wanted = rows[i].all_is_kept ? rows[i].body + rows[i].noted + rows[i].answer : 0;
        if (bytes < wanted || bytes > (rows[i].all_is_kept ? rows[i].keep_bytes : 0))
            fail_msg("row %zu: keeps %zu bytes, of %zu that it may", i, bytes, rows[i].keep_bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
