/* A state whose bytes are not those that were written: refused and left as it is, or as good as
 * new. Never resumed. */
#include "state_answers.h"
#include "state_world.h"

#define BODY_BYTES 9000 /* more than a page */

static struct state_content content_of(unsigned i)
{
    struct state_content c = {.acceptance = STATE_ACCEPTED};
    for (unsigned b = 0; b < 16; b++)
        c.key[b] = c.fingerprint[b] = (unsigned char)(i * 37 + b * i);
    return c;
}

static const struct state_list_cfg list = {
    .source = {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
               STATE_LIST_SOURCE_BYTES},
    .n_lists = 1,
};

static void list_leads(struct state *s, enum list_part_end end)
{
    struct err e = {0};
    struct buf pack;
    buf_init(&pack, LIST_PACK_BYTES_MAX);
    const struct str lead = STR("a lead with quite a long ID");
    for (unsigned i = 0; i < 300; i++)
        list_pack_add(&pack, lead, NULL, 0);
    const struct list_part part = {.end = end, .n = 300, .pack = buf_str(&pack)};
    OK(state_list_put(s, &part, &e));
    buf_free(&pack);
}

/* A run of before, and one that was stopped on its way. */
static void make_sample(void)
{
    struct err e = {0};
    struct state *s = open_ok("s");
    const struct str sink = STR("sink of the sample");
    begin_run(s);
    OK(state_list_begin(s, &list, &e));
    list_leads(s, LIST_PART_COMPLETE);
    OK(state_accept_by(s, &sink, 1, &(enum state_hash){STATE_HASH_SHA256}, &e));
    for (unsigned i = 0; i < 500; i++) {
        const struct state_content c = content_of(i);
        OK(state_note_accepted(s, &c, 1, &e));
    }
    OK(state_publish(s, NULL, 0, STR("record"), &e));
    OK(state_finish(s, true, &e));

    static char body[BODY_BYTES];
    memset(body, 'b', sizeof body);
    const struct state_setting settings[] = {{STR("first term"), STR("its value")},
                                             {STR("second term"), STR("another value")}};
    const struct str marks[] = {STR("mark of the first sink"), STR("mark of the second sink")};
    const uint64_t gaps[] = {3, 5};
    const struct state_column columns[] = {{1, 2, 3, STR("a key"), STR("a member")},
                                           {4, 5, 6, STR("another key"), STR_NONE}};
    const struct state_checkpoint c = {.progress = {.high = 7, .key_a = 8, .handed = 4},
                                       .gaps = gaps,
                                       .n_gaps = 2,
                                       .marks = marks,
                                       .n_marks = 2,
                                       .totals = STR("totals of the sample"),
                                       .columns = columns,
                                       .n_columns = 2};
    const struct state_delivery d = {
        .id = STR("id of a delivery"), .leads = STR("its leads"), .body = {body, sizeof body}};
    const struct state_buffered buffered = {
        .seq = 3, .http_status = 200, .body = {body, sizeof body}};
    OK(state_begin(s, "0123456789abcdef0123456789abcdef", 1, settings, 2, &e));
    OK(state_list_begin(s, &list, &e));
    list_leads(s, LIST_PART_GOES_ON);
    int64_t row;
    for (uint64_t i = 0; i < 6; i++) {
        OK(state_fail(s, i, false, STR("a line of the failed list\n"), STR("a summary"), &e));
        OK(state_add_delivery(s, 0, &d, i + 3, &row, &e));
    }
    OK(state_miss(s, 6, STR("a line of the missing list\n"), &e));
    OK(state_answer(s, row, ONE_DELIVERED, STR("an answer"), &e));
    OK(state_buffer(s, &buffered, &e));
    for (unsigned i = 0; i < 100; i++) {
        const struct state_content note = content_of(i);
        OK(state_note_accepted(s, &note, 1, &e));
    }
    OK(state_checkpoint(s, &c, &e));
    state_close(s);
}

/* All that a run reads, but for what sinks accepted, in one text. */
static void read_str(struct buf *out, struct str s)
{
    buf_addf(out, "%zu:", s.ptr ? s.len : 999999);
    buf_add_str(out, s);
}

static enum rc read_failure(void *ctx, struct str row, struct err *e)
{
    (void)e;
    read_str(ctx, row);
    return RC_OK;
}

static enum rc read_delivery(void *ctx, const struct state_delivery *d, struct err *e)
{
    (void)e;
    buf_addf(ctx, "delivery %lld ", (long long)d->row);
    read_str(ctx, d->id);
    read_str(ctx, d->leads);
    read_str(ctx, d->body);
    read_str(ctx, d->answer);
    return RC_OK;
}

static void read_run(struct buf *out, const struct state_run *run)
{
    const struct state_checkpoint *c = &run->checkpoint;
    buf_adds(out, run->run_id);
    for (size_t i = 0; i < run->n_settings; i++) {
        read_str(out, run->settings[i].name);
        read_str(out, run->settings[i].value);
    }
    buf_add(out, &c->progress, sizeof c->progress);
    buf_add(out, c->gaps, c->n_gaps * sizeof *c->gaps);
    for (size_t i = 0; i < c->n_marks; i++)
        read_str(out, c->marks[i]);
    for (size_t i = 0; i < c->n_columns; i++) {
        const struct state_column *column = &c->columns[i];
        buf_addf(out, "column %u %u %u ", column->table, column->scope, column->occurrence);
        read_str(out, column->key);
        read_str(out, column->member);
    }
    read_str(out, c->totals);
    read_str(out, run->record);
}

static void read_list(struct buf *out, struct state *s, enum state_listed which)
{
    struct err e = {0};
    struct list_part part;
    struct buf pack;
    uint64_t at = 0;
    enum rc rc;
    buf_init(&pack, LIST_PACK_BYTES_MAX);
    while ((rc = state_list_take(s, which, &at, &part, &pack, &e)) == RC_OK) {
        buf_addf(out, "part %zu %d %ju %ju ", part.list, (int)part.end, (uintmax_t)part.bad,
                 (uintmax_t)part.n);
        buf_add_str(out, part.pack);
    }
    assert_int_equal(rc, RC_END);
    buf_free(&pack);
}

static void read_rest(struct buf *out, struct state *s)
{
    struct err e = {0};
    struct state_list_cfg cfg;
    OK(state_list_load(s, &cfg, &e));
    read_str(out, cfg.source);
    buf_addf(out, "%zu %zu ", cfg.n_params, cfg.n_lists);
    read_list(out, s, STATE_LISTED_BEFORE);
    read_list(out, s, STATE_LISTED);
    struct state_failures failures;
    struct state_buffered buffered;
    uint64_t delivered, failed;
    OK(state_count_failures(s, &failures, &e));
    OK(state_delivery_counts(s, 0, &delivered, &failed, &e));
    buf_addf(out, "%ju %ju %ju %ju ", (uintmax_t)failures.n, (uintmax_t)failures.by_sink,
             (uintmax_t)delivered, (uintmax_t)failed);
    OK(state_each_failure(s, read_failure, out, &e));
    OK(state_each_missing(s, read_failure, out, &e));
    OK(state_each_delivery(s, 0, read_delivery, out, &e));
    OK(state_take_buffered(s, 3, &buffered, out, &e));
}

/* Wrong fingerprints and lost keys only mean that a lead is sent once more; but nothing may count as
 * accepted that was not. */
static void expect_nothing_invented(struct state *s)
{
    struct err e = {0};
    for (unsigned i = 0; i < 500; i++) {
        struct state_content c = content_of(i);
        bool accepted;
        c.fingerprint[i % 16] ^= 0xff;
        OK(state_is_accepted(s, &c, 1, &accepted, &e));
        assert_false(accepted);
    }
}

/* Opens and reads. False: it was refused. */
static bool try_to_read(struct buf *out, const char *where)
{
    struct err e = {0};
    struct state *s = NULL;
    struct state_run run;
    const struct state_cfg cfg = {.path = "s"};
    enum rc rc = state_open(&s, &cfg, &e);
    if (rc == RC_OK) {
        rc = state_load(s, &run, &e);
        if (rc == RC_OK) {
            read_run(out, &run);
            read_rest(out, s);
        }
        state_close(s);
    }
    if (rc != RC_OK && (rc != RC_USAGE || memcmp(e.msg, "s: ", 3) != 0))
        fail_msg("%s: %s \"%s\"", where, rc_text(rc), e.msg);
    return rc == RC_OK;
}

/* True: it was refused, and is as it was. */
static bool is_refused(struct bytes bytes, struct str want, const char *where)
{
    struct buf got;
    buf_init(&got, 1 << 20);
    spit("s", bytes.ptr, bytes.n);
    bool read = try_to_read(&got, where);
    if (!read) {
        expect_same_bytes("s", &bytes, where);
        assert_int_equal(access("s-wal", F_OK), -1);
    } else if (!str_eq(buf_str(&got), want)) {
        fail_msg("%s: was read as something else", where);
    }
    buf_free(&got);
    return !read;
}

/* The sample's bytes, and what is read of it. To be freed. */
static struct bytes sample(struct buf *want)
{
    make_sample();
    struct bytes b = slurp("s");
    buf_init(want, 1 << 20);
    assert_true(try_to_read(want, "the sample"));
    assert_int_equal(buf_rc(want), RC_OK);
    expect_same_bytes("s", &b, "reading");
    assert_int_equal(b.n % 4096, 0);
    assert_int_equal(b.ptr[39], 0); /* no page is free: each of them matters */
    return b;
}

static void each_page_is_turned_over(void **state)
{
    (void)state;
    struct buf want;
    struct bytes b = sample(&want);
    for (size_t at = 0; at < b.n; at += 4096) {
        char where[40];
        (void)snprintf(where, sizeof where, "page %zu", at / 4096 + 1);
        for (size_t i = 0; i < 4096; i++)
            b.ptr[at + i] ^= (char)0xff;
        if (!is_refused(b, buf_str(&want), where))
            fail_msg("%s: was not missed", where);
        for (size_t i = 0; i < 4096; i++)
            b.ptr[at + i] ^= (char)0xff;
    }
    buf_free(&want);
    free(b.ptr);
}

static void single_bytes_are_turned_over(void **state)
{
    (void)state;
    struct buf want;
    struct bytes b = sample(&want);
    size_t refused = 0, n = 0;
    for (size_t at = 0; at < b.n; at += at < 200 ? 1 : 211) {
        char where[40];
        (void)snprintf(where, sizeof where, "byte %zu", at);
        b.ptr[at] ^= (char)0xff;
        refused += is_refused(b, buf_str(&want), where);
        b.ptr[at] ^= (char)0xff;
        n++;
    }
    assert_true(refused > n / 4); /* the rest is free space, and what sinks accepted */
    buf_free(&want);
    free(b.ptr);
}

static void cut_short(void **state)
{
    (void)state;
    struct buf want;
    struct bytes b = sample(&want);
    for (size_t n = 1; n < b.n; n += n < 200 ? 1 : 509) {
        char where[40];
        (void)snprintf(where, sizeof where, "cut to %zu", n);
        if (!is_refused((struct bytes){b.ptr, n}, buf_str(&want), where))
            fail_msg("%s: was not missed", where);
    }
    buf_free(&want);
    free(b.ptr);
}

/* Only fingerprints and keys that were accepted have no checksum. */
static void wrong_fingerprints_invent_nothing(void **state)
{
    (void)state;
    struct buf want;
    struct bytes b = sample(&want);
    const struct state_content c = content_of(250);
    char *found = memmem(b.ptr, b.n, c.fingerprint, sizeof c.fingerprint);
    assert_non_null(found);
    found[3] ^= 1;
    spit("s", b.ptr, b.n);
    struct state *s = open_ok("s");
    expect_nothing_invented(s);
    state_close(s);
    buf_free(&want);
    free(b.ptr);
}

/* Of what was committed and is in the -wal file only, damage takes away the end: what is left is
 * what there was at some moment. */
static void the_log_is_damaged(void **state)
{
    (void)state;
    struct err e = {0};
    struct state *s = open_ok("s");
    begin_run(s);
    for (uint64_t i = 1; i <= 20; i++) {
        const struct state_checkpoint c = {.progress = {.high = i, .handed = i}};
        OK(state_checkpoint(s, &c, &e));
    }
    crash_into("s", "copy");
    state_close(s);
    struct bytes file = slurp("copy"), log = slurp("copy-wal");
    for (size_t at = 0; at < log.n; at += 211) {
        struct state_run run = {0};
        spit("s", file.ptr, file.n);
        log.ptr[at] ^= (char)0xff;
        spit("s-wal", log.ptr, log.n);
        log.ptr[at] ^= (char)0xff;
        s = open_ok("s");
        OK(state_load(s, &run, &e));
        assert_in_range(run.checkpoint.progress.high, 0, 20);
        assert_int_equal(run.checkpoint.progress.high, run.checkpoint.progress.handed);
        state_close(s);
    }
    free(file.ptr);
    free(log.ptr);
}

/* A file that is damaged keeps its -wal file, too. */
static void damage_with_a_log(void **state)
{
    (void)state;
    make_sample();
    struct err e = {0};
    struct state *s = open_ok("s");
    OK(state_fail(s, 99, false, STR("line\n"), STR("summary"), &e));
    const struct state_checkpoint c = {.progress.high = 7};
    OK(state_checkpoint(s, &c, &e));
    crash_into("s", "copy");
    state_close(s);
    struct bytes file = slurp("copy"), log = slurp("copy-wal");
    assert_true(log.n > 0);
    memset(file.ptr + 4096, 0x5a, file.n - 4096); /* most of it is not in the log */
    spit("s", file.ptr, file.n);
    spit("s-wal", log.ptr, log.n);
    struct buf got;
    buf_init(&got, 1 << 20);
    assert_false(try_to_read(&got, "with a log"));
    expect_same_bytes("s", &file, "with a log");
    expect_same_bytes("s-wal", &log, "with a log");
    buf_free(&got);
    free(file.ptr);
    free(log.ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(each_page_is_turned_over),
        IN_FOLDER(single_bytes_are_turned_over),
        IN_FOLDER(cut_short),
        IN_FOLDER(wrong_fingerprints_invent_nothing),
        IN_FOLDER(the_log_is_damaged),
        IN_FOLDER(damage_with_a_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
