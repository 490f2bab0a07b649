/* Leads become messages, also where memory runs out. */
#include "allocation_sweep.h"
#include "lead_sample.h"

#include "sinks/kafka/kafka_messages.h"

static struct sample sample;

/* ---- messages ------------------------------------------------------------------------------- */

struct messages_work {
    struct kafka_messages messages;
    enum record_layout layout;
};

static void messages_begin(void *ctx)
{
    struct messages_work *w = ctx;
    w->messages = (struct kafka_messages){0};
}

static enum rc messages_run(void *ctx, struct err *e)
{
    struct messages_work *w = ctx;
    enum rc rc = kafka_messages_open(&w->messages, &sample.profile, w->layout, e);
    if (rc == RC_OK) {
        rc = kafka_messages_make(&w->messages, &sample.lead);
        if (rc != RC_OK)
            (void)err_set(e, rc, "%s", rc_text(rc));
    }
    return rc;
}

static void messages_end(void *ctx, enum rc rc, struct buf *out)
{
    struct messages_work *w = ctx;
    for (size_t i = 0; rc == RC_OK && i < w->messages.n; i++) {
        const struct kafka_message *m = &w->messages.list[i];
        buf_addf(out, "%zu ", m->topic);
        buf_add(out, w->messages.body.data + m->at, m->len);
        buf_addc(out, '\n');
    }
    kafka_messages_close(&w->messages);
}

static void messages(void **state)
{
    (void)state;
    for (enum record_layout layout = LAYOUT_LEAD; layout <= LAYOUT_TABLE; layout++) {
        struct messages_work w = {.layout = layout};
        sweep(&(struct work){"messages", false, messages_begin, messages_run, messages_end, &w});
    }
}

/* ---- a message for each row ------------------------------------------------------------------- */

static void rows_are_messages(void **state)
{
    static const char *const rows[] = {"\"_table\":\"leads\"", "\"_table\":\"notes\"",
                                       "\"_table\":\"notes\""};
    struct kafka_messages m;
    struct err e;
    (void)state;
    assert_int_equal(kafka_messages_open(&m, &sample.profile, LAYOUT_ROWS, &e), RC_OK);
    assert_int_equal(kafka_messages_make(&m, &sample.lead), RC_OK);
    assert_int_equal(m.n, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct kafka_message *one = &m.list[i];
        assert_int_equal(one->topic, 0);
        assert_non_null(memmem(m.body.data + one->at, one->len, rows[i], strlen(rows[i])));
        assert_int_equal(m.body.data[one->at], '{');
        assert_int_equal(m.body.data[one->at + one->len - 1], '}');
    }
    assert_true(kafka_messages_longest(&m) >= m.list[0].len);
    kafka_messages_close(&m);
    assert_int_equal(kafka_messages_open(&m, &sample.profile, LAYOUT_TABLE, &e), RC_OK);
    assert_int_equal(kafka_messages_make(&m, &sample.lead), RC_OK);
    assert_int_equal(m.n, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(m.list[i].topic, i > 0);
    kafka_messages_close(&m);
}

static int enter(void **state)
{
    (void)state;
    return sample_init(&sample) ? 0 : -1;
}

static int leave(void **state)
{
    (void)state;
    sample_free(&sample);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages),
        cmocka_unit_test(rows_are_messages),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
