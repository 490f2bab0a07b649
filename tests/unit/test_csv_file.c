#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "folder.h"
#include "sinks/csv/csv_file.h"

#define DOCUMENTED 3
#define EXTRAS_MAX 40
#define NEVER UINT32_MAX

static void expect_ok(enum rc rc, const struct err *e)
{
    if (rc != RC_OK)
        fail_msg("%s: %s", rc_text(rc), e->msg);
}

/* ---- rows that are made up ------------------------------------------------------------------ */

/* When which undocumented column is first seen. */
struct story {
    const char *name;
    uint32_t n_rows;
    uint32_t n_extras;
    uint32_t first_row[EXTRAS_MAX]; /* of each; in order */
};

static const char *const texts[] = {
    "plain",
    "a,b;c",
    "say \"hi\"",
    "two\nlines",
    "with\r\nboth",
    "",
    "=1+1",
    "\"",
    "\"\n\"\r\n,",
    "+16782319992",
    "some longer text that is no trouble",
    "caf\xc3\xa9",
};
#define N_TEXTS (sizeof texts / sizeof *texts)

static struct column_spec documented[DOCUMENTED] = {
    {.name = {"id", 2}}, {.name = {"name", 4}}, {.name = {"value", 5}}};
static const struct table_spec table = {
    .name = {"leads", 5}, .columns = documented, .n_columns = DOCUMENTED};

static struct str key_columns[] = {{"provider", 8}, {"lead_id", 7}};
static struct run_columns none,
    marked = {
        .n = 2,
        .names = {{"_exported_at", 12}, {"_run_id", 7}},
        .values = {{"2026-01-30T02:00:00.000Z", 24}, {"0123456789abcdef0123456789abcdef", 32}},
};
static const struct profile profile = {.key_columns = key_columns, .n_key_columns = 2};

static struct column columns[EXTRAS_MAX];
static char column_names[EXTRAS_MAX][16];

static void columns_make(void)
{
    for (uint32_t i = 0; i < EXTRAS_MAX; i++) {
        (void)snprintf(column_names[i], sizeof column_names[i], "extra_%u", i);
        /* The schema has seen others between them. */
        columns[i] = (struct column){.name = str_c(column_names[i]), .index = 3 * i + 1};
    }
}

static struct cell text_cell(const char *text)
{
    return (struct cell){.kind = CELL_TEXT, .len = (uint32_t)strlen(text), .u.text = text};
}

struct made_row {
    char id[16];
    struct cell cells[DOCUMENTED];
    struct extra extras[EXTRAS_MAX];
    struct row row;
};

static uint32_t mix(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352dU;
    x ^= x >> 15;
    x *= 0x846ca68bU;
    return x ^ x >> 16;
}

static void row_make(struct made_row *r, const struct story *s, uint32_t i)
{
    (void)snprintf(r->id, sizeof r->id, "L-%u", i);
    r->cells[0] = text_cell(r->id);
    r->cells[1] = text_cell(texts[mix(i) % N_TEXTS]);
    r->cells[2] =
        mix(i) % 5 ? text_cell(texts[mix(i + 77) % N_TEXTS]) : (struct cell){.kind = CELL_NULL};
    r->row = (struct row){r->cells, r->extras, 0};
    for (uint32_t k = 0; k < s->n_extras; k++) {
        if (i < s->first_row[k] || (i > s->first_row[k] && mix(i * 64 + k) % 3))
            continue;
        r->extras[r->row.n_extras++] =
            (struct extra){.cell = text_cell(texts[mix(i + k) % N_TEXTS]), .column = &columns[k]};
    }
}

/* ---- what the file must be ------------------------------------------------------------------ */

static void want_field(struct buf *b, const struct csv_dialect *d, const char *text)
{
    bool guard = d->excel_safe && strcmp(text, "=1+1") == 0;
    if (*text && !strpbrk(text, "\"\r\n") && !strchr(text, d->delimiter)) {
        buf_adds(b, guard ? "'" : "");
        buf_adds(b, text);
        return;
    }
    buf_addc(b, '"');
    for (; *text; text++) {
        if (*text == '"')
            buf_addc(b, '"');
        buf_addc(b, *text);
    }
    buf_addc(b, '"');
}

static void want_run(struct buf *b, const struct csv_settings *set, const struct str *words)
{
    for (size_t i = 0; i < set->run->n; i++)
        buf_addf(b, "%c" STR_FMT, set->dialect.delimiter, STR_ARG(words[i]));
}

static void want_row(struct buf *b, const struct csv_settings *set, const struct made_row *r,
                     uint32_t n_extras)
{
    buf_addf(b, "acme%cL", set->dialect.delimiter);
    for (int i = 0; i < DOCUMENTED; i++) {
        buf_addc(b, set->dialect.delimiter);
        if (r->cells[i].kind == CELL_TEXT)
            want_field(b, &set->dialect, r->cells[i].u.text);
    }
    for (uint32_t k = 0, x = 0; k < n_extras; k++) {
        buf_addc(b, set->dialect.delimiter);
        if (x < r->row.n_extras && r->extras[x].column == &columns[k])
            want_field(b, &set->dialect, r->extras[x++].cell.u.text);
    }
    want_run(b, set, set->run->values);
    buf_adds(b, set->dialect.crlf ? "\r\n" : "\n");
}

static void want_make(struct buf *b, const struct csv_settings *set, const struct story *s)
{
    uint32_t n_extras = 0;
    while (n_extras < s->n_extras && s->first_row[n_extras] < s->n_rows)
        n_extras++;
    if (set->bom)
        buf_adds(b, "\xef\xbb\xbf");
    if (set->header) {
        buf_addf(b, "provider%clead_id", set->dialect.delimiter);
        for (int i = 0; i < DOCUMENTED; i++)
            buf_addf(b, "%c%s", set->dialect.delimiter, documented[i].name.ptr);
        for (uint32_t k = 0; k < n_extras; k++)
            buf_addf(b, "%c%s", set->dialect.delimiter, column_names[k]);
        want_run(b, set, set->run->names);
        buf_adds(b, set->dialect.crlf ? "\r\n" : "\n");
    }
    for (uint32_t i = 0; i < s->n_rows; i++) {
        struct made_row r;
        row_make(&r, s, i);
        want_row(b, set, &r, n_extras);
    }
}

/* ---- what it is ----------------------------------------------------------------------------- */

static void put_rows(struct csv_file *f, const struct story *s, uint32_t from, uint32_t to)
{
    struct err e = {0};
    struct buf keys;
    buf_init(&keys, 64);
    buf_addf(&keys, "acme%cL", f->settings->dialect.delimiter);
    for (uint32_t i = from; i < to; i++) {
        struct made_row r;
        row_make(&r, s, i);
        expect_ok(csv_file_put(f, buf_str(&keys), &r.row, &e), &e);
    }
    buf_free(&keys);
}

static void finish(struct csv_file *f)
{
    struct err e = {0};
    expect_ok(csv_file_prepare(f, NULL, &e), &e);
    assert_int_not_equal(access("out", F_OK), 0);
    expect_ok(csv_file_commit(f, &e), &e);
    csv_file_close(f, false);
    assert_int_not_equal(access(".out.leadpipe-part", F_OK), 0);
    assert_int_not_equal(access(".out.leadpipe-wide", F_OK), 0);
}

static void slurp(struct buf *b, bool inflated)
{
    static char block[1 << 16];
    int n;
    buf_init(b, SIZE_MAX / 2);
    gzFile z = gzopen("out", "rb");
    FILE *f = fopen("out", "rb");
    assert_true(z && f);
    while ((n = inflated ? gzread(z, block, sizeof block) : (int)fread(block, 1, sizeof block, f)) >
           0)
        buf_add(b, block, (size_t)n);
    assert_int_equal(n, 0);
    (void)gzclose(z);
    (void)fclose(f);
    assert_int_equal(unlink("out"), 0);
}

static void expect_same(const struct buf *got, const struct buf *want, const char *what,
                        const struct story *s, const struct csv_settings *set)
{
    size_t at = 0;
    while (at < got->len && at < want->len && got->data[at] == want->data[at])
        at++;
    if (at == got->len && at == want->len)
        return;
    fail_msg("%s, %s, level %u: %zu bytes, want %zu; at %zu got <%.60s> want <%.60s>", what,
             s->name, set->level, got->len, want->len, at, got->data + at, want->data + at);
}

/* In one go. The file's own bytes are left in `raw`. */
static void run_straight(const struct csv_settings *set, const struct story *s, struct buf *raw)
{
    struct err e = {0};
    struct csv_file f;
    struct buf got;
    struct buf want;
    for (int inflated = 1; inflated >= 0; inflated--) {
        expect_ok(csv_file_open(&f, set, &table, "out", STR_NONE, &e), &e);
        put_rows(&f, s, 0, s->n_rows);
        assert_int_equal(f.n_rows, s->n_rows);
        finish(&f);
        if (!inflated) {
            slurp(raw, false);
            return;
        }
        slurp(&got, true);
        buf_init(&want, SIZE_MAX / 2);
        want_make(&want, set, s);
        expect_same(&got, &want, "straight", s, set);
        buf_free(&got);
        buf_free(&want);
    }
}

/* With marks now and then; after the last of them a crash, which loses what came after it. */
static void run_resumed(const struct csv_settings *set, const struct story *s, uint32_t crash,
                        const struct buf *want)
{
    struct err e = {0};
    struct csv_file f;
    struct buf mark;
    struct buf got;
    buf_init(&mark, SIZE_MAX / 2);
    expect_ok(csv_file_open(&f, set, &table, "out", STR_NONE, &e), &e);
    put_rows(&f, s, 0, crash / 2);
    expect_ok(csv_file_mark(&f, &mark, &e), &e);
    put_rows(&f, s, crash / 2, crash);
    buf_clear(&mark);
    expect_ok(csv_file_mark(&f, &mark, &e), &e);
    put_rows(&f, s, crash, s->n_rows);
    csv_file_close(&f, true);
    assert_int_equal(mark.data[mark.len - 1], '\n');
    struct str line = {mark.data, mark.len - 1};
    expect_ok(csv_file_open(&f, set, &table, "out", line, &e), &e);
    put_rows(&f, s, crash, s->n_rows);
    finish(&f);
    slurp(&got, false);
    expect_same(&got, want, "resumed", s, set);
    buf_free(&got);
    buf_free(&mark);
}

static const struct csv_settings dialects[] = {
    {.profile = &profile, .run = &none, .dialect = {.delimiter = ','}, .header = true},
    {.profile = &profile, .run = &marked, .dialect = {.delimiter = ','}, .header = true},
    {.profile = &profile,
     .run = &marked,
     .dialect = {.delimiter = ';', .crlf = true, .excel_safe = true},
     .header = true,
     .bom = true},
    {.profile = &profile, .run = &none, .dialect = {.delimiter = '\t'}},
};

static void run_all(const struct story *s)
{
    for (unsigned level = 0; level <= 1; level++) {
        for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++) {
            struct csv_settings set = dialects[i];
            struct buf raw;
            set.level = level;
            set.want_sha256 = i == 1;
            run_straight(&set, s, &raw);
            run_resumed(&set, s, s->n_rows / 3, &raw);
            run_resumed(&set, s, s->n_rows - s->n_rows / 20, &raw);
            buf_free(&raw);
        }
    }
}

static void few_rows(void **state)
{
    (void)state;
    static const struct story stories[] = {
        {.name = "no rows", .n_rows = 0},
        {.name = "one row", .n_rows = 1},
        {.name = "one row with extras", .n_rows = 1, .n_extras = 2},
        {.name = "columns while held", .n_rows = 100, .n_extras = 4, .first_row = {1, 1, 50, 99}},
    };
    for (size_t i = 0; i < sizeof stories / sizeof *stories; i++)
        run_all(&stories[i]);
}

static void many_rows(void **state)
{
    (void)state;
    static const struct story stories[] = {
        {.name = "nothing late", .n_rows = 15000, .n_extras = 2, .first_row = {0, 3}},
        {.name = "one in the middle", .n_rows = 30000, .n_extras = 3, .first_row = {0, 5, 9000}},
        {.name = "again and again",
         .n_rows = 30000,
         .n_extras = 7,
         .first_row = {0, 5, 8000, 8001, 8001, 15000, 20000}},
        {.name = "the last row", .n_rows = 15000, .n_extras = 2, .first_row = {0, 14999}},
    };
    for (size_t i = 0; i < sizeof stories / sizeof *stories; i++)
        run_all(&stories[i]);
}

/* A column with every few rows, from the first to the last. */
static void columns_all_along(void **state)
{
    (void)state;
    struct story s = {.name = "all along", .n_rows = 8000, .n_extras = EXTRAS_MAX};
    for (uint32_t k = 0; k < EXTRAS_MAX; k++)
        s.first_row[k] = k * (s.n_rows / EXTRAS_MAX);
    run_all(&s);
}

static void damaged_marks(void **state)
{
    (void)state;
    static const char *const marks[] = {
        "",
        "1",
        "0 0   0:eJwDAAAAAAE=",
        "0 2   0:eJwDAAAAAAE= 0:0:0:0:",
        "5 1 a, 0:1, 0:eJwDAAAAAAE= x",
        "5 1 a, 0:2, 0:eJwDAAAAAAE= 0:0:0:0:",
        "5 1 a 0:1, 0:eJwDAAAAAAE= 0:0:0:0:",
        "5 1 a,b, 0:1, 0:eJwDAAAAAAE= 0:0:0:0:",
        "5 1 a,b, 0:1,0:2, 0:eJwDAAAAAAE= 0:0:0:0:",
        "5 1 a,, 0:1, 0:eJwDAAAAAAE= 0:0:0:0:",
        "5 0 a, 0:1, 0:eJwDAAAAAAE= 0:0:0:0:",
        "5 1 a, 0:4294967297, 0:eJwDAAAAAAE= 0:0:0:0:",
    };
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        struct err e = {0};
        struct csv_file f;
        enum rc rc = csv_file_open(&f, &dialects[0], &table, "out", str_c(marks[i]), &e);
        if (rc != RC_SYNTAX || !strstr(e.msg, "out: the mark in the state is damaged"))
            fail_msg("mark <%s>: %s \"%s\"", marks[i], rc_text(rc), e.msg);
        csv_file_close(&f, true);
    }
}

/* What an earlier run left must be there. */
static void lost_files(void **state)
{
    (void)state;
    struct err e = {0};
    struct csv_file f;
    struct buf mark;
    const struct story s = {.name = "lost", .n_rows = 10000};
    buf_init(&mark, SIZE_MAX / 2);
    expect_ok(csv_file_open(&f, &dialects[0], &table, "out", STR_NONE, &e), &e);
    put_rows(&f, &s, 0, s.n_rows);
    expect_ok(csv_file_mark(&f, &mark, &e), &e);
    csv_file_close(&f, true);
    assert_int_equal(truncate(".out.leadpipe-part", 100), 0);
    struct str line = {mark.data, mark.len - 1};
    assert_int_equal(csv_file_open(&f, &dialects[0], &table, "out", line, &e), RC_USAGE);
    assert_non_null(strstr(e.msg, "data of the unfinished run is missing"));
    csv_file_close(&f, true);
    buf_free(&mark);
}

static void disk_full(void **state)
{
    (void)state;
    struct err e = {0};
    struct csv_file f;
    const struct story s = {.name = "full", .n_rows = 3};
    expect_ok(csv_file_open(&f, &dialects[0], &table, "/dev/full", STR_NONE, &e), &e);
    put_rows(&f, &s, 0, s.n_rows);
    expect_ok(csv_file_prepare(&f, NULL, &e), &e); /* a device gets nothing before its time */
    assert_int_equal(csv_file_commit(&f, &e), RC_IO);
    assert_string_equal(e.msg, "/dev/full: No space left on device");
    csv_file_close(&f, false);
}

int main(void)
{
    columns_make();
#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_enter, folder_leave)
    const struct CMUnitTest tests[] = {
        TEST(few_rows),      TEST(many_rows),  TEST(columns_all_along),
        TEST(damaged_marks), TEST(lost_files), TEST(disk_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
