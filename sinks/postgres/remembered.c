#include "sinks/postgres/remembered.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/grow.h"
#include "core/base/units.h"

#define FORMAT 1
#define WRITERS_MAX 20000
#define TEXT_BYTES_MAX "1000000"
#define SQL_BYTES_MAX ((size_t)16 << 20)
#define TRANSACTIONS_MAX (UINT64_C(1) << 31) /* numbers have 32 bits */
#define FIRST_NORMAL 3                       /* those before it are no transactions */

void pg_remembered_free(struct pg_remembered *r)
{
    free(r->writers);
    *r = (struct pg_remembered){.since = 0};
}

/* ---- names ---------------------------------------------------------------------------------- */

/* Two providers may write to one table of leads, but have other tables beside it. */
void pg_put_set_name(struct buf *b, const struct pg_place *p)
{
    struct buf name;
    buf_init(&name, SQL_BYTES_MAX);
    buf_add_str(&name, p->provider);
    buf_addc(&name, ' ');
    buf_add_str(&name, p->relations.items[0].name);
    sql_literal(b, buf_str(&name));
    if (buf_rc(&name) != RC_OK)
        b->rc = RC_NOMEM;
    buf_free(&name);
}

enum rc pg_remembered_name(struct pg_place *p, struct err *e)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    struct buf name;
    buf_init(&name, SQL_BYTES_MAX);
    pg_put_set_name(&name, p);
    bool good = buf_rc(&name) == RC_OK &&
                EVP_Digest(name.data, name.len, digest, NULL, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; good && i < (PG_TOKEN_BYTES - 1) / 2; i++)
        (void)snprintf(p->loaded + 2 * i, 3, "%02x", digest[i]);
    buf_free(&name);
    return good ? RC_OK : err_nomem(e);
}

enum rc pg_access_of(struct pg_link *l, struct buf *name, struct pg_access *out, struct err *e)
{
    static const char sql[] =
        "select pg_catalog.has_table_privilege(c.oid, 'select') from pg_catalog.pg_class c where c.oid = "
        "pg_catalog.to_regclass($1::text)::oid";
    PGresult *r = NULL;
    const char *value = buf_cstr(name);
    enum rc rc = buf_rc(name) == RC_OK ? pg_exec(l, sql, 1, &value, &r, e) : err_nomem(e);
    *out = (struct pg_access){.exists = rc == RC_OK && PQntuples(r) > 0};
    out->reads = out->exists && *PQgetvalue(r, 0, 0) == 't';
    PQclear(r);
    buf_clear(name);
    return rc;
}

/* With exactly these columns ("name type,..."). */
static enum rc is_usable(struct pg_link *l, struct buf *name, const char *columns, bool *exists,
                         bool *out, struct err *e)
{
    static const char sql[] =
        "select c.relkind = 'r' and pg_catalog.pg_has_role(c.relowner, 'usage') and "
        "pg_catalog.has_table_privilege(c.oid, 'select') and pg_catalog.has_table_privilege(c.oid, 'insert') and "
        "pg_catalog.has_table_privilege(c.oid, 'update') and pg_catalog.has_table_privilege(c.oid, 'delete') and "
        "not c.relrowsecurity and not exists (select 1 from pg_catalog.pg_trigger t where t.tgrelid = c.oid) and "
        "coalesce((select pg_catalog.string_agg(pg_catalog.concat(a.attname, ' ', "
        "pg_catalog.format_type(a.atttypid, null)), ',' order by a.attnum) from pg_catalog.pg_attribute a where "
        "a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '') operator(pg_catalog.=) $2::text "
        "from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass($1::text)::oid";
    PGresult *r = NULL;
    const char *const values[] = {buf_cstr(name), columns};
    enum rc rc = buf_rc(name) == RC_OK ? pg_exec(l, sql, 2, values, &r, e) : err_nomem(e);
    *exists = rc == RC_OK && PQntuples(r) > 0;
    *out = *exists && *PQgetvalue(r, 0, 0) == 't';
    PQclear(r);
    buf_clear(name);
    return rc;
}

enum rc pg_remembered_usable(const struct pg_place *p, struct pg_link *l, struct pg_usable *out,
                             struct err *e)
{
    struct buf name;
    bool exists = false;
    *out = (struct pg_usable){.texts = false};
    buf_init(&name, SQL_BYTES_MAX);
    pg_put_name(&name, p, STR(PG_TABLE_LOADED));
    enum rc rc = is_usable(l, &name, "tables text,about text", &exists, &out->texts, e);
    pg_put_loaded(&name, p);
    if (rc == RC_OK)
        rc = is_usable(l, &name, "lead uuid,rows uuid", &exists, &out->fingerprints, e);
    out->texts = out->texts && (!exists || out->fingerprints);
    out->fingerprints = out->texts && out->fingerprints;
    buf_free(&name);
    return rc;
}

/* ---- the text ------------------------------------------------------------------------------- */

static enum rc add(struct pg_remembered *r, uint32_t xid, struct err *e)
{
    uint32_t *grown = list_grow(r->writers, r->n_writers, &r->cap, sizeof *grown);
    if (!grown)
        return err_nomem(e);
    r->writers = grown;
    r->writers[r->n_writers++] = xid;
    return RC_OK;
}

static int compare_writers(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a;
    const uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Each of them once. RC_LIMIT: there are too many. */
static enum rc sort_writers(struct pg_remembered *r, struct err *e)
{
    size_t n = 0;
    if (r->n_writers > 0)
        qsort(r->writers, r->n_writers, sizeof *r->writers, compare_writers);
    for (size_t i = 0; i < r->n_writers; i++) {
        if (n == 0 || r->writers[i] != r->writers[n - 1])
            r->writers[n++] = r->writers[i];
    }
    r->n_writers = n;
    return n <= WRITERS_MAX ? RC_OK
                            : err_set(e, RC_LIMIT, "the rows are from too many transactions");
}

enum rc pg_remembered_add_writer(struct pg_remembered *r, uint32_t xid, struct err *e)
{
    enum rc rc = add(r, xid, e);
    return rc == RC_OK ? sort_writers(r, e) : rc;
}

/* What others write later must not get a number of one of them: those that are long gone come again first. */
void pg_remembered_start(struct pg_remembered *r, uint64_t now)
{
    r->since = now;
    r->lasts = TRANSACTIONS_MAX;
    for (size_t i = 0; i < r->n_writers; i++) {
        uint32_t ahead = r->writers[i] - (uint32_t)now;
        if (r->writers[i] >= FIRST_NORMAL && ahead > 0 && ahead < r->lasts)
            r->lasts = ahead;
    }
}

/* A line of numbers: the format, since when, for how long, leads, tables; one for each table; and one of transactions. */
void pg_remembered_put(struct buf *b, const struct pg_remembered *r, const struct pg_place *p)
{
    buf_adds(b, "insert into ");
    pg_put_name(b, p, STR(PG_TABLE_LOADED));
    buf_adds(b, " (tables, about) values (");
    pg_put_set_name(b, p);
    buf_addf(b, ", '%d %" PRIu64 " %" PRIu64 " %" PRIu64 " %zu \n", FORMAT, r->since, r->lasts,
             r->leads, p->relations.n);
    for (size_t i = 0; i < p->relations.n; i++)
        buf_addf(b, "%" PRIu64 " %" PRIu64 " %" PRIu64 " \n", r->tables[i].oid,
                 r->tables[i].signature, r->tables[i].rows);
    for (size_t i = 0; i < r->n_writers; i++)
        buf_addf(b, "%" PRIu32 " ", r->writers[i]);
    buf_adds(b, "\n') on conflict (tables) do update set about = excluded.about;");
}

static bool read_tables(struct pg_remembered *r, const struct pg_place *p, struct str *text)
{
    struct str line;
    bool good = true;
    for (size_t i = 0; good && i < p->relations.n; i++)
        good = text_take(text, '\n', &line) && text_take_uint(&line, ' ', &r->tables[i].oid) &&
               text_take_uint(&line, ' ', &r->tables[i].signature) &&
               text_take_uint(&line, ' ', &r->tables[i].rows) && line.len == 0;
    return good;
}

/* RC_SYNTAX: it is not as we write it. */
static enum rc read_text(struct pg_remembered *r, const struct pg_place *p, struct str text,
                         struct err *e)
{
    struct str line;
    uint64_t format;
    uint64_t n;
    uint64_t xid;
    bool good = text_take(&text, '\n', &line) && text_take_uint(&line, ' ', &format) &&
                format == FORMAT && text_take_uint(&line, ' ', &r->since) &&
                text_take_uint(&line, ' ', &r->lasts) && text_take_uint(&line, ' ', &r->leads) &&
                text_take_uint(&line, ' ', &n) && n == p->relations.n && line.len == 0 &&
                read_tables(r, p, &text) && text_take(&text, '\n', &line) && text.len == 0;
    enum rc rc = RC_OK;
    while (good && rc == RC_OK && line.len > 0) {
        good = text_take_uint(&line, ' ', &xid) && xid <= UINT32_MAX && r->n_writers < WRITERS_MAX;
        if (good)
            rc = add(r, (uint32_t)xid, e);
    }
    if (good && rc == RC_OK)
        rc = sort_writers(r, e);
    return good ? rc : RC_SYNTAX;
}

enum rc pg_remembered_read(struct pg_remembered *r, const struct pg_place *p, struct pg_link *l,
                           bool *found, struct err *e)
{
    struct buf sql;
    PGresult *about = NULL;
    *r = (struct pg_remembered){.since = 0};
    *found = false;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(&sql, "select about from ");
    pg_put_name(&sql, p, STR(PG_TABLE_LOADED));
    buf_adds(&sql, " where tables = ");
    pg_put_set_name(&sql, p);
    buf_adds(&sql, " and pg_catalog.octet_length(about) <= " TEXT_BYTES_MAX);
    enum rc rc = pg_ask(l, &sql, &about, e);
    if (rc == RC_OK && PQntuples(about) > 0) {
        rc = read_text(r, p, str_c(PQgetvalue(about, 0, 0)), e);
        *found = rc == RC_OK;
        rc = rc == RC_SYNTAX ? RC_OK : rc;
    }
    PQclear(about);
    buf_free(&sql);
    return rc;
}

/* ---- what the tables are like ----------------------------------------------------------------- */

/* Only a plain table tells who wrote a row, and only to who may read all of it: a partition may be elsewhere, other storage may
 * not say. With triggers, what was written need not be what is there, and others' rows may be of our transaction. */
static const char describe_sql[] =
    "select c.oid, pg_catalog.hashtextextended((select pg_catalog.string_agg(pg_catalog.concat_ws(':', a.attnum, "
    "a.attname, a.atttypid, a.atttypmod, a.attcollation), ',' order by a.attnum) from pg_catalog.pg_attribute a "
    "where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), 0) & 9223372036854775807 "
    "from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
    "join pg_catalog.pg_am m on m.oid = c.relam "
    "where n.nspname = $1 and c.relname = $2 and c.relkind = 'r' and m.amname = 'heap' "
    "and not c.relhassubclass and not c.relrowsecurity and not c.relhasrules and not exists (select 1 from "
    "pg_catalog.pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal) and pg_catalog.has_table_privilege(c.oid, 'select')";

/* Which column has which values is a part of it. */
static enum rc add_mapping(struct pg_remembered_table *t, const struct pg_place *p,
                           struct pg_link *l, struct str table, struct err *e)
{
    struct buf sql;
    PGresult *r = NULL;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(
        &sql,
        "select pg_catalog.hashtextextended(coalesce(pg_catalog.string_agg(pg_catalog.concat_ws(':', "
        "column_name, source), ',' order by column_name), ''), 0) & 9223372036854775807 from ");
    pg_put_name(&sql, p, STR(SQL_TABLE_COLUMNS));
    buf_adds(&sql, " where table_name = ");
    sql_literal(&sql, table);
    enum rc rc = pg_ask(l, &sql, &r, e);
    if (rc == RC_OK)
        t->signature ^= strtoull(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
    buf_free(&sql);
    return rc;
}

static enum rc describe(struct pg_remembered_table *t, const struct pg_place *p, struct pg_link *l,
                        struct str table, struct err *e)
{
    struct buf schema;
    struct buf name;
    PGresult *r = NULL;
    buf_init(&schema, SQL_BYTES_MAX);
    buf_init(&name, SQL_BYTES_MAX);
    buf_add_str(&schema, p->schema);
    buf_add_str(&name, table);
    const char *const values[] = {buf_cstr(&schema), buf_cstr(&name)};
    enum rc rc = buf_rc(&schema) == RC_OK && buf_rc(&name) == RC_OK
                     ? pg_exec(l, describe_sql, 2, values, &r, e)
                     : err_nomem(e);
    t->oid = t->signature = 0;
    if (rc == RC_OK && PQntuples(r) > 0) {
        t->oid = strtoull(PQgetvalue(r, 0, 0), NULL, 10);
        t->signature = strtoull(PQgetvalue(r, 0, 1), NULL, 10);
        rc = add_mapping(t, p, l, table, e);
    }
    PQclear(r);
    buf_free(&schema);
    buf_free(&name);
    return rc;
}

enum rc pg_remembered_describe(struct pg_remembered *r, const struct pg_place *p, struct pg_link *l,
                               struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < p->relations.n; i++)
        rc = describe(&r->tables[i], p, l, p->relations.items[i].name, e);
    return rc;
}

bool pg_remembered_same_tables(const struct pg_remembered *r, const struct pg_remembered *now,
                               const struct pg_place *p)
{
    bool same = true;
    for (size_t i = 0; i < p->relations.n; i++)
        same = same && r->tables[i].oid != 0 && r->tables[i].oid == now->tables[i].oid &&
               r->tables[i].signature == now->tables[i].signature;
    return same;
}

enum rc pg_remembered_add_writers(struct pg_remembered *r, struct pg_link *l, struct str table,
                                  uint64_t *rows, struct err *e)
{
    struct buf sql;
    PGresult *writers = NULL;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(&sql, "select xmin, pg_catalog.count(*) from ");
    buf_add_str(&sql, table);
    buf_addf(&sql, " group by xmin limit %d", WRITERS_MAX + 1);
    enum rc rc = pg_ask(l, &sql, &writers, e);
    uint64_t n = 0;
    if (rc == RC_OK && PQntuples(writers) > WRITERS_MAX)
        rc = err_set(e, RC_LIMIT, "the rows are from too many transactions");
    for (int i = 0; rc == RC_OK && i < PQntuples(writers); i++) {
        n += strtoull(PQgetvalue(writers, i, 1), NULL, 10);
        rc = add(r, (uint32_t)strtoul(PQgetvalue(writers, i, 0), NULL, 10), e);
    }
    if (rc == RC_OK)
        rc = sort_writers(r, e);
    *rows = n;
    PQclear(writers);
    buf_free(&sql);
    return rc;
}

/* ---- are they as they were left? -------------------------------------------------------------- */

static bool are_known(const struct pg_remembered *writers, const struct pg_remembered *known)
{
    bool all = true;
    for (size_t i = 0; all && i < writers->n_writers; i++)
        all =
            known->n_writers > 0 && bsearch(&writers->writers[i], known->writers, known->n_writers,
                                            sizeof *known->writers, compare_writers) != NULL;
    return all;
}

static enum rc check_time(const struct pg_remembered *known, struct pg_link *l, bool *out,
                          struct err *e)
{
    PGresult *r = NULL;
    enum rc rc =
        pg_exec(l, "select pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text", 0,
                NULL, &r, e);
    uint64_t now = rc == RC_OK ? strtoull(PQgetvalue(r, 0, 0), NULL, 10) : 0;
    *out = rc == RC_OK && now >= known->since && now - known->since < known->lasts;
    PQclear(r);
    return rc;
}

static enum rc check_table(const struct pg_remembered *known, struct pg_remembered *now,
                           const struct pg_place *p, struct pg_link *l, size_t table, bool *out,
                           struct err *e)
{
    struct buf name;
    buf_init(&name, SQL_BYTES_MAX);
    pg_put_name(&name, p, p->relations.items[table].name);
    now->n_writers = 0;
    enum rc rc = buf_rc(&name) == RC_OK ? pg_remembered_add_writers(now, l, buf_str(&name),
                                                                    &now->tables[table].rows, e)
                                        : err_nomem(e);
    *out = rc == RC_OK && now->tables[table].rows == known->tables[table].rows &&
           are_known(now, known);
    buf_free(&name);
    return rc;
}

static enum rc check_known(const struct pg_remembered *known, const struct pg_place *p,
                           struct pg_link *l, bool *out, struct err *e)
{
    struct pg_remembered now = {.since = 0};
    enum rc rc = check_time(known, l, out, e);
    if (rc == RC_OK && *out)
        rc = pg_remembered_describe(&now, p, l, e);
    *out = rc == RC_OK && *out && pg_remembered_same_tables(known, &now, p);
    for (size_t i = 0; rc == RC_OK && *out && i < p->relations.n; i++)
        rc = check_table(known, &now, p, l, i, out, e);
    pg_remembered_free(&now);
    return rc;
}

static enum rc check(const struct pg_place *p, struct pg_link *l, enum pg_tables_are *out,
                     struct err *e)
{
    struct pg_remembered known;
    bool found = false;
    bool good = false;
    enum rc rc = pg_remembered_read(&known, p, l, &found, e);
    if (rc == RC_OK && found)
        rc = check_known(&known, p, l, &good, e);
    if (rc == RC_LIMIT) /* their rows are from more transactions than are remembered */
        rc = RC_OK;
    if (rc == RC_OK && found)
        *out = good ? PG_AS_LEFT : PG_CHANGED;
    pg_remembered_free(&known);
    return rc;
}

/* All at one moment. Nobody is waited for: who has locked a table is likely to change it. */
enum rc pg_remembered_check(const struct pg_place *p, struct pg_link *l, enum pg_tables_are *out,
                            struct err *e)
{
    *out = PG_UNKNOWN;
    enum rc rc = pg_run(
        l, "begin isolation level repeatable read, read only; set local lock_timeout to '1s'", e);
    if (rc == RC_OK)
        rc = check(p, l, out, e);
    if (rc == RC_NET || rc == RC_STOPPED || rc == RC_NOMEM)
        return rc;
    if (rc != RC_OK)
        log_msg(l->cfg.log, LOG_LEVEL_DEBUG, l->cfg.spec, "all leads are loaded: %s", e->msg);
    return pg_run(l, "rollback", e);
}
