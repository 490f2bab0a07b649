/* A state whose cells are anybody's. The bytes say how the cells of a state that leadpipe made are
 * changed; its checksums are made right again, and a run resumes with it, as far as that is possible without
 * a network: all of it is read, marks come to the sinks, deliveries to the outbox, and a run that was
 * cut off at its end publishes.
 *
 * Whatever is in it: no file of another is touched, nothing is sent under an id that is not of our
 * form, and what is refused is refused for a reason. */
#include <curl/curl.h>

#include "../unit/state_cells.h"
#include "state_seeds.h"

#define FILES_OF_OTHERS 2

/* ---- where ---------------------------------------------------------------------------------- */

static char scratch[64];
static char others[FILES_OF_OTHERS][128];
static int home_fd, work_fd; /* libFuzzer's paths are from where it was started */

static void leave_scratch(void)
{
    if (fchdir(work_fd) != 0)
        return;
    seed_each_file(NULL, NULL);
    for (size_t i = 0; i < FILES_OF_OTHERS; i++)
        (void)unlink(others[i]);
    if (chdir(scratch) != 0 || rmdir("work") != 0 || rmdir(scratch) != 0)
        (void)fprintf(stderr, "%s is left\n", scratch);
}

/* In memory where there is a place for that: a state is synced again and again. */
static void make_scratch(void)
{
    const char *folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    char work[96];
    (void)snprintf(scratch, sizeof scratch, "%s/leadpipe-fuzz-XXXXXX", folder);
    MUST(mkdtemp(scratch));
    MUST(atexit(leave_scratch) == 0);
    (void)snprintf(others[0], sizeof others[0], "%s/victim", scratch);
    (void)snprintf(others[1], sizeof others[1], "%s/.victim.leadpipe-part", scratch);
    for (size_t i = 0; i < FILES_OF_OTHERS; i++)
        seed_spit(others[i], (const uint8_t *)"theirs", 6);
    (void)snprintf(work, sizeof work, "%s/work", scratch);
    MUST(mkdir(work, 0700) == 0);
    home_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    work_fd = open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    MUST(home_fd >= 0 && work_fd >= 0);
}

static void expect_others_untouched(void)
{
    size_t n = 0;
    DIR *dir = opendir(scratch);
    MUST(dir);
    while (readdir(dir))
        n++;
    MUST(closedir(dir) == 0);
    MUST(n == FILES_OF_OTHERS + 3); /* ".", ".." and "work" */
    for (size_t i = 0; i < FILES_OF_OTHERS; i++) {
        size_t len = 0;
        uint8_t *bytes = seed_slurp(others[i], &len);
        MUST(len == 6 && memcmp(bytes, "theirs", 6) == 0);
        free(bytes);
    }
}

/* ---- changes -------------------------------------------------------------------------------- */

static const struct {
    const char *name, *key; /* key: what tells its rows apart */
    const char *columns[15];
} tables[] = {
    {"run", "one", {"phase", "run_id", "started_ms", "settings", "prepared", "record", "one"}},
    {"settings", "position", {"position", "name", "value"}},
    {"checkpoint",
     "one",
     {"high", "key_a", "key_b", "handed", "missing", "unchanged", "replaced", "other_ids",
      "active_ms", "marks", "columns", "totals", "gaps", "one"}},
    {"marks", "sink", {"sink", "mark"}},
    {"columns", "position", {"position", "table_number", "scope", "occurrence", "key", "member"}},
    {"failures", "seq", {"seq", "by_sink", "summary", "line"}},
    {"buffered", "seq", {"seq", "key", "http_status", "attempts", "body"}},
    {"deliveries",
     "number",
     {"number", "sink", "last_seq", "id", "leads", "outcome", "answer", "body"}},
    {"delivery_counts", "sink", {"sink", "delivered", "failed"}},
    {"prepared", "part", {"part", "text"}},
    {"accepted_by", "position", {"position", "sink"}},
    {"accepted", "key", {"key", "fingerprint"}},
    {"accepted_now", "position", {"position", "notes", "pack"}},
    {"missing", "seq", {"seq", "line"}},
    {"list",
     "one",
     {"source", "params", "lists", "times", "since_ms", "until_ms", "first", "listing", "one"}},
    {"listed", "position", {"position", "list", "ends", "bad", "leads", "pack"}},
};
#define TABLES (sizeof tables / sizeof *tables)

static const int64_t numbers[] = {
    0,
    1,
    2,
    3,
    5,
    9,
    31,
    32,
    63,
    64,
    255,
    999,
    1000,
    65535,
    65536,
    INT32_MAX,
    UINT32_MAX,
    INT64_C(1) << 32,
    INT64_C(1) << 53,
    (INT64_C(1) << 53) + 1,
    INT64_C(1) << 60,
    INT64_C(1) << 61,
    INT64_MAX / 33,
    INT64_MAX - 1,
    INT64_MAX,
    -1,
    -2,
    INT64_MIN,
};
#define NUMBERS (sizeof numbers / sizeof *numbers)

struct input {
    const uint8_t *p, *end;
};

static uint8_t take(struct input *in)
{
    return in->p < in->end ? *in->p++ : 0;
}

static size_t take_bytes(struct input *in, size_t n, const uint8_t **out)
{
    size_t left = (size_t)(in->end - in->p);
    n = n < left ? n : left;
    *out = in->p;
    in->p += n;
    return n;
}

enum value { VALUE_NULL, VALUE_NUMBER, VALUE_LONG, VALUE_REAL, VALUE_TEXT, VALUE_BLOB, VALUE_PATH };

static void bind_value(struct input *in, sqlite3_stmt *stmt, int at)
{
    const uint8_t *p;
    size_t n;
    switch ((enum value)(take(in) % 7)) {
    case VALUE_NULL:
        (void)sqlite3_bind_null(stmt, at);
        break;
    case VALUE_NUMBER:
        (void)sqlite3_bind_int64(stmt, at, numbers[take(in) % NUMBERS]);
        break;
    case VALUE_LONG: {
        uint64_t value = 0;
        n = take_bytes(in, 8, &p);
        for (size_t i = 0; i < n; i++)
            value = value << 8 | p[i];
        (void)sqlite3_bind_int64(stmt, at, (int64_t)value);
        break;
    }
    case VALUE_REAL:
        (void)sqlite3_bind_double(stmt, at, (double)(int8_t)take(in) / 3);
        break;
    case VALUE_TEXT:
        n = take_bytes(in, take(in), &p);
        (void)sqlite3_bind_text(stmt, at, (const char *)p, (int)n, SQLITE_TRANSIENT);
        break;
    case VALUE_BLOB:
        n = take_bytes(in, take(in), &p);
        (void)sqlite3_bind_blob(stmt, at, p, (int)n, SQLITE_TRANSIENT);
        break;
    case VALUE_PATH:
        (void)sqlite3_bind_text(stmt, at, others[take(in) % FILES_OF_OTHERS], -1, SQLITE_STATIC);
        break;
    }
}

static void run_change(sqlite3 *db, struct input *in, const char *sql, int n_values)
{
    sqlite3_stmt *stmt = NULL;
    MUST(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK);
    for (int i = 0; i < n_values; i++)
        bind_value(in, stmt, i + 1);
    (void)sqlite3_step(stmt); /* what a column refuses stays as it was */
    (void)sqlite3_finalize(stmt);
}

/* In the middle of a text or blob some bytes are replaced, counted from its beginning or its end. */
static void replace_part(sqlite3 *db, struct input *in, const char *table, const char *column,
                         const char *row)
{
    static const char *const types[] = {"TEXT", "BLOB"};
    char sql[640];
    sqlite3_stmt *stmt = NULL;
    int at = take(in) << 8 | take(in);
    unsigned flags = take(in);
    int gone = take(in);
    const uint8_t *p;
    int n = (int)take_bytes(in, take(in), &p);
    (void)snprintf(sql, sizeof sql,
                   "UPDATE OR IGNORE %s SET %s = (SELECT CAST(substr(b, 1, at) || ?1 ||"
                   " substr(b, 1 + at + ?3) AS %s) FROM (SELECT b, %s AS at FROM (SELECT CAST(%s"
                   " AS BLOB) AS b))) WHERE typeof(%s) IN ('text', 'blob') AND %s",
                   table, column, types[flags >> 1 & 1],
                   flags & 1 ? "max(0, length(b) - ?2)" : "?2", column, column, row);
    MUST(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK);
    (void)sqlite3_bind_blob(stmt, 1, p, n, SQLITE_TRANSIENT);
    (void)sqlite3_bind_int(stmt, 2, at);
    (void)sqlite3_bind_int(stmt, 3, gone);
    (void)sqlite3_step(stmt);
    (void)sqlite3_finalize(stmt);
}

static void change(sqlite3 *db, struct input *in)
{
    char sql[512];
    char row[160];
    unsigned op = take(in);
    size_t table = take(in) % TABLES;
    size_t n_columns = 0;
    while (tables[table].columns[n_columns])
        n_columns++;
    MUST(n_columns > 0);
    const char *name = tables[table].name;
    const char *key = tables[table].key;
    const char *column = tables[table].columns[take(in) % n_columns];
    (void)snprintf(row, sizeof row, "%s = (SELECT %s FROM %s ORDER BY %s LIMIT 1 OFFSET %u)", key,
                   key, name, key, take(in) % 32u);
    switch (op % 8) {
    case 0:
        (void)snprintf(sql, sizeof sql, "DELETE FROM %s WHERE %s", name, row);
        run_change(db, in, sql, 0);
        break;
    case 1:
        (void)snprintf(sql, sizeof sql, "DELETE FROM %s", name);
        run_change(db, in, sql, 0);
        break;
    case 2: /* once more, under another number */
        (void)snprintf(sql, sizeof sql, "CREATE TEMP TABLE copy AS SELECT * FROM main.%s WHERE %s",
                       name, row);
        run_change(db, in, sql, 0);
        (void)snprintf(sql, sizeof sql, "UPDATE temp.copy SET %s = ?", key);
        run_change(db, in, sql, 1);
        (void)snprintf(sql, sizeof sql, "INSERT OR IGNORE INTO main.%s SELECT * FROM temp.copy",
                       name);
        run_change(db, in, sql, 0);
        run_change(db, in, "DROP TABLE temp.copy", 0);
        break;
    case 3:
    case 4:
        replace_part(db, in, name, column, row);
        break;
    default:
        (void)snprintf(sql, sizeof sql, "UPDATE OR IGNORE %s SET %s = ? WHERE %s", name, column,
                       row);
        run_change(db, in, sql, 1);
        break;
    }
}

/* As an SQLite database that is no file, and back. */
static void change_state(const struct seed *seed, struct input *in)
{
    sqlite3 *db = NULL;
    sqlite3_int64 n = (sqlite3_int64)seed->state_bytes;
    unsigned char *copy = sqlite3_malloc64(seed->state_bytes);
    MUST(copy && cells_open(":memory:", &db) == SQLITE_OK);
    memcpy(copy, seed->state, seed->state_bytes);
    copy[18] = copy[19] = 1; /* no write-ahead log meanwhile */
    MUST(sqlite3_deserialize(db, "main", copy, n, n,
                             SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) ==
         SQLITE_OK);
    MUST(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK);
    for (int i = 0; i < 16 && in->p < in->end; i++)
        change(db, in);
    MUST(cells_reseal(db) == SQLITE_OK);
    MUST(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
    unsigned char *bytes = sqlite3_serialize(db, "main", &n, 0);
    MUST(bytes);
    bytes[18] = bytes[19] = 2;
    seed_spit("s", bytes, (size_t)n);
    sqlite3_free(bytes);
    MUST(sqlite3_close(db) == SQLITE_OK);
}

/* ---- resuming ------------------------------------------------------------------------------ */

static enum rc expect_our_id(void *ctx, const struct state_delivery *d, struct err *e)
{
    (void)ctx;
    (void)e;
    MUST(d->id.len == 36 && memcmp(d->id.ptr, "msg_", 4) == 0);
    for (size_t i = 4; i < d->id.len; i++)
        MUST(strchr("0123456789abcdef", d->id.ptr[i]) && d->id.ptr[i]);
    return RC_OK;
}

/* The counts of a run that ended well are those of its leads. */
static void expect_sound(const struct run_result *result)
{
    const struct ledger_counts *l = &result->ledger;
    if (result->error.rc == RC_OK && !result->signal)
        MUST(l->exported + l->unchanged + l->missing + l->failed + l->pending ==
             result->ids.unique);
    else if (result->error.rc != RC_OK)
        MUST(result->error.rc != RC_INTERNAL && result->error.msg[0]);
    MUST(result->first_failure);
    for (size_t i = 0; i < SINKS && result->published; i++) {
        const struct sink_result *s = &result->sinks[i];
        for (size_t k = 0; k < s->n_files; k++)
            MUST(s->files[k].path);
    }
}

static void resume(bool execute)
{
    struct run *run = NULL;
    struct run_result result;
    struct err e = {0};
    enum rc rc = run_new(&run, &command.cfg, &e);
    if (rc != RC_OK) {
        if (getenv("FUZZ_VERBOSE"))
            (void)fprintf(stderr, "%s, %s: %s\n", rc_text(rc), rc_text(e.rc), e.msg);
        MUST(rc == e.rc && rc != RC_INTERNAL && rc != RC_SYNTAX && rc != RC_LIMIT);
        MUST(e.msg[0]); /* bytes from outside are escaped when it is printed */
        return;
    }
    if (!run->resume.republish)
        MUST(state_each_delivery(run->resume.state, SINKS - 1, expect_our_id, NULL, &e) == RC_OK);
    if (execute || run->resume.republish) {
        if (!run->resume.republish)
            run_stop(run, SIGTERM);
        run_execute(run, &result);
        expect_sound(&result);
    }
    run_free(run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    if (!*scratch) {
        make_scratch();
        MUST(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
        MUST(fchdir(work_fd) == 0);
        seeds_make();
    }
    MUST(fchdir(work_fd) == 0);
    unsigned first = take(&in);
    const struct seed *seed = &seeds[first % SEEDS];
    for (size_t i = 0; i < seed->n_files; i++)
        seed_spit(seed->files[i].name, seed->files[i].bytes, seed->files[i].n);
    change_state(seed, &in);
    command.cfg.changed_only = seed->changed_only;
    seed_command_list(seed->lists);
    resume(first / SEEDS % 2);
    expect_others_untouched();
    seed_each_file(NULL, NULL);
    MUST(fchdir(home_fd) == 0);
    return 0;
}
