/* The leads of all shards in the order of the list: read by a thread beside the caller, in many blocks; and those that have
 * columns alone. */
#include "merge/lead_feed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "merge/lead_order.h"

#include "cmocka_all.h"
#include "folder.h"

#define N_SHARDS 3
#define N_TABLES 2
#define N_LEADS 10000 /* more than are read ahead */
#define COMPANION_BYTES_MAX ((size_t)1 << 20)

struct world {
    struct profile profile;
    struct shard_manifest shards[N_SHARDS];
    struct shard_set set;
    char names[N_SHARDS][16], digests[N_SHARDS][DIGEST_CHARS + 1];
    uint32_t of[N_LEADS]; /* the shard that has it; N_SHARDS: none */
};

static uint32_t rows_of(uint64_t place, size_t table)
{
    return (uint32_t)(place * 7 + table) % 300;
}

static bool has_column(uint64_t place)
{
    return place % 997 == 5;
}

static void put_lead(struct buf *out, uint64_t place, uint64_t before)
{
    const struct rows tables[N_TABLES] = {{NULL, rows_of(place, 0)}, {NULL, rows_of(place, 1)}};
    const struct column column = {.name = STR("c"), .origin = {.key = STR("c")}};
    struct buf record;
    buf_init(&record, COMPANION_BYTES_MAX);
    rows_put_lead(&record, place, before, tables, N_TABLES);
    if (has_column(place))
        rows_put_column(&record, 1, 0, &column);
    rows_put_number(out, record.len);
    buf_add_str(out, buf_str(&record));
    buf_free(&record);
}

/* Writes the companion of a shard, and describes it. */
static void end_shard(struct world *w, size_t shard, struct buf *text, uint64_t n)
{
    struct named_file *file = &w->shards[shard].leads;
    struct digest *d = digest_new();
    (void)snprintf(w->names[shard], sizeof w->names[shard], "rows%zu", shard);
    int fd = open(w->names[shard], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && d && buf_rc(text) == RC_OK);
    assert_true(write(fd, text->data, text->len) == (ssize_t)text->len);
    assert_int_equal(close(fd), 0);
    digest_add(d, text->data, text->len);
    digest_end(d, w->digests[shard]);
    digest_free(d);
    w->shards[shard].path = "m.json";
    *file = (struct named_file){
        .path = w->names[shard], .rows = n, .bytes = text->len, .sha256 = w->digests[shard]};
}

static struct buf begin_shard(void)
{
    const struct rows_header header = {.profile = STR("{}"), .max_columns = 1};
    struct buf text;
    buf_init(&text, COMPANION_BYTES_MAX);
    rows_put_header(&text, &header);
    return text;
}

/* Every lead is some shard's, or nobody's. */
static struct world *make_world(void)
{
    struct world *w = calloc(1, sizeof *w);
    uint64_t seed = 3;
    assert_non_null(w);
    w->profile.n_tables = N_TABLES;
    w->set = (struct shard_set){.shards = w->shards, .n = N_SHARDS, .profile = &w->profile};
    for (size_t i = 0; i < N_LEADS; i++) {
        seed = seed * 6364136223846793005U + 1;
        w->of[i] = (uint32_t)(seed >> 60) % (N_SHARDS + 1);
    }
    for (size_t shard = 0; shard < N_SHARDS; shard++) {
        struct buf text = begin_shard();
        uint64_t before = 0;
        uint64_t n = 0;
        for (uint64_t i = 0; i < N_LEADS; i++) {
            if (w->of[i] != shard)
                continue;
            put_lead(&text, i, before);
            before = i;
            n++;
        }
        end_shard(w, shard, &text, n);
        buf_free(&text);
    }
    return w;
}

/* The leads up to the end of the list or `n`, which must be the right ones; returns what came then. */
static enum rc take(const struct world *w, struct lead_feed *f, size_t n, struct err *e)
{
    for (uint64_t i = 0; i < N_LEADS && n > 0; i++) {
        struct merge_lead lead;
        if (w->of[i] == N_SHARDS)
            continue;
        assert_int_equal(lead_feed_next(f, &lead, e), RC_OK);
        if (lead.at != i || lead.shard != w->of[i] || lead.rows[0] != rows_of(i, 0) ||
            lead.rows[1] != rows_of(i, 1))
            fail_msg("lead %zu: is %zu of shard %zu with %u and %u rows", (size_t)i,
                     (size_t)lead.at, lead.shard, lead.rows[0], lead.rows[1]);
        n--;
    }
    struct merge_lead lead;
    return n > 0 ? lead_feed_next(f, &lead, e) : RC_OK;
}

static void in_order(void **state)
{
    struct world *w = make_world();
    struct lead_feed *f = NULL;
    struct err e;
    (void)state;
    assert_int_equal(lead_feed_open(&f, &w->set, &e), RC_OK);
    assert_int_equal(take(w, f, SIZE_MAX, &e), RC_END);
    lead_feed_close(f);
    free(w);
}

/* Whatever the thread has come to. */
static void closed_early(void **state)
{
    struct world *w = make_world();
    struct err e;
    (void)state;
    for (size_t n = 0; n < 9000; n = n * 3 + 1) {
        struct lead_feed *f = NULL;
        assert_int_equal(lead_feed_open(&f, &w->set, &e), RC_OK);
        assert_int_equal(take(w, f, n, &e), RC_OK);
        lead_feed_close(f);
    }
    free(w);
}

/* What is wrong is said after all leads before it, or at once where nothing can be read. */
static void damaged(void **state)
{
    struct world *w = make_world();
    struct lead_feed *f = NULL;
    struct err e;
    (void)state;
    w->digests[1][0] ^= 1;
    assert_int_equal(lead_feed_open(&f, &w->set, &e), RC_OK);
    struct merge_lead lead;
    enum rc rc = RC_OK;
    size_t n = 0;
    for (; rc == RC_OK; n++)
        rc = lead_feed_next(f, &lead, &e);
    assert_int_equal(rc, RC_SYNTAX);
    assert_string_equal(e.msg, "rows1: is not the file that m.json describes");
    assert_true(n > N_LEADS / 2);
    lead_feed_close(f);
    assert_int_equal(unlink(w->names[2]), 0);
    assert_int_equal(lead_feed_open(&f, &w->set, &e), RC_OK);
    assert_int_equal(lead_feed_next(f, &lead, &e), RC_USAGE);
    lead_feed_close(f);
    free(w);
}

static void with_columns(void **state)
{
    struct world *w = make_world();
    struct lead_order o;
    struct rows_column column;
    struct err e;
    size_t shard = 0;
    uint64_t next = 5;
    (void)state;
    enum rc rc = lead_order_open(&o, &w->set, true, &e);
    while (rc == RC_OK && (rc = lead_order_next(&o, &shard, &e)) == RC_OK) {
        if (!rows_take_column(&o.rows[shard].lead, &column))
            continue; /* one whose numbers of rows are large */
        while (w->of[next] == N_SHARDS)
            next += 997;
        assert_int_equal(o.rows[shard].place, next);
        assert_int_equal(shard, w->of[next]);
        assert_int_equal(column.table, 1);
        next += 997;
    }
    assert_int_equal(rc, RC_END);
    while (next < N_LEADS && w->of[next] == N_SHARDS)
        next += 997;
    assert_true(next >= N_LEADS);
    lead_order_close(&o);
    free(w);
}

/* With --order any: a lead that is late stays behind those that its shard has before it. */
static void out_of_order(void **state)
{
    static const uint64_t places[N_SHARDS][4] = {{0, 9, 1, 10}, {3, 4, 2, 20}, {5, 6, 7, 8}};
    static const uint64_t wanted[] = {0, 3, 4, 2, 5, 6, 7, 8, 9, 1, 10, 20};
    struct world *w = make_world();
    struct lead_feed *f = NULL;
    struct err e;
    (void)state;
    for (size_t shard = 0; shard < N_SHARDS; shard++) {
        struct buf text = begin_shard();
        for (size_t i = 0; i < 4; i++)
            put_lead(&text, places[shard][i], i ? places[shard][i - 1] : 0);
        end_shard(w, shard, &text, 4);
        buf_free(&text);
    }
    assert_int_equal(lead_feed_open(&f, &w->set, &e), RC_OK);
    uint64_t at = 0;
    struct merge_lead lead;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        assert_int_equal(lead_feed_next(f, &lead, &e), RC_OK);
        assert_int_equal(lead.rows[0], rows_of(wanted[i], 0));
        assert_true(lead.at >= at && lead.at >= wanted[i]);
        at = lead.at;
    }
    assert_int_equal(lead_feed_next(f, &lead, &e), RC_END);
    lead_feed_close(f);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {IN_FOLDER(in_order), IN_FOLDER(closed_early),
                                       IN_FOLDER(damaged), IN_FOLDER(with_columns),
                                       IN_FOLDER(out_of_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
