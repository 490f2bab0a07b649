#include "sinks/postgres/combine.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define SQL_BYTES_MAX ((size_t)64 << 20)

struct combining {
    const struct pg_place *p, *all;
    struct pg_link *link;
    const struct pg_set *set;
    struct buf sql;     /* scratch: empty between two calls */
    PGresult *extras;   /* shard, table, number in the shard, number in all; in this order */
    PGresult *n_extras; /* table, how many in all; in this order */
};

static enum rc name_all(struct pg_place *all, const struct pg_place *p, struct err *e)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char text[32];
    *all = *p;
    int n = snprintf(text, sizeof text, "all %s", p->token);
    if (n < 0 || EVP_Digest(text, (size_t)n, digest, NULL, EVP_sha256(), NULL) != 1)
        return err_nomem(e);
    for (size_t i = 0; i < (PG_TOKEN_BYTES - 1) / 2; i++)
        (void)snprintf(all->token + 2 * i, 3, "%02x", digest[i]);
    return RC_OK;
}

static struct pg_place place_of(const struct combining *c, size_t shard)
{
    struct pg_place place = *c->p;
    (void)snprintf(place.token, sizeof place.token, "%s", c->set->items[shard].token);
    return place;
}

static enum rc run(struct combining *c, struct err *e)
{
    enum rc rc = pg_run_buf(c->link, &c->sql, e);
    buf_clear(&c->sql);
    return rc;
}

static int number_at(const PGresult *r, int row, int column)
{
    return (int)strtol(PQgetvalue(r, row, column), NULL, 10);
}

/* ---- undocumented columns -------------------------------------------------------------------- */

/* All descriptions, with the numbers of the shards. */
static enum rc gather(struct combining *c, struct err *e)
{
    buf_adds(&c->sql, "create unlogged table ");
    pg_put_origins(&c->sql, c->all);
    buf_adds(&c->sql, " (shard integer, tab integer, ord integer, wanted text, source text)");
    enum rc rc = run(c, e);
    for (size_t i = 0; rc == RC_OK && i < c->set->n; i++) {
        const struct pg_place place = place_of(c, i);
        buf_adds(&c->sql, "insert into ");
        pg_put_origins(&c->sql, c->all);
        buf_addf(&c->sql, " select %zu, tab, ord, wanted, source from ", i);
        pg_put_described(&c->sql, &place);
        rc = run(c, e);
    }
    return rc;
}

/* Numbers each source where it comes first. */
static enum rc describe(struct combining *c, struct err *e)
{
    buf_adds(&c->sql, "create unlogged table ");
    pg_put_described(&c->sql, c->all);
    buf_adds(
        &c->sql,
        " as select tab, (pg_catalog.row_number() over (partition by tab order by shard, ord) - "
        "1)::integer as ord, wanted, source from (select distinct on (tab, source) shard, tab, ord, "
        "wanted, source from ");
    pg_put_origins(&c->sql, c->all);
    buf_adds(&c->sql, " order by tab, source, shard, ord) f");
    enum rc rc = run(c, e);
    buf_adds(&c->sql, "select o.shard, o.tab, o.ord, d.ord from ");
    pg_put_origins(&c->sql, c->all);
    buf_adds(&c->sql, " o join ");
    pg_put_described(&c->sql, c->all);
    buf_adds(&c->sql, " d on d.tab = o.tab and d.source = o.source order by 1, 2, 3");
    if (rc == RC_OK)
        rc = pg_ask(c->link, &c->sql, &c->extras, e);
    buf_clear(&c->sql);
    buf_adds(&c->sql, "select tab, count(*) from ");
    pg_put_described(&c->sql, c->all);
    buf_adds(&c->sql, " group by tab order by tab");
    if (rc == RC_OK)
        rc = pg_ask(c->link, &c->sql, &c->n_extras, e);
    buf_clear(&c->sql);
    return rc;
}

static int extras_of(const struct combining *c, size_t table)
{
    for (int i = 0; i < PQntuples(c->n_extras); i++) {
        if (number_at(c->n_extras, i, 0) == (int)table)
            return number_at(c->n_extras, i, 1);
    }
    return 0;
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* The columns that are the same in all shards. */
static void put_fixed(struct combining *c, size_t table)
{
    buf_adds(&c->sql, PG_STAGED_PART);
    if (!c->p->all_text)
        buf_adds(&c->sql, ", " PG_STAGED_MISFITS);
    for (size_t i = 0; i < c->p->relations.items[table].n_columns; i++)
        buf_addf(&c->sql, ", " PG_STAGED_COLUMN, i);
}

static enum rc make_table(struct combining *c, size_t table, struct err *e)
{
    int n = extras_of(c, table);
    buf_adds(&c->sql, "create unlogged table ");
    pg_put_staged(&c->sql, c->all, table);
    buf_adds(&c->sql, " with (autovacuum_enabled = false) as select ");
    put_fixed(c, table);
    for (int i = 0; i < n; i++)
        buf_addf(&c->sql, ", null::text as " PG_STAGED_EXTRA, (size_t)i);
    buf_adds(&c->sql, " from ");
    pg_put_staged(&c->sql, c->p, table);
    buf_adds(&c->sql, " with no data");
    return run(c, e);
}

/* *at: the first of the shard's and the table's undocumented columns; then the first of the next one's. */
static void put_extras(struct combining *c, size_t shard, size_t table, int *at, int column)
{
    int i = *at;
    for (; i < PQntuples(c->extras) && number_at(c->extras, i, 0) == (int)shard &&
           number_at(c->extras, i, 1) == (int)table;
         i++)
        buf_addf(&c->sql, ", " PG_STAGED_EXTRA, (size_t)number_at(c->extras, i, column));
    *at = column == 2 ? i : *at; /* the second time that they are listed */
}

static enum rc take_rows(struct combining *c, size_t shard, int *at, struct err *e)
{
    const struct pg_place place = place_of(c, shard);
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < c->p->relations.n; i++) {
        buf_adds(&c->sql, "insert into ");
        pg_put_staged(&c->sql, c->all, i);
        buf_adds(&c->sql, " (");
        put_fixed(c, i);
        put_extras(c, shard, i, at, 3);
        buf_adds(&c->sql, ") select ");
        put_fixed(c, i);
        put_extras(c, shard, i, at, 2);
        buf_adds(&c->sql, " from ");
        pg_put_staged(&c->sql, &place, i);
        rc = run(c, e);
    }
    return rc;
}

/* Leads that are missing. */
static enum rc take_gone(struct combining *c, struct err *e)
{
    buf_adds(&c->sql, "create unlogged table ");
    pg_put_gone(&c->sql, c->all);
    buf_adds(&c->sql, " as select * from ");
    pg_put_gone(&c->sql, c->p);
    buf_adds(&c->sql, " with no data");
    enum rc rc = run(c, e);
    for (size_t i = 0; rc == RC_OK && i < c->set->n; i++) {
        const struct pg_place place = place_of(c, i);
        buf_adds(&c->sql, "insert into ");
        pg_put_gone(&c->sql, c->all);
        buf_adds(&c->sql, " select * from ");
        pg_put_gone(&c->sql, &place);
        rc = run(c, e);
    }
    return rc;
}

static enum rc combine(struct combining *c, struct err *e)
{
    int at = 0;
    enum rc rc = gather(c, e);
    if (rc == RC_OK)
        rc = describe(c, e);
    for (size_t i = 0; rc == RC_OK && i < c->p->relations.n; i++)
        rc = make_table(c, i, e);
    for (size_t i = 0; rc == RC_OK && i < c->set->n; i++)
        rc = take_rows(c, i, &at, e);
    return rc == RC_OK ? take_gone(c, e) : rc;
}

enum rc pg_combine(struct pg_place *all, const struct pg_place *p, struct pg_link *l,
                   const struct pg_set *s, struct err *e)
{
    struct combining c = {.p = p, .all = all, .link = l, .set = s};
    enum rc rc = name_all(all, p, e);
    buf_init(&c.sql, SQL_BYTES_MAX);
    if (rc == RC_OK)
        rc = combine(&c, e);
    if (rc == RC_IO) {
        pg_add_advice(l, e);
        err_prefix(e, "the rows of all shards together");
    }
    PQclear(c.extras);
    PQclear(c.n_extras);
    buf_free(&c.sql);
    return rc;
}
