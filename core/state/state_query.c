#include "core/state/state_internal.h"

#include <string.h>
#include <zlib.h>

/* ---- parameters ----------------------------------------------------------------------------- */

/* The same on every machine, as the file is. */
static void sum_int(struct query *q, int64_t value)
{
    unsigned char bytes[8];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)((uint64_t)value >> 8 * i);
    q->checksum = (uint32_t)crc32_z(q->checksum, bytes, sizeof bytes);
}

/* The length goes in, so that nothing can move from one value to the next. */
static void sum_str(struct query *q, struct str value)
{
    sum_int(q, value.ptr ? (int64_t)value.len : -1);
    if (value.len > 0)
        q->checksum = (uint32_t)crc32_z(q->checksum, (const unsigned char *)value.ptr, value.len);
}

struct query query_of(struct state *s, enum state_sql sql)
{
    return (struct query){.s = s, .stmt = s->statements[sql], .rc = SQLITE_OK};
}

static void bound(struct query *q, int rc)
{
    if (q->rc == SQLITE_OK)
        q->rc = rc;
}

void query_int(struct query *q, int64_t value)
{
    sum_int(q, value);
    bound(q, sqlite3_bind_int64(q->stmt, ++q->at, value));
}

void query_text(struct query *q, struct str value)
{
    sum_str(q, value);
    bound(q,
          sqlite3_bind_text64(q->stmt, ++q->at, value.ptr, value.len, SQLITE_STATIC, SQLITE_UTF8));
}

void query_blob(struct query *q, struct str value)
{
    sum_str(q, value);
    bound(q, sqlite3_bind_blob64(q->stmt, ++q->at, value.ptr, value.len, SQLITE_STATIC));
}

void query_checksum(struct query *q)
{
    bound(q, sqlite3_bind_int64(q->stmt, ++q->at, q->checksum));
    q->checksum = 0;
}

/* ---- running -------------------------------------------------------------------------------- */

enum rc query_row(struct query *q, struct err *e)
{
    int rc = q->rc != SQLITE_OK ? q->rc : sqlite3_step(q->stmt);
    q->at = 0;
    q->checksum = 0;
    q->malformed = false;
    if (rc == SQLITE_ROW)
        return RC_OK;
    return rc == SQLITE_DONE ? RC_END : state_sql_failed(q->s, rc, e);
}

void query_end(struct query *q)
{
    (void)sqlite3_reset(q->stmt); /* repeats the error of the step, if there was one */
}

enum rc query_run(struct query *q, struct err *e)
{
    enum rc rc = query_row(q, e);
    query_end(q);
    return rc == RC_END ? RC_OK : rc;
}

/* SQLite takes any type of value in any column, and converts it for who asks for another. */
static bool check_type(struct query *q, int at, int type)
{
    bool same = sqlite3_column_type(q->stmt, at) == type;
    q->malformed |= !same;
    return same;
}

int64_t row_int(struct query *q)
{
    int at = q->at++;
    int64_t value = check_type(q, at, SQLITE_INTEGER) ? sqlite3_column_int64(q->stmt, at) : 0;
    sum_int(q, value);
    return value;
}

uint64_t row_number(struct query *q, uint64_t max)
{
    int64_t value = row_int(q);
    if (value >= 0 && (uint64_t)value <= max)
        return (uint64_t)value;
    q->malformed = true;
    return 0;
}

static struct str row_bytes(struct query *q, int type, bool optional)
{
    int at = q->at++;
    struct str value = STR_NONE;
    bool absent = optional && sqlite3_column_type(q->stmt, at) == SQLITE_NULL;
    if (!absent && check_type(q, at, type)) {
        value.ptr = sqlite3_column_blob(q->stmt, at); /* of a text, too: without a NUL behind it */
        value.len = (size_t)sqlite3_column_bytes(q->stmt, at);
        if (!value.ptr && value.len > 0)
            bound(q, SQLITE_NOMEM);
        if (!value.ptr)
            value = STR("");
    }
    sum_str(q, value);
    return value;
}

struct str row_text(struct query *q)
{
    return row_bytes(q, SQLITE_TEXT, false);
}

struct str row_text_or_null(struct query *q)
{
    return row_bytes(q, SQLITE_TEXT, true);
}

struct str row_blob(struct query *q)
{
    return row_bytes(q, SQLITE_BLOB, false);
}

struct str row_blob_or_null(struct query *q)
{
    return row_bytes(q, SQLITE_BLOB, true);
}

bool row_is_null(struct query *q)
{
    return sqlite3_column_type(q->stmt, q->at) == SQLITE_NULL;
}

enum rc row_end(struct query *q, const char *what, struct err *e)
{
    if (q->rc != SQLITE_OK)
        return state_sql_failed(q->s, q->rc, e);
    return q->malformed ? state_not_as_written(q->s, what, e) : RC_OK;
}

enum rc row_checksum(struct query *q, const char *what, struct err *e)
{
    int at = q->at++;
    if (check_type(q, at, SQLITE_INTEGER) &&
        sqlite3_column_int64(q->stmt, at) != (int64_t)q->checksum)
        q->malformed = true;
    q->checksum = 0;
    return row_end(q, what, e);
}

enum rc state_each_row(struct state *s, enum state_sql sql,
                       enum rc (*take)(struct query *q, void *ctx, struct err *e), void *ctx,
                       struct err *e)
{
    struct query q = query_of(s, sql);
    enum rc rc;
    while ((rc = query_row(&q, e)) == RC_OK && (rc = take(&q, ctx, e)) == RC_OK)
        continue;
    query_end(&q);
    return rc == RC_END ? RC_OK : rc;
}

void row_skip_nulls(struct query *q, int n)
{
    while (n-- > 0)
        (void)check_type(q, q->at++, SQLITE_NULL);
    q->checksum = 0;
}

enum rc state_run_sql(struct state *s, enum state_sql sql, struct err *e)
{
    struct query q = query_of(s, sql);
    return query_run(&q, e);
}

enum rc state_number(struct state *s, enum state_sql sql, int64_t *out, struct err *e)
{
    struct query q = query_of(s, sql);
    enum rc rc = query_row(&q, e);
    int64_t number = rc == RC_OK ? (int64_t)row_number(&q, INT64_MAX) : 0;
    if (rc == RC_OK)
        rc = row_end(&q, "a count", e);
    query_end(&q);
    if (rc == RC_OK)
        *out = number;
    return rc;
}

/* ---- copies --------------------------------------------------------------------------------- */

static enum rc no_memory(struct state *s, struct err *e)
{
    struct err why;
    (void)err_nomem(&why);
    return state_stick(s, &why, e);
}

enum rc state_keep_str(struct state *s, struct str from, struct str *out, struct err *e)
{
    char *copy = NULL;
    if (from.ptr) {
        copy = arena_strdup(&s->loaded, from);
        if (!copy)
            return no_memory(s, e);
    }
    *out = (struct str){copy, from.len};
    return RC_OK;
}

enum rc state_keep_array(struct state *s, size_t n, size_t size, void *out, struct err *e)
{
    void *array = arena_array(&s->loaded, n, size);
    if (!array)
        return no_memory(s, e);
    memcpy(out, &array, sizeof array);
    return RC_OK;
}

/* ---- lists ---------------------------------------------------------------------------------- */

static enum rc take_item(struct query *q, const struct state_list *list, size_t i, void *item,
                         struct err *e)
{
    if (row_number(q, INT64_MAX) != i)
        q->malformed = true;
    enum rc rc = list->take(q->s, q, item, e);
    return rc == RC_OK ? row_checksum(q, list->what, e) : rc;
}

enum rc state_load_list(struct state *s, const struct state_list *list, size_t n, void *out,
                        struct err *e)
{
    char *items = NULL;
    int64_t there = 0;
    enum rc rc = state_number(s, list->count, &there, e);
    if (rc == RC_OK && (uint64_t)there != n) /* before there is memory for them */
        rc = state_not_as_written(s, list->what, e);
    if (rc == RC_OK)
        rc = state_keep_array(s, n, list->item_size, &items, e);
    if (rc != RC_OK)
        return rc;
    struct query q = query_of(s, list->sql);
    size_t i = 0;
    while ((rc = query_row(&q, e)) == RC_OK && i < n) {
        rc = take_item(&q, list, i, items + i * list->item_size, e);
        if (rc != RC_OK)
            break;
        i++;
    }
    query_end(&q);
    if (rc == RC_OK || (rc == RC_END && i < n)) /* one more, or one less */
        return state_not_as_written(s, list->what, e);
    if (rc != RC_END)
        return rc;
    memcpy(out, &items, sizeof items);
    return RC_OK;
}
