#include "sinks/postgres/shards.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"

#define SQL_BYTES_MAX ((size_t)64 << 20)
#define STRING(x) STRING_OF(x)
#define STRING_OF(x) #x

static void put_runs(struct buf *b, const struct pg_place *p)
{
    pg_put_name(b, p, STR(SQL_TABLE_RUNS));
}

static bool take_token(const char *text, char out[PG_TOKEN_BYTES])
{
    (void)snprintf(out, PG_TOKEN_BYTES, "%s", text);
    return pg_is_token(text);
}

/* ---- opening --------------------------------------------------------------------------------- */

enum rc pg_shards_open(struct pg_place *p, struct pg_link *l, struct err *e)
{
    bool are_there = false;
    struct buf sql;
    const struct sql_shards_place place = {p->schema, &p->relations, p->mode, p->deletes,
                                           p->all_text};
    if (!p->shard)
        return RC_OK;
    enum rc rc = sql_shards_group(p->shard, &place, p->group, e);
    if (rc == RC_OK)
        rc = pg_runs_have(p, l, "shard, shards, shard_run, shard_group, shard_set, loaded_at",
                          &are_there, e);
    if (rc != RC_OK || are_there)
        return rc;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(&sql, "alter table ");
    put_runs(&sql, p);
    buf_adds(
        &sql,
        " add column if not exists shard integer, add column if not exists shards integer, "
        "add column if not exists shard_run text, add column if not exists shard_group text, "
        "add column if not exists shard_set text, add column if not exists loaded_at timestamptz");
    rc = pg_run_buf(l, &sql, e);
    buf_free(&sql);
    return rc;
}

/* ---- giving up ------------------------------------------------------------------------------- */

/* In a transaction, under the lock of its group. */
static enum rc give_up(const struct pg_place *p, struct pg_link *l, const char *token,
                       struct err *e)
{
    struct buf sql;
    char known[PG_TOKEN_BYTES];
    if (!take_token(token, known))
        return RC_OK; /* no run of ours has written that */
    buf_init(&sql, SQL_BYTES_MAX);
    enum rc rc = pg_put_drops(&sql, p, l, known, e);
    buf_adds(&sql, "update ");
    put_runs(&sql, p);
    buf_addf(
        &sql,
        " set status = 'abandoned', updated_at = pg_catalog.now(), ended_at = pg_catalog.now() "
        "where token = '%s' and status = 'loaded'",
        known);
    if (rc == RC_OK)
        rc = pg_run_buf(l, &sql, e);
    buf_free(&sql);
    return rc;
}

static enum rc give_up_all(const struct pg_place *p, struct pg_link *l, const PGresult *r,
                           struct err *e)
{
    enum rc rc = RC_OK;
    for (int i = 0; rc == RC_OK && i < PQntuples(r); i++)
        rc = give_up(p, l, PQgetvalue(r, i, 0), e);
    return rc;
}

/* What other runs of this shard have loaded: with `set` for the same list, without it for any. *was, if not NULL, is set to a set
 * of these. */
static enum rc replace(const struct pg_place *p, struct pg_link *l, const char *set, char *was,
                       struct err *e)
{
    struct buf sql;
    PGresult *r = NULL;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(&sql, "select token, shard_set from ");
    put_runs(&sql, p);
    buf_addf(&sql,
             " where status = 'loaded' and shard_group = '%s' and shard = %" PRIu32
             " and token <> '%s'",
             p->group, p->shard->index, p->token);
    if (set)
        buf_addf(&sql, " and shard_set = '%s'", set);
    enum rc rc = pg_ask(l, &sql, &r, e);
    if (rc == RC_OK && PQntuples(r) > 0)
        log_msg(
            l->cfg.log, p->shard->name ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, l->cfg.spec,
            "this run takes the place of an earlier one of the same shard, whose rows are loaded and no "
            "longer count%s",
            p->shard->name || set ? "" : " (runs of several lists need names: --shard-run)");
    if (rc == RC_OK && PQntuples(r) > 0 && was)
        (void)snprintf(was, SQL_SHARDS_DIGEST_CHARS + 1, "%s", PQgetvalue(r, 0, 1));
    if (rc == RC_OK)
        rc = give_up_all(p, l, r, e);
    PQclear(r);
    buf_free(&sql);
    return rc;
}

static void warn_of_old(const struct pg_place *p, struct pg_link *l, const PGresult *r)
{
    char names[SINK_WAITS_FOR_BYTES];
    struct err ignored;
    struct sql_shards_seen seen;
    if (sql_shards_seen_init(&seen, p->shard->of, &ignored) != RC_OK)
        return;
    for (int i = 0; i < PQntuples(r); i++)
        (void)sql_shards_see(&seen, strtoull(PQgetvalue(r, i, 1), NULL, 10));
    sql_shards_names(&seen, false, names);
    bool is_one = seen.of - seen.n == 1;
    log_msg(l->cfg.log, LOG_LEVEL_WARN_ALWAYS, l->cfg.spec,
            "an earlier run was never complete: shard%s %s %s not been done; what the others had "
            "loaded more than " STRING(
                SQL_SHARDS_OLD_HOURS) " hours ago is discarded, and the tables are without "
                                      "it (runs that may take longer need a name: --shard-run)",
            is_one ? "" : "s", names, is_one ? "has" : "have");
    sql_shards_seen_free(&seen);
}

/* For how long the run has been going on. */
static int64_t age_ms(const struct pg_place *p, const struct pg_link *l)
{
    int64_t ms = clock_wall_ms(l->cfg.clock) - p->started_us / 1000;
    return ms > 0 ? ms : 0;
}

/* Sets without a name in which nothing has happened for long: by the server's clock, because that of this machine may be
 * another one's by hours. */
static enum rc give_up_old(const struct pg_place *p, struct pg_link *l, struct err *e)
{
    struct buf sql;
    PGresult *r = NULL;
    if (p->shard->name)
        return RC_OK;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(&sql, "select token, shard from (select token, shard, pg_catalog.max(loaded_at) over "
                   "(partition by shard_set) as newest from ");
    put_runs(&sql, p);
    buf_addf(&sql,
             " where status = 'loaded' and shard_group = '%s') s where newest < pg_catalog.now() - "
             "interval '%" PRId64
             " milliseconds' - interval '" STRING(SQL_SHARDS_OLD_HOURS) " hours'",
             p->group, age_ms(p, l));
    enum rc rc = pg_ask(l, &sql, &r, e);
    if (rc == RC_OK && PQntuples(r) > 0)
        warn_of_old(p, l, r);
    if (rc == RC_OK)
        rc = give_up_all(p, l, r, e);
    PQclear(r);
    buf_free(&sql);
    return rc;
}

enum rc pg_shards_begin(struct pg_place *p, struct pg_link *l, bool afresh, struct err *e)
{
    if (!p->shard)
        return RC_OK;
    enum rc rc = pg_run(l, "begin", e);
    if (rc == RC_OK)
        rc = pg_lock_shards(l, p->group, e);
    if (rc == RC_OK)
        rc = give_up_old(p, l, e);
    if (rc == RC_OK && afresh)
        rc = replace(p, l, NULL, p->discarded, e);
    return rc == RC_OK ? pg_run(l, "commit", e) : rc;
}

/* ---- which set ------------------------------------------------------------------------------- */

enum rc pg_shards_note(struct pg_place *p, struct pg_link *l, struct err *e)
{
    struct sink_list list;
    struct buf sql;
    if (!p->shard)
        return RC_OK;
    enum rc rc = p->host->list(p->host->ctx, &list, e);
    if (rc == RC_OK)
        rc = sql_shards_set(p->group, &list, p->set, e);
    if (rc != RC_OK)
        return rc;
    sql_shards_warn_of_list(p->discarded, p->set, l->cfg.log, l->cfg.spec);
    p->discarded[0] = '\0'; /* once */
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(&sql, "update ");
    put_runs(&sql, p);
    buf_addf(&sql,
             " set shard = %" PRIu32 ", shards = %" PRIu32
             ", shard_group = '%s', shard_set = '%s', shard_run = ",
             p->shard->index, p->shard->of, p->group, p->set);
    if (p->shard->name)
        sql_literal(&sql, str_c(p->shard->name));
    else
        buf_adds(&sql, "null");
    buf_addf(&sql, " where token = '%s'", p->token);
    rc = pg_run_buf(l, &sql, e);
    buf_free(&sql);
    return rc;
}

static bool take_digest(const char *text, char out[SQL_SHARDS_DIGEST_CHARS + 1])
{
    (void)snprintf(out, SQL_SHARDS_DIGEST_CHARS + 1, "%s", text);
    return strlen(text) == SQL_SHARDS_DIGEST_CHARS &&
           strspn(text, "0123456789abcdef") == SQL_SHARDS_DIGEST_CHARS;
}

enum rc pg_shards_recall(struct pg_place *p, struct pg_link *l, struct err *e)
{
    struct buf sql;
    PGresult *r = NULL;
    if (!p->shard)
        return RC_OK;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(&sql, "select shard_group, shard_set from ");
    put_runs(&sql, p);
    buf_addf(&sql, " where token = '%s'", p->token);
    enum rc rc = pg_ask(l, &sql, &r, e);
    bool good = rc == RC_OK && PQntuples(r) == 1 && take_digest(PQgetvalue(r, 0, 0), p->group) &&
                take_digest(PQgetvalue(r, 0, 1), p->set);
    if (rc == RC_OK && !good)
        rc = err_set(e, RC_USAGE,
                     "%s: " SQL_TABLE_RUNS
                     " does not say which shards belong together; start over with "
                     "--fresh",
                     l->cfg.spec);
    PQclear(r);
    buf_free(&sql);
    return rc;
}

bool pg_set_is_of_nothing(const struct pg_place *p)
{
    struct sink_list none = {
        .sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"};
    char set[SQL_SHARDS_DIGEST_CHARS + 1];
    struct err ignored;
    return sql_shards_set(p->group, &none, set, &ignored) == RC_OK && strcmp(set, p->set) == 0;
}

/* ---- who is loaded --------------------------------------------------------------------------- */

static enum rc find_done(struct pg_set *s, const struct pg_place *p, struct pg_link *l,
                         struct err *e)
{
    struct buf sql;
    PGresult *r = NULL;
    if (!p->shard->name)
        return RC_OK;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(&sql, "select 1 from ");
    put_runs(&sql, p);
    buf_addf(&sql, " where status = 'done' and shard_set = '%s' and shard = %" PRIu32 " limit 1",
             p->set, p->shard->index);
    enum rc rc = pg_ask(l, &sql, &r, e);
    s->was_done = rc == RC_OK && PQntuples(r) > 0;
    PQclear(r);
    buf_free(&sql);
    return rc;
}

static void take_own(struct pg_set *s, const struct pg_place *p, const struct pg_run *own)
{
    struct pg_loaded_shard *item = &s->items[s->n++];
    *item =
        (struct pg_loaded_shard){.index = p->shard->index, .part = own->part, .leads = own->leads};
    (void)snprintf(item->token, sizeof item->token, "%s", p->token);
    (void)sql_shards_see(&s->loaded, item->index);
    s->leads += item->leads;
}

/* Ordered by number; the latest of each. This run's is what it says itself. */
static enum rc take_rows(struct pg_set *s, const struct pg_place *p, const PGresult *r,
                         const struct pg_run *own, struct err *e)
{
    s->items = calloc((size_t)PQntuples(r) + 1, sizeof *s->items);
    if (!s->items)
        return err_nomem(e);
    bool own_taken = false;
    for (int i = 0; i < PQntuples(r); i++) {
        uint64_t index = strtoull(PQgetvalue(r, i, 1), NULL, 10);
        struct pg_loaded_shard *item = &s->items[s->n];
        if (index >= p->shard->of || index == p->shard->index || s->loaded.is[index] ||
            !take_token(PQgetvalue(r, i, 0), item->token))
            continue;
        if (!own_taken && index > p->shard->index) {
            take_own(s, p, own);
            own_taken = true;
            item = &s->items[s->n];
            (void)take_token(PQgetvalue(r, i, 0), item->token);
        }
        item->index = (uint32_t)index;
        item->part = strtoull(PQgetvalue(r, i, 2), NULL, 10);
        item->leads = strtoull(PQgetvalue(r, i, 3), NULL, 10);
        s->leads += item->leads;
        s->n++;
        (void)sql_shards_see(&s->loaded, index);
    }
    if (!own_taken)
        take_own(s, p, own);
    return RC_OK;
}

enum rc pg_set_read(struct pg_set *s, const struct pg_place *p, struct pg_link *l,
                    const struct pg_run *own, struct err *e)
{
    struct buf sql;
    PGresult *r = NULL;
    *s = (struct pg_set){.n = 0};
    enum rc rc = sql_shards_seen_init(&s->loaded, p->shard->of, e);
    if (rc == RC_OK)
        rc = sql_shards_seen_init(&s->whole, p->shard->of, e);
    if (rc == RC_OK)
        rc = give_up_old(p, l, e);
    if (rc == RC_OK)
        rc = replace(p, l, p->set, NULL, e);
    if (rc == RC_OK)
        rc = find_done(s, p, l, e);
    if (rc != RC_OK || s->was_done)
        return rc;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(&sql, "select token, shard, part, leads from ");
    put_runs(&sql, p);
    buf_addf(
        &sql,
        " where status = 'loaded' and shard_set = '%s' and shard is not null order by shard, loaded_at "
        "desc, token",
        p->set);
    rc = pg_ask(l, &sql, &r, e);
    if (rc == RC_OK)
        rc = take_rows(s, p, r, own, e);
    PQclear(r);
    buf_free(&sql);
    return rc;
}

void pg_set_free(struct pg_set *s)
{
    free(s->items);
    sql_shards_seen_free(&s->loaded);
    sql_shards_seen_free(&s->whole);
    *s = (struct pg_set){.n = 0};
}

/* ---- are their rows there? ------------------------------------------------------------------- */

/* Are the staged columns of two runs of the same types? The types depend on what the tables were when each began. */
static enum rc are_alike(const struct pg_place *p, const struct pg_place *other, struct pg_link *l,
                         bool *out, struct err *e)
{
    struct buf sql;
    struct buf name;
    PGresult *r = NULL;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&name, SQL_BYTES_MAX);
    buf_adds(&sql, "select 1 from (values ");
    for (size_t i = 0; i < p->relations.n; i++) {
        buf_adds(&sql, i ? ", (" : "(");
        for (size_t k = 0; k < 2; k++) {
            buf_clear(&name);
            pg_put_staged(&name, k ? other : p, i);
            sql_literal(&sql, buf_str(&name));
            buf_adds(&sql, k ? "::regclass::oid)" : "::regclass::oid, ");
        }
    }
    buf_adds(
        &sql,
        ") as v (a, b) join pg_catalog.pg_attribute x on x.attrelid = v.a and x.attnum > 0 and not "
        "x.attisdropped left join pg_catalog.pg_attribute y on y.attrelid = v.b and y.attname = x.attname "
        "and not y.attisdropped where x.attname::text !~ '^e[0-9]+$' and (x.atttypid is distinct from "
        "y.atttypid or x.atttypmod is distinct from y.atttypmod) limit 1");
    enum rc rc = buf_rc(&name) == RC_OK ? pg_ask(l, &sql, &r, e) : err_nomem(e);
    *out = rc == RC_OK && PQntuples(r) == 0;
    PQclear(r);
    buf_free(&sql);
    buf_free(&name);
    return rc;
}

/* A statement about a table that is not there would end the transaction. */
static enum rc parts_exist(const struct pg_place *p, struct pg_link *l, bool *out, struct err *e)
{
    struct buf name;
    buf_init(&name, SQL_BYTES_MAX);
    pg_put_parts(&name, p);
    const char *value = buf_cstr(&name);
    enum rc rc =
        buf_rc(&name) == RC_OK
            ? pg_ask_about(l, "select pg_catalog.to_regclass($1) is not null", value, out, e)
            : err_nomem(e);
    buf_free(&name);
    return rc;
}

static enum rc check_one(struct pg_set *s, const struct pg_place *p, struct pg_link *l,
                         const struct pg_loaded_shard *item, struct err *e)
{
    struct pg_place other = *p;
    bool good = false;
    uint64_t part = 0;
    (void)snprintf(other.token, sizeof other.token, "%s", item->token);
    enum rc rc = parts_exist(&other, l, &good, e);
    if (rc == RC_OK && good)
        rc = pg_staged_part(&other, l, &good, &part, e);
    good = good && part >= item->part;
    if (rc == RC_OK && good)
        rc = are_alike(p, &other, l, &good, e);
    if (rc == RC_OK && good)
        (void)sql_shards_see(&s->whole, item->index);
    return rc;
}

enum rc pg_set_check(struct pg_set *s, const struct pg_place *p, struct pg_link *l, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < s->n; i++)
        rc = check_one(s, p, l, &s->items[i], e);
    return rc;
}

/* ---- statements ------------------------------------------------------------------------------ */

void pg_put_shard_loaded(struct buf *b, const struct pg_place *p)
{
    buf_adds(b, "update ");
    put_runs(b, p);
    buf_addf(
        b,
        " set status = 'loaded', updated_at = pg_catalog.now(), loaded_at = pg_catalog.now(), ended_at = null "
        "where token = '%s';",
        p->token);
}

void pg_put_shard_done_before(struct buf *b, const struct pg_place *p)
{
    buf_adds(b, "update ");
    put_runs(b, p);
    buf_addf(b,
             " set status = 'done', leads = 0, rows = 0, updated_at = pg_catalog.now(), "
             "ended_at = pg_catalog.now() where token = '%s';",
             p->token);
}

void pg_put_shards_done(struct buf *b, const struct pg_place *p, const struct pg_set *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->items[i].token, p->token) == 0)
            continue;
        buf_adds(b, "update ");
        put_runs(b, p);
        buf_addf(
            b,
            " set status = 'done', updated_at = pg_catalog.now(), ended_at = pg_catalog.now() where "
            "token = '%s' and status = 'loaded';",
            s->items[i].token);
    }
}

/* ---- a week later ---------------------------------------------------------------------------- */

static enum rc sweep_one(const struct pg_place *p, struct pg_link *l, const char *token,
                         const char *group, struct err *e)
{
    bool got = false;
    enum rc rc = pg_run(l, "begin; set local lock_timeout to '1s'", e);
    if (rc == RC_OK)
        rc = pg_try_lock_shards(l, group, &got, e);
    if (rc == RC_OK && got)
        rc = give_up(p, l, token, e);
    if (rc == RC_OK)
        return pg_run(l, "commit", e);
    if (rc != RC_IO)
        return rc;
    log_msg(l->cfg.log, LOG_LEVEL_DEBUG, NULL,
            "what an earlier run has loaded cannot be removed: %s", e->msg);
    return pg_run(l, "rollback", e);
}

/* Of any group, also by runs that know no shards: the table may be without their columns. */
enum rc pg_shards_sweep(const struct pg_place *p, struct pg_link *l, struct err *e)
{
    struct buf sql;
    PGresult *r = NULL;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(
        &sql,
        "select token, the_group from (select token, pg_catalog.to_jsonb(r) ->> 'shard_group' as the_group, "
        "pg_catalog.max(updated_at) over (partition by pg_catalog.to_jsonb(r) ->> 'shard_set') as newest "
        "from ");
    put_runs(&sql, p);
    buf_adds(&sql,
             " r where status = 'loaded') s where newest < pg_catalog.now() - interval '" STRING(
                 SQL_SHARDS_OLD_DAYS) " days' and the_group is not null limit 100");
    enum rc rc = pg_ask(l, &sql, &r, e);
    for (int i = 0; rc == RC_OK && i < PQntuples(r); i++)
        rc = sweep_one(p, l, PQgetvalue(r, i, 0), PQgetvalue(r, i, 1), e);
    PQclear(r);
    buf_free(&sql);
    return rc;
}
