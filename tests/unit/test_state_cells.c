/* A state whose checksums are right, and whose values are none that leadpipe writes: each is refused
 * before the run is resumed. */
#include "state_cells.h"
#include "state_answers.h"
#include "state_world.h"

static const struct state_list_cfg list_of_sample = {
    .source = {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
               STATE_LIST_SOURCE_BYTES},
    .n_params = 1,
    .n_lists = 3,
    .has_since = true,
    .since_ms = 1,
};

/* Two leads of one list, each with a parameter. */
static void put_part(struct state *s, size_t number, enum list_part_end end)
{
    struct err e = {0};
    const struct list_part part = {
        .list = number, .end = end, .n = 2, .pack = STR("\1\0a\2\0p1\1\0b\2\0p2")};
    OK(state_list_put(s, &part, &e));
}

/* Positions 1 and 2. */
static void list_before(struct state *s)
{
    struct err e = {0};
    OK(state_begin(s, "0123456789abcdef0123456789abcdef", 1, NULL, 0, &e));
    OK(state_list_begin(s, &list_of_sample, &e));
    put_part(s, 0, LIST_PART_GOES_ON);
    put_part(s, 0, LIST_PART_COMPLETE);
    OK(state_publish(s, NULL, 0, STR("{}"), &e));
    OK(state_finish(s, true, &e));
}

static void make_sample(void)
{
    struct err e = {0};
    struct state *s = open_ok("s");
    list_before(s);
    const struct state_setting settings[] = {{STR("first"), STR("a value")},
                                             {STR("second"), STR("b")}};
    const struct str marks[] = {STR("mark 0"), STR("mark 1")};
    const uint64_t gaps[] = {3, 5};
    const struct state_column columns[] = {{1, 2, 3, STR("a key"), STR("a member")},
                                           {4, 5, 6, STR("another"), STR_NONE}};
    const struct state_checkpoint c = {
        .progress = {.high = 9, .key_a = 8, .handed = 4, .missing = 1},
        .gaps = gaps,
        .n_gaps = 2,
        .marks = marks,
        .n_marks = 2,
        .totals = STR("totals"),
        .columns = columns,
        .n_columns = 2};
    const struct state_delivery d = {.id = STR("id"), .leads = STR("leads"), .body = STR("body")};
    const struct state_buffered buffered = {.seq = 3, .http_status = 200, .body = STR("{}")};
    const struct state_content note = {.acceptance = STATE_ACCEPTED};
    const struct str sink = STR("a sink");
    int64_t row;
    OK(state_begin(s, "0123456789abcdef0123456789abcdef", 1, settings, 2, &e));
    OK(state_list_begin(s, &list_of_sample, &e)); /* positions 3 to 5 */
    put_part(s, 0, LIST_PART_GOES_ON);
    put_part(s, 0, LIST_PART_INCOMPLETE);
    put_part(s, 1, LIST_PART_GOES_ON);
    OK(state_accept_by(s, &sink, 1, &(enum state_hash){STATE_HASH_SHA256}, &e));
    OK(state_fail(s, 1, false, STR("{}\n"), STR("why"), &e));
    OK(state_fail(s, 2, true, STR("{}\n"), STR("why"), &e));
    OK(state_miss(s, 4, STR("{}\n"), &e));
    OK(state_add_delivery(s, 0, &d, 7, &row, &e));
    OK(state_add_delivery(s, 0, &d, 8, &row, &e));
    OK(state_answer(s, row, ONE_DELIVERED, STR("an answer"), &e));
    OK(state_buffer(s, &buffered, &e));
    OK(state_note_accepted(s, &note, 1, &e));
    OK(state_checkpoint(s, &c, &e));
    state_close(s);
}

static void publish_sample(void)
{
    struct err e = {0};
    const struct str text = STR("text");
    struct state *s = open_ok("s");
    OK(state_publish(s, &text, 1, STR("{}"), &e));
    state_close(s);
}

static void change(const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(cells_open("s", &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    if (!strstr(sql, "TABLE buffered")) /* whose rows cannot be changed then */
        assert_int_equal(cells_reseal(db), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Opens and loads it, and says how that ended. */
static enum rc load(struct err *e)
{
    struct state *s = NULL;
    struct state_run run;
    const struct state_cfg cfg = {.path = "s"};
    enum rc rc = state_open(&s, &cfg, e);
    if (rc == RC_OK)
        rc = state_load(s, &run, e);
    state_close(s);
    return rc;
}

static const char *const accepted[] = {
    "UPDATE run SET started_ms = 2",
    "UPDATE checkpoint SET totals = NULL",
    "UPDATE checkpoint SET high = 4503599627370496",
    "UPDATE columns SET member = NULL",
    "UPDATE failures SET summary = ''",
    "UPDATE settings SET value = ''",
    "UPDATE list SET times = 3, until_ms = 2",
    "UPDATE list SET since_ms = -1",
    "UPDATE list SET first = 4",
    "UPDATE listed SET bad = 7 WHERE position = 4",
    "UPDATE listed SET pack = x'010063020070310100620200703e' WHERE position = 3",
    "UPDATE listed SET ends = 1 WHERE position = 5",
    "DELETE FROM listed WHERE position = 5",
    "DELETE FROM listed WHERE position = 1",
};

/* NOLINTBEGIN(bugprone-suspicious-missing-comma): a long text is several literals */
static const char *const refused[] = {
    /* the run */
    "UPDATE run SET phase = 0",
    "UPDATE run SET phase = 4",
    "UPDATE run SET phase = -1",
    "UPDATE run SET phase = 4294967297",
    "UPDATE run SET phase = 'running'",
    "UPDATE run SET phase = 2",
    "UPDATE run SET phase = 3",
    "UPDATE run SET record = 'x'",
    "UPDATE run SET prepared = 1",
    "UPDATE run SET run_id = ''",
    "UPDATE run SET run_id = x'30'",
    "UPDATE run SET run_id = '0123456789abcdef0123456789abcde'",
    "UPDATE run SET run_id = '0123456789abcdef0123456789abcdeF'",
    "UPDATE run SET run_id = '0123456789abcdef0123456789abcdef0'",
    "UPDATE run SET run_id = char(27) || '123456789abcdef0123456789abcdef'",
    "UPDATE run SET started_ms = -1",
    "UPDATE run SET started_ms = 9223372036854775807",
    "UPDATE run SET started_ms = 1.5",
    "UPDATE run SET settings = 1",
    "UPDATE run SET settings = 3",
    "UPDATE run SET settings = -1",
    "UPDATE run SET settings = 9223372036854775807",
    "UPDATE run SET settings = 1152921504606846976",
    "UPDATE run SET settings = x'02'",
    /* settings */
    "UPDATE settings SET name = NULL WHERE position = 0",
    "UPDATE settings SET value = NULL WHERE position = 1",
    "UPDATE settings SET value = x'00' WHERE position = 1",
    "UPDATE settings SET position = 7 WHERE position = 1",
    "DELETE FROM settings",
    "INSERT INTO settings VALUES (2, 'c', 'd', 0)",
    /* the checkpoint */
    "DELETE FROM checkpoint",
    "UPDATE checkpoint SET high = 4",
    "UPDATE checkpoint SET high = -1",
    "UPDATE checkpoint SET high = 9223372036854775807",
    "UPDATE checkpoint SET high = 'many'",
    "UPDATE checkpoint SET handed = 7",
    "UPDATE checkpoint SET handed = -1",
    "UPDATE checkpoint SET handed = 9223372036854775807",
    "UPDATE checkpoint SET missing = 4",
    "UPDATE checkpoint SET missing = -3",
    "UPDATE checkpoint SET unchanged = 3",
    "UPDATE checkpoint SET replaced = -1",
    "UPDATE checkpoint SET other_ids = 8",
    "UPDATE checkpoint SET active_ms = -1",
    "UPDATE checkpoint SET active_ms = 9223372036854775807",
    "UPDATE checkpoint SET key_a = 'x'",
    "UPDATE checkpoint SET key_b = x'00'",
    "UPDATE checkpoint SET marks = 1",
    "UPDATE checkpoint SET marks = 3",
    "UPDATE checkpoint SET marks = -1",
    "UPDATE checkpoint SET marks = 1152921504606846976",
    "UPDATE checkpoint SET columns = 0",
    "UPDATE checkpoint SET columns = 3",
    "UPDATE checkpoint SET columns = 3298534883328", /* of 16 bytes each: 48 TiB */
    "UPDATE checkpoint SET totals = x'00'",
    "UPDATE checkpoint SET gaps = x'03'",
    "UPDATE checkpoint SET gaps = zeroblob(15)",
    "UPDATE checkpoint SET gaps = zeroblob(16)",
    "UPDATE checkpoint SET gaps = x'05000000000000000300000000000000'",
    "UPDATE checkpoint SET gaps = x'0300000000000000ffffffffffffffff'",
    "UPDATE checkpoint SET gaps = x'0900000000000000'",
    "UPDATE checkpoint SET gaps = 'text'",
    /* marks and columns */
    "DELETE FROM marks WHERE sink = 0",
    "DELETE FROM marks",
    "UPDATE marks SET mark = NULL WHERE sink = 1",
    "UPDATE marks SET mark = x'07' WHERE sink = 1",
    "UPDATE marks SET sink = 9 WHERE sink = 1",
    "UPDATE columns SET table_number = -1",
    "UPDATE columns SET table_number = 4294967296",
    "UPDATE columns SET scope = 4294967297",
    "UPDATE columns SET occurrence = 'x'",
    "UPDATE columns SET key = NULL",
    "UPDATE columns SET key = x'05'",
    "UPDATE columns SET key = CAST(x'ff' AS TEXT)",
    "UPDATE columns SET member = CAST(x'c3' AS TEXT)",
    "UPDATE columns SET position = 5 WHERE position = 1",
    /* leads */
    "UPDATE failures SET seq = -1 WHERE seq = 1",
    "UPDATE failures SET by_sink = 2",
    "UPDATE failures SET by_sink = 9223372036854775807",
    "UPDATE failures SET by_sink = -1",
    "UPDATE failures SET by_sink = 'x'",
    "UPDATE failures SET line = NULL",
    "UPDATE failures SET line = ''",
    "UPDATE failures SET line = '{}'",
    "UPDATE failures SET line = char(10)",
    "UPDATE failures SET line = '{}' || char(10) || '{}' || char(10)",
    "UPDATE failures SET line = '{' || char(27) || '}' || char(10)",
    "UPDATE failures SET line = x'7b7d0a'",
    "UPDATE failures SET summary = NULL",
    "UPDATE failures SET summary = CAST(x'ff' AS TEXT)",
    "UPDATE missing SET seq = -1",
    "UPDATE missing SET line = NULL",
    "UPDATE missing SET line = '{}'",
    "UPDATE missing SET line = '{}' || char(10) || '{}' || char(10)",
    "UPDATE missing SET line = x'7b7d0a'",
    "UPDATE buffered SET seq = -1",
    "UPDATE buffered SET key = x'00'",
    "UPDATE buffered SET key = zeroblob(17)",
    "UPDATE buffered SET key = '0123456789abcdef'",
    "UPDATE buffered SET http_status = 1000",
    "UPDATE buffered SET http_status = -1",
    "UPDATE buffered SET attempts = 4294967296",
    "UPDATE buffered SET body = NULL",
    "UPDATE buffered SET body = 1",
    /* deliveries */
    "UPDATE deliveries SET number = 0 WHERE number = 1; UPDATE deliveries SET number = -5"
    " WHERE number = 2",
    "UPDATE deliveries SET number = 9223372036854775807 WHERE number = 2",
    "UPDATE deliveries SET number = 9223372036854775806 WHERE number = 2",
    "UPDATE deliveries SET sink = -1",
    "UPDATE deliveries SET sink = 64",
    "UPDATE deliveries SET sink = 4294967296",
    "UPDATE deliveries SET sink = 'x'",
    "UPDATE deliveries SET last_seq = -1",
    "UPDATE deliveries SET last_seq = 'x'",
    "UPDATE deliveries SET id = NULL",
    "UPDATE deliveries SET id = x'00'",
    "UPDATE deliveries SET leads = NULL",
    "UPDATE deliveries SET leads = x'05'",
    "UPDATE deliveries SET body = NULL WHERE number = 1",
    "UPDATE deliveries SET body = 'text' WHERE number = 1",
    "UPDATE deliveries SET body = x'00' WHERE number = 2",
    "UPDATE deliveries SET outcome = 0 WHERE number = 1",
    "UPDATE deliveries SET outcome = NULL WHERE number = 2",
    "UPDATE deliveries SET outcome = 3 WHERE number = 2",
    "UPDATE deliveries SET outcome = -1 WHERE number = 2",
    "UPDATE deliveries SET outcome = 'x' WHERE number = 2",
    "UPDATE deliveries SET answer = NULL WHERE number = 2",
    "UPDATE deliveries SET answer = 'x' WHERE number = 1",
    "UPDATE delivery_counts SET sink = 64",
    "UPDATE delivery_counts SET delivered = -1",
    "UPDATE delivery_counts SET delivered = 9223372036854775807",
    "UPDATE delivery_counts SET failed = 9223372036854775807",
    "UPDATE delivery_counts SET failed = 'x'",
    /* what sinks accepted */
    "UPDATE accepted_by SET sink = NULL",
    "UPDATE accepted_by SET sink = x'00'",
    "UPDATE accepted_by SET position = -1",
    "UPDATE accepted_now SET notes = 0",
    "UPDATE accepted_now SET notes = 2",
    "UPDATE accepted_now SET notes = -1",
    "UPDATE accepted_now SET notes = 1001, pack = zeroblob(1001 * 33)",
    "UPDATE accepted_now SET notes = 558992244657865200",
    "UPDATE accepted_now SET pack = x''",
    "UPDATE accepted_now SET pack = zeroblob(32)",
    "UPDATE accepted_now SET pack = zeroblob(32) || x'02'",
    "UPDATE accepted_now SET pack = 'text'",
    /* the list of leads */
    "DELETE FROM list",
    "UPDATE list SET source = NULL",
    "UPDATE list SET source = ''",
    "UPDATE list SET source = upper(source)",
    "UPDATE list SET source = CAST(source AS BLOB)",
    "UPDATE list SET params = 0",
    "UPDATE list SET params = 2",
    "UPDATE list SET params = 33",
    "UPDATE list SET params = -1",
    "UPDATE list SET params = 1152921504606846976",
    "UPDATE list SET lists = 0",
    "UPDATE list SET lists = -1",
    "UPDATE list SET lists = 4294967296",
    "UPDATE list SET times = 4",
    "UPDATE list SET times = 'x'",
    "UPDATE list SET since_ms = 9223372036854775807",
    "UPDATE list SET since_ms = -9223372036854775807",
    "UPDATE list SET until_ms = x'00'",
    "UPDATE list SET first = 0",
    "UPDATE list SET first = -1",
    "UPDATE list SET first = 1",
    "UPDATE list SET first = 2",
    "UPDATE list SET first = 5",
    "UPDATE list SET first = 9223372036854775807",
    "UPDATE list SET listing = 0",
    "UPDATE list SET listing = 2",
    "UPDATE list SET listing = 'x'",
    "UPDATE listed SET position = -1 WHERE position = 1",
    "UPDATE listed SET position = 9 WHERE position = 5",
    "UPDATE listed SET position = 9007199254740992 WHERE position = 5",
    "UPDATE listed SET position = 9223372036854775807 WHERE position = 5",
    "DELETE FROM listed WHERE position = 2",
    "DELETE FROM listed WHERE position = 3",
    "DELETE FROM listed WHERE position = 4",
    "UPDATE listed SET list = 1 WHERE position = 3",
    "UPDATE listed SET list = 2 WHERE position = 5",
    "UPDATE listed SET list = -1 WHERE position = 5",
    "UPDATE listed SET list = 4294967296",
    "UPDATE listed SET ends = 1 WHERE position = 3",
    "UPDATE listed SET ends = 0 WHERE position = 4",
    "UPDATE listed SET ends = 3",
    "UPDATE listed SET ends = 4294967297",
    "UPDATE listed SET bad = -1",
    "UPDATE listed SET bad = 9223372036854775807",
    "UPDATE listed SET leads = 1 WHERE position = 5",
    "UPDATE listed SET leads = 3 WHERE position = 1",
    "UPDATE listed SET leads = -1",
    "UPDATE listed SET leads = 9223372036854775807",
    "UPDATE listed SET pack = x''",
    "UPDATE listed SET pack = 'text'",
    "UPDATE listed SET pack = substr(pack, 1, length(pack) - 1) WHERE position = 3",
    "UPDATE listed SET pack = pack || x'00'",
    "UPDATE listed SET pack = pack || x'ffff'",
    "UPDATE listed SET pack = x'010001020070310100620200703e' WHERE position = 2",   /* U+0001 */
    "UPDATE listed SET pack = x'0100ff020070310100620200703e' WHERE position = 3",   /* not UTF-8 */
    "UPDATE listed SET pack = x'02002e2e020070310100620200703e' WHERE position = 3", /* '..' */
    "UPDATE listed SET pack = x'01006300000100620200703e' WHERE position = 3",       /* no value */
    "UPDATE listed SET pack = x'0102' || zeroblob(513) WHERE position = 3",
    "UPDATE listed SET leads = 1, pack = zeroblob(2000000) WHERE position = 3",
    /* tables that run when they are read, or are not all there */
    "CREATE VIEW v AS SELECT 1",
    "CREATE TRIGGER t AFTER DELETE ON marks BEGIN DELETE FROM settings; END",
    "CREATE INDEX i ON settings(value)",
    "CREATE TABLE more(x)",
    "ALTER TABLE buffered ADD COLUMN more AS (abs(-9223372036854775808))",
    "ALTER TABLE buffered RENAME TO old; CREATE VIEW buffered AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL"
    " SELECT n + 1 FROM c) SELECT n seq, x'' key, 0 http_status, 0 attempts, x'' body,"
    " 0 checksum FROM c; UPDATE run SET phase = 1; SELECT 1",
};
/* NOLINTEND(bugprone-suspicious-missing-comma) */

/* Of a run that was published. */
static const char *const refused_texts[] = {
    "UPDATE run SET phase = 1",
    "UPDATE run SET record = NULL",
    "UPDATE run SET record = x'7b7d'",
    "UPDATE run SET prepared = 0",
    "UPDATE run SET prepared = 2",
    "UPDATE run SET prepared = 9223372036854775807",
    "UPDATE prepared SET text = 'text'",
    "UPDATE prepared SET text = 1",
    "UPDATE prepared SET text = zeroblob(16777217)",
    "UPDATE prepared SET part = 1",
    "UPDATE prepared SET part = -1",
    "DELETE FROM prepared",
    "INSERT INTO prepared VALUES (1, x'', 0)",
};

static void expect_each(const char *const *list, size_t n, bool published, bool is_refused)
{
    make_sample();
    if (published)
        publish_sample();
    struct bytes sample = slurp("s");
    for (size_t i = 0; i < n; i++) {
        struct err e = {0};
        remove_state("s");
        spit("s", sample.ptr, sample.n);
        change(list[i]);
        enum rc rc = load(&e);
        enum rc want = is_refused ? RC_USAGE : RC_OK;
        if (rc != want || (is_refused && !strstr(e.msg, "s: is damaged: ")))
            fail_msg("%s: got %s \"%s\", want %s", list[i], rc_text(rc), e.msg, rc_text(want));
    }
    free(sample.ptr);
}

#define EACH(list) list, sizeof(list) / sizeof *(list)

static void what_could_be_so_is_read(void **state)
{
    (void)state;
    expect_each(EACH(accepted), false, false);
}

static void what_cannot_be_so_is_refused(void **state)
{
    (void)state;
    expect_each(EACH(refused), false, true);
}

static void texts_that_cannot_be_so(void **state)
{
    (void)state;
    expect_each(EACH(refused_texts), true, true);
}

/* What is only read at the end: no count of it decides how much memory is asked for. */
static void counts_of_notes_are_those_of_the_file(void **state)
{
    (void)state;
    struct err e = {0};
    make_sample();
    change("UPDATE accepted_now SET notes = 558992244657865200"); /* of 33 bytes: 2^64 */
    struct state *s = open_ok("s");
    FAILS(state_forget(s, &e), RC_USAGE, "s: is damaged: ");
    state_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(what_could_be_so_is_read),
        IN_FOLDER(what_cannot_be_so_is_refused),
        IN_FOLDER(texts_that_cannot_be_so),
        IN_FOLDER(counts_of_notes_are_those_of_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
