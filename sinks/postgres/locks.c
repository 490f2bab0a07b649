#include "sinks/postgres/locks.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQL_BYTES_MAX ((size_t)16 << 20)
#define CLAIM_WAIT "3s" /* for the end of a connection of the same run that was lost */

/* ---- numbers -------------------------------------------------------------------------------- */

/* A number for an advisory lock, in decimal. `table`: may be absent. */
static enum rc table_lock_number(const char *what, struct str schema, struct str table,
                                 char out[24], struct err *e)
{
    struct buf b;
    unsigned char digest[EVP_MAX_MD_SIZE];
    buf_init(&b, SQL_BYTES_MAX);
    buf_addf(&b, "leadpipe %s ", what);
    buf_add_str(&b, schema);
    if (table.ptr) {
        buf_addc(&b, '\0'); /* which no name has */
        buf_add_str(&b, table);
    }
    bool made =
        buf_rc(&b) == RC_OK && EVP_Digest(b.data, b.len, digest, NULL, EVP_sha256(), NULL) == 1;
    uint64_t number = 0;
    for (size_t i = 0; made && i < sizeof number; i++)
        number = number << 8 | digest[i];
    (void)snprintf(out, 24, "%lld", (long long)(int64_t)number);
    buf_free(&b);
    return made ? RC_OK : err_nomem(e);
}

enum rc pg_lock_number(const char *what, struct str name, char out[24], struct err *e)
{
    return table_lock_number(what, name, STR_NONE, out, e);
}

/* Who holds it, for a message. */
static void tell_holder(struct pg_link *l, const char *number)
{
    static const char sql[] =
        "select a.pid, a.usename, coalesce(pg_catalog.host(a.client_addr), 'local') from pg_catalog.pg_locks k join "
        "pg_catalog.pg_stat_activity a on a.pid = k.pid where k.locktype = 'advisory' and k.granted and "
        "k.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database()) and "
        "k.objsubid = 1 and (k.classid::bigint << 32 | k.objid::bigint) = $1::bigint";
    PGresult *r = NULL;
    struct err ignored;
    bool known = pg_exec(l, sql, 1, &number, &r, &ignored) == RC_OK && PQntuples(r) > 0;
    log_msg(l->cfg.log, LOG_LEVEL_WARN, l->cfg.spec,
            "waiting for another run that writes to the same tables (server process %s, user %s, "
            "client %s)",
            known ? PQgetvalue(r, 0, 0) : "?", known ? PQgetvalue(r, 0, 1) : "?",
            known ? PQgetvalue(r, 0, 2) : "?");
    PQclear(r);
}

static enum rc lock_table(const struct pg_place *p, struct pg_link *l, struct str table, bool *told,
                          struct err *e)
{
    char number[24];
    bool got = false;
    const char *value = number;
    enum rc rc = table_lock_number("merge", p->schema, table, number, e);
    if (rc == RC_OK)
        rc = pg_ask_about(l, "select pg_catalog.pg_try_advisory_xact_lock($1::bigint)", number,
                          &got, e);
    if (rc != RC_OK || got)
        return rc;
    if (!*told)
        tell_holder(l, number);
    *told = true;
    return pg_exec(l, "select pg_catalog.pg_advisory_xact_lock($1::bigint)", 1, &value, NULL, e);
}

static int compare_names(const void *a, const void *b)
{
    const struct str x = *(const struct str *)a;
    const struct str y = *(const struct str *)b;
    int order = memcmp(x.ptr, y.ptr, x.len < y.len ? x.len : y.len);
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

/* One lock for each table, not one for the schema: two sinks of one run commit only once both are
 * prepared, so neither may wait for the other. In the same order in every run, as the sinks of a run are. */
enum rc pg_lock_merge(const struct pg_place *p, struct pg_link *l, struct err *e)
{
    struct str names[PROFILE_TABLES_MAX] = {{NULL, 0}};
    bool told = false;
    enum rc rc = RC_OK;
    for (size_t i = 0; i < p->relations.n; i++)
        names[i] = p->relations.items[i].name;
    qsort(names, p->relations.n, sizeof *names, compare_names);
    for (size_t i = 0; rc == RC_OK && i < p->relations.n; i++)
        rc = lock_table(p, l, names[i], &told, e);
    return rc;
}

static enum rc claim_table(const struct pg_place *p, struct pg_link *l, struct str table,
                           struct err *e)
{
    char number[24];
    char what[48];
    struct buf sql;
    (void)snprintf(what, sizeof what, "run %.32s", p->run_id);
    enum rc rc = table_lock_number(what, p->schema, table, number, e);
    if (rc != RC_OK)
        return rc;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_addf(&sql,
             "begin; set local lock_timeout to '" CLAIM_WAIT
             "'; select pg_catalog.pg_advisory_lock(%s); "
             "commit",
             number);
    rc = pg_run_buf(l, &sql, e);
    buf_free(&sql);
    if (rc != RC_IO || strcmp(l->sqlstate, "55P03") != 0) /* lock_not_available */
        return rc;
    return err_set(e, RC_USAGE,
                   "%s: another target of this command already writes the table " STR_FMT
                   "." STR_FMT " of this database; give one of the two another schema= or prefix=",
                   l->cfg.spec, STR_ARG(p->schema), STR_ARG(table));
}

enum rc pg_claim_tables(const struct pg_place *p, struct pg_link *l, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < p->relations.n; i++)
        rc = claim_table(p, l, p->relations.items[i].name, e);
    return rc;
}

enum rc pg_sinks_number(const struct pg_place *p, char out[24], struct err *e)
{
    return pg_lock_number("sinks of", str_c(p->run_id), out, e);
}

static enum rc join_sinks(const struct pg_place *p, struct pg_link *l, struct err *e)
{
    char number[24];
    const char *value = number;
    enum rc rc = pg_sinks_number(p, number, e);
    return rc == RC_OK ? pg_exec(l, "select pg_catalog.pg_advisory_lock_shared($1::bigint)", 1,
                                 &value, NULL, e)
                       : rc;
}

/* A connection that was lost may still have it: it is ended. */
enum rc pg_lock_run(const struct pg_place *p, struct pg_link *l, struct err *e)
{
    static const char end_sql[] =
        "select pg_catalog.pg_terminate_backend(k.pid) from pg_catalog.pg_locks k join pg_catalog.pg_stat_activity a on a.pid = "
        "k.pid where k.locktype = 'advisory' and k.granted and k.objsubid = 1 and k.pid <> "
        "pg_catalog.pg_backend_pid() and (k.classid::bigint << 32 | k.objid::bigint) = $1::bigint";
    char number[24];
    bool got = false;
    const char *value = number;
    enum rc rc = pg_lock_number("run", str_c(p->token), number, e);
    if (rc == RC_OK)
        rc = pg_ask_about(l, "select pg_catalog.pg_try_advisory_lock($1::bigint)", number, &got, e);
    if (rc == RC_OK)
        rc = join_sinks(p, l, e);
    if (rc != RC_OK || got)
        return rc;
    rc = pg_exec(l, end_sql, 1, &value, NULL, e);
    if (rc == RC_IO) /* not allowed: it ends by itself */
        rc = RC_OK;
    if (rc == RC_OK)
        rc = pg_exec(l, "select pg_catalog.pg_advisory_lock($1::bigint)", 1, &value, NULL, e);
    return rc;
}

enum rc pg_try_lock_run(struct pg_link *l, const char *token, bool *got, struct err *e)
{
    char number[24];
    enum rc rc = pg_lock_number("run", str_c(token), number, e);
    return rc == RC_OK ? pg_ask_about(l, "select pg_catalog.pg_try_advisory_lock($1::bigint)",
                                      number, got, e)
                       : rc;
}

enum rc pg_unlock_run(struct pg_link *l, const char *token, struct err *e)
{
    char number[24];
    const char *value = number;
    enum rc rc = pg_lock_number("run", str_c(token), number, e);
    return rc == RC_OK
               ? pg_exec(l, "select pg_catalog.pg_advisory_unlock($1::bigint)", 1, &value, NULL, e)
               : rc;
}

/* ---- shards ---------------------------------------------------------------------------------- */

enum rc pg_try_lock_shards(struct pg_link *l, const char *group, bool *got, struct err *e)
{
    char number[24];
    enum rc rc = pg_lock_number("shards", str_c(group), number, e);
    return rc == RC_OK ? pg_ask_about(l, "select pg_catalog.pg_try_advisory_xact_lock($1::bigint)",
                                      number, got, e)
                       : rc;
}

enum rc pg_lock_shards(struct pg_link *l, const char *group, struct err *e)
{
    char number[24];
    const char *value = number;
    bool got = false;
    enum rc rc = pg_try_lock_shards(l, group, &got, e);
    if (rc == RC_OK && !got)
        rc = pg_lock_number("shards", str_c(group), number, e);
    if (rc != RC_OK || got)
        return rc;
    log_msg(l->cfg.log, LOG_LEVEL_INFO, l->cfg.spec,
            "waiting for another shard, which is at its end");
    return pg_exec(l, "select pg_catalog.pg_advisory_xact_lock($1::bigint)", 1, &value, NULL, e);
}
