/* What the sink "sqlite" gives SQLite and gets from it: times, errors.
 * What comes of it in a database: tests/e2e/test_sqlite.py. */
#include "cmocka_all.h"

#include <string.h>

#include "core/base/rfc3339.h"
#include "sinks/sqlite/db.h"
#include "sinks/sqlite/place.h"
#include "sinks/sqlite/shard_record.h"

/* ---- times ---------------------------------------------------------------------------------- */

static void times(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0001-01-01T00:00:00.000000Z", "0004-02-29T12:00:00.000001Z", "1582-10-15T00:00:00.000000Z",
        "1600-02-29T23:59:59.999999Z", "1900-02-28T23:59:59.000000Z", "1900-03-01T00:00:00.000000Z",
        "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00.000000Z", "2000-02-29T00:00:00.500000Z",
        "2024-12-31T23:59:59.000000Z", "2026-11-29T02:00:00.123456Z", "9999-12-31T23:59:59.999999Z",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char got[SQLITE_TIME_BYTES];
        int64_t us = 0;
        assert_true(rfc3339_parse(str_c(texts[i]), &us));
        sqlite_time_text(us, got);
        assert_string_equal(got, texts[i]);
    }
}

/* Moments all over the years 1 to 9999, against what reads them. */
static void all_months(void **state)
{
    (void)state;
    const int64_t step_us = INT64_C(86400000000) * 30 + 1;
    for (int64_t us = TIME_YEAR_1_US; us < TIME_YEAR_9999_END_US - step_us; us += step_us * 7) {
        char got[SQLITE_TIME_BYTES];
        int64_t back = 0;
        sqlite_time_text(us, got);
        if (!rfc3339_parse(str_c(got), &back) || back != us)
            fail_msg("%s is %lld, wanted %lld", got, (long long)back, (long long)us);
    }
}

/* ---- errors ------------------------------------------------------------------------------------ */

/* Extended codes (sqlite.org/rescode.html) mean what their primary ones do, but for memory. */
static void codes(void **state)
{
    (void)state;
    static const struct {
        int code;
        enum rc rc;
    } rows[] = {
        {SQLITE_OK, RC_OK},
        {SQLITE_ROW, RC_OK},
        {SQLITE_DONE, RC_OK},
        {SQLITE_NOMEM, RC_NOMEM},
        {SQLITE_IOERR_NOMEM, RC_NOMEM},
        {SQLITE_IOERR, RC_IO},
        {SQLITE_IOERR_WRITE, RC_IO},
        {SQLITE_FULL, RC_IO},
        {SQLITE_BUSY, RC_BUSY},
        {SQLITE_BUSY_SNAPSHOT, RC_BUSY},
        {SQLITE_LOCKED, RC_BUSY},
        {SQLITE_NOTADB, RC_USAGE},
        {SQLITE_INTERRUPT, RC_STOPPED},
        {SQLITE_CORRUPT, RC_IO},
        {SQLITE_TOOBIG, RC_IO},
    };
    const struct sqlite_db d = {.subject = "sqlite:x.db"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err e = {.rc = RC_OK};
        enum rc rc = sqlite_rc(&d, rows[i].code, &e);
        if (rc != rows[i].rc)
            fail_msg("code %d: %s, wanted %s", rows[i].code, rc_text(rc), rc_text(rows[i].rc));
        if (rc != RC_OK && rc != RC_NOMEM)
            assert_non_null(strstr(e.msg, "sqlite:x.db: "));
    }
}

/* ---- the record of a shard that is loaded ------------------------------------------------------ */

#define SET "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TABLE                                                                                      \
    "create table shard (token, run_id, started_at, shard_group, shard_set, name, shard, shards, " \
    "loaded_ms, leads, gone, list_is_empty);"
#define WITH(values) TABLE "insert into shard values ('t', 'r', 's', 'g', " values ")"

static const struct {
    const char *sql;
    enum rc rc;
} records[] = {
    {WITH("'" SET "', 'n', 3, 16, 5, 6, 7, 1"), RC_OK},
    {WITH("'" SET "', '', 0, 1, 0, 0, 0, 0"), RC_OK},
    {TABLE, RC_SYNTAX},
    {"select 1", RC_SYNTAX},
    {"create table shard (token)", RC_SYNTAX},
    {WITH("'0123', 'n', 3, 16, 5, 6, 7, 1"), RC_SYNTAX},
    {WITH("null, 'n', 3, 16, 5, 6, 7, 1"), RC_SYNTAX},
    {WITH("x'00', 'n', 3, 16, 5, 6, 7, 1"), RC_SYNTAX},
    {WITH("'" SET "', 4, 3, 16, 5, 6, 7, 1"), RC_SYNTAX},
    {WITH("'" SET "', printf('%5000c', 'n'), 3, 16, 5, 6, 7, 1"), RC_SYNTAX},
    {WITH("'" SET "', 'n', 16, 16, 5, 6, 7, 1"), RC_SYNTAX},
    {WITH("'" SET "', 'n', -1, 16, 5, 6, 7, 1"), RC_SYNTAX},
    {WITH("'" SET "', 'n', '3', 16, 5, 6, 7, 1"), RC_SYNTAX},
    {WITH("'" SET "', 'n', 3, 4294967296, 5, 6, 7, 1"), RC_SYNTAX},
    {WITH("'" SET "', 'n', 3, 16, -5, 6, 7, 1"), RC_SYNTAX},
    {WITH("'" SET "', 'n', 3, 16, 5, 6.5, 7, 1"), RC_SYNTAX},
    {WITH("'" SET "', 'n', 3, 16, 5, 6, null, 1"), RC_SYNTAX},
    {WITH("'" SET "', 'n', 3, 16, 5, 6, 7, 2"), RC_SYNTAX},
};

static void shard_records(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        struct sqlite_db d = {.subject = "sqlite:x.db"};
        struct sqlite_shard_record got;
        struct arena memory;
        struct err e = {.rc = RC_OK};
        arena_init(&memory, 1 << 20);
        assert_int_equal(sqlite3_open(":memory:", &d.db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(d.db, records[i].sql, NULL, NULL, NULL), SQLITE_OK);
        enum rc rc = sqlite_shard_record_read(&d, "main", &memory, &got, &e);
        if (rc != records[i].rc)
            fail_msg("%s: %s, wanted %s", records[i].sql, rc_text(rc), rc_text(records[i].rc));
        if (i == 0) {
            assert_string_equal(got.set.ptr, SET);
            assert_string_equal(got.name.ptr, "n");
            assert_int_equal(got.index * 100 + got.of, 316);
            assert_int_equal(got.loaded_ms * 100 + (int64_t)(got.leads * 10 + got.gone), 567);
            assert_true(got.list_is_empty);
        }
        sqlite_db_close(&d);
        arena_free(&memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times),
        cmocka_unit_test(all_months),
        cmocka_unit_test(codes),
        cmocka_unit_test(shard_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
