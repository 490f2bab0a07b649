#include "cmocka_all.h"

#include <stdio.h>

#include "lead_sample.h"
#include "core/sink.h"
#include "sinks/record/record.h"

#define RAW_HEAD "{\"provider\":\"acme\",\"lead_id\":\"L-1\""
#define HEAD RAW_HEAD ",\"agent_id\":\"a-1\""
#define OWN                                                                                        \
    ",\"id\":\"L-1\",\"name\":\"Zo\xc3\xab \\\"Z\\\"\\n\",\"score\":1.10,\"is_test\":true,"        \
    "\"colour\":{\"b\":[1,-0,\"x\"],\"a\":{}},\"si\\\"ze\":null"

static int enter(void **state)
{
    static struct sample sample;
    *state = &sample;
    return sample_init(&sample) ? 0 : -1;
}

static int leave(void **state)
{
    sample_free(*state);
    return 0;
}

static struct run_columns run; /* none but where a test wants them */

static struct record_writer *writer_of(struct sample *s, const struct encoding *encoding,
                                       enum record_layout layout)
{
    const struct record_cfg cfg = {
        .profile = &s->profile, .encoding = encoding, .layout = layout, .run = &run};
    struct record_writer *w = NULL;
    assert_int_equal(record_writer_new(&w, &cfg, NULL), RC_OK);
    return w;
}

/* What is written for the lead, twice in a row: a writer keeps nothing from one to the next. */
static size_t write_twice(struct sample *s, const struct encoding *encoding,
                          enum record_layout layout, struct buf *out)
{
    struct record_writer *w = writer_of(s, encoding, layout);
    size_t n = record_write(w, out, &s->lead);
    size_t len = out->len;
    assert_int_equal(record_write(w, out, &s->lead), n);
    assert_int_equal(buf_rc(out), RC_OK);
    assert_int_equal(out->len, 2 * len);
    assert_memory_equal(out->data, out->data + len, len);
    out->len = len;
    record_writer_free(w);
    return n;
}

static void expect_json(struct sample *s, enum record_layout layout, size_t want_n,
                        const char *want)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    size_t n = write_twice(s, &encoding_json, layout, &b);
    if (n != want_n || strcmp(buf_cstr(&b), want) != 0)
        fail_msg("got %zu\n%s\nwant %zu\n%s", n, buf_cstr(&b), want_n, want);
    buf_free(&b);
}

static void json_lead(void **state)
{
    expect_json(*state, LAYOUT_LEAD, 1,
                HEAD OWN ",\"notes\":[{\"position\":0,\"text\":\"\"},"
                         "{\"position\":1,\"shade\":false}]}\n");
}

static void json_rows(void **state)
{
    expect_json(
        *state, LAYOUT_ROWS, 3,
        "{\"_table\":\"leads\",\"provider\":\"acme\",\"lead_id\":\"L-1\",\"agent_id\":\"a-1\"" OWN
        "}\n"
        "{\"_table\":\"notes\",\"provider\":\"acme\",\"lead_id\":\"L-1\",\"agent_id\":\"a-1\","
        "\"position\":0,\"text\":\"\"}\n"
        "{\"_table\":\"notes\",\"provider\":\"acme\",\"lead_id\":\"L-1\",\"agent_id\":\"a-1\","
        "\"position\":1,\"shade\":false}\n");
}

static void json_raw(void **state)
{
    expect_json(*state, LAYOUT_RAW, 1, RAW_HEAD ",\"payload\":" SAMPLE_COMPACT "}\n");
}

static void json_empty_tables(void **state)
{
    struct sample *s = *state;
    s->rows[1].n_rows = 0;
    s->lead_row.n_extras = 0;
    for (size_t i = 0; i < 5; i++)
        s->lead_cells[i].kind = CELL_ABSENT;
    expect_json(s, LAYOUT_LEAD, 1, HEAD ",\"notes\":[]}\n");
    expect_json(
        s, LAYOUT_ROWS, 1,
        "{\"_table\":\"leads\",\"provider\":\"acme\",\"lead_id\":\"L-1\",\"agent_id\":\"a-1\"}\n");
}

static void json_object_has_no_end(void **state)
{
    struct sample *s = *state;
    struct record_writer *w = writer_of(s, &encoding_json, LAYOUT_RAW);
    struct buf b;
    buf_init(&b, 1 << 20);
    record_write_object(w, &b, &s->lead);
    assert_string_equal(buf_cstr(&b), RAW_HEAD ",\"payload\":" SAMPLE_COMPACT "}");
    record_writer_free(w);
    buf_free(&b);
}

static void json_table(void **state)
{
    struct sample *s = *state;
    struct record_writer *w = writer_of(s, &encoding_json, LAYOUT_TABLE);
    struct buf b;
    buf_init(&b, 1 << 20);
    assert_int_equal(record_write_table(w, &b, &s->lead, 1), 2);
    assert_string_equal(buf_cstr(&b), HEAD ",\"position\":0,\"text\":\"\"}\n" HEAD
                                           ",\"position\":1,\"shade\":false}\n");
    buf_clear(&b);
    assert_int_equal(record_write_table(w, &b, &s->lead, 0), 1);
    assert_string_equal(buf_cstr(&b), HEAD OWN "}\n");
    record_writer_free(w);
    buf_free(&b);
}

#define RUN ",\"_exported_at\":\"2026-01-30T02:00:00.000Z\",\"_run_id\":\"r\"}"
static void with_the_run(void **state)
{
    struct sample *s = *state;
    const struct sink_cfg cfg = {.started_ms = 1769738400000, .run_id = "r"};
    run_columns_init(&run, &cfg, true);
    expect_json(s, LAYOUT_LEAD, 1,
                HEAD OWN ",\"notes\":[{\"position\":0,\"text\":\"\"},"
                         "{\"position\":1,\"shade\":false}]" RUN "\n");
    expect_json(s, LAYOUT_RAW, 1, RAW_HEAD ",\"payload\":" SAMPLE_COMPACT RUN "\n");
    s->rows[0].n_rows = 0;
    expect_json(
        s, LAYOUT_ROWS, 2,
        "{\"_table\":\"notes\",\"provider\":\"acme\",\"lead_id\":\"L-1\",\"agent_id\":\"a-1\","
        "\"position\":0,\"text\":\"\"" RUN "\n"
        "{\"_table\":\"notes\",\"provider\":\"acme\",\"lead_id\":\"L-1\",\"agent_id\":\"a-1\","
        "\"position\":1,\"shade\":false" RUN "\n");
    run.n = 0;
}

/* ---- MessagePack, byte by byte ---- */

static void expect_bytes(struct sample *s, enum record_layout layout, size_t want_n,
                         const char *want, size_t want_len)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    size_t n = write_twice(s, &encoding_msgpack, layout, &b);
    if (n != want_n || b.len != want_len || memcmp(b.data, want, want_len) != 0) {
        for (size_t i = 0; i < b.len; i++)
            print_error("%02x", (unsigned char)b.data[i]);
        print_error("\n");
        for (size_t i = 0; i < want_len; i++)
            print_error("%02x", (unsigned char)want[i]);
        fail_msg("got and want differ, %zu and %zu records", n, want_n);
    }
    buf_free(&b);
}

#define MP_RAW_HEAD                                                                                \
    "\xa8provider\xa4"                                                                             \
    "acme"                                                                                         \
    "\xa7lead_id\xa3L-1"
#define MP_HEAD                                                                                    \
    MP_RAW_HEAD "\xa8"                                                                             \
                "agent_id\xa3"                                                                     \
                "a-1"
#define MP_OWN                                                                                     \
    "\xa2id\xa3L-1"                                                                                \
    "\xa4name\xa9Zo\xc3\xab \"Z\"\n"                                                               \
    "\xa5score\xcb\x3f\xf1\x99\x99\x99\x99\x99\x9a"                                                \
    "\xa7is_test\xc3"                                                                              \
    "\xa6"                                                                                         \
    "colour\x82\xa1"                                                                               \
    "b\x93\x01\xcb\x80\0\0\0\0\0\0\0\xa1x\xa1"                                                     \
    "a\x80"                                                                                        \
    "\xa5si\"ze\xc0"

static void msgpack_lead(void **state)
{
    static const char want[] = "\x8a" MP_HEAD MP_OWN "\xa5notes\x92"
                               "\x82\xa8position\x00\xa4text\xa0"
                               "\x82\xa8position\x01\xa5shade\xc2";
    expect_bytes(*state, LAYOUT_LEAD, 1, want, sizeof want - 1);
}

static void msgpack_rows(void **state)
{
    static const char want[] = "\x8a\xa6_table\xa5leads" MP_HEAD MP_OWN
                               "\x86\xa6_table\xa5notes" MP_HEAD "\xa8position\x00\xa4text\xa0"
                               "\x86\xa6_table\xa5notes" MP_HEAD "\xa8position\x01\xa5shade\xc2";
    expect_bytes(*state, LAYOUT_ROWS, 3, want, sizeof want - 1);
}

static void msgpack_raw(void **state)
{
    static const char want[] = "\x83" MP_RAW_HEAD "\xa7payload\x82\xa2ok\xc3\xa4lead\x83"
                               "\xa2id\xa3L-1\xa3url\xb1https://x/y?sig=1"
                               "\xa1n\xcb\x3f\xf1\x99\x99\x99\x99\x99\x9a";
    expect_bytes(*state, LAYOUT_RAW, 1, want, sizeof want - 1);
}

static void msgpack_text_numbers(void **state)
{
    struct sample *s = *state;
    s->rows[1].n_rows = 0;
    s->lead_row.n_extras = 0;
    for (size_t i = 0; i < 5; i++)
        s->lead_cells[i].kind = CELL_ABSENT;
    s->lead_cells[2] = sample_number("1e400");
    s->lead_cells[4] = sample_number("18446744073709551615");
    static const char want[] = "\x86" MP_HEAD "\xa5score\xa5"
                               "1e400"
                               "\xa4gone\xcf\xff\xff\xff\xff\xff\xff\xff\xff"
                               "\xa5notes\x90";
    expect_bytes(s, LAYOUT_LEAD, 1, want, sizeof want - 1);
}

/* ---- limits ---- */

static void a_full_buffer_sticks(void **state)
{
    struct sample *s = *state;
    struct record_writer *w = writer_of(s, &encoding_json, LAYOUT_LEAD);
    struct buf b;
    for (size_t max = 0; max < 100; max++) {
        buf_init(&b, max);
        (void)record_write(w, &b, &s->lead);
        assert_int_equal(buf_rc(&b), RC_LIMIT);
        assert_true(b.len <= max);
        buf_free(&b);
    }
    record_writer_free(w);
}

static void wants(void **state)
{
    (void)state;
    assert_int_equal(record_wants(&encoding_json, LAYOUT_LEAD), SINK_WANTS_ROWS);
    assert_int_equal(record_wants(&encoding_msgpack, LAYOUT_ROWS), SINK_WANTS_ROWS);
    assert_int_equal(record_wants(&encoding_json, LAYOUT_RAW), SINK_WANTS_COMPACT);
    assert_int_equal(record_wants(&encoding_msgpack, LAYOUT_RAW), SINK_WANTS_TREE);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(json_lead),
        CASE(json_rows),
        CASE(json_raw),
        CASE(json_empty_tables),
        CASE(json_object_has_no_end),
        CASE(json_table),
        CASE(with_the_run),
        CASE(msgpack_lead),
        CASE(msgpack_rows),
        CASE(msgpack_raw),
        CASE(msgpack_text_numbers),
        CASE(a_full_buffer_sticks),
        CASE(wants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
