/* Leads that are in the tables as they are need not be loaded again. Leads wait with their rows until there are enough to ask the
 * server which of them have the fingerprints that are remembered (remembered.h); the rows of these are taken out.
 *
 * They go into the spool, as all others do: should the server lose what is remembered, as in a crash, it may have lost the last
 * changes of the tables as well, and then all leads are loaded. */
#include <stdlib.h>

#include "core/base/grow.h"
#include "sinks/postgres/load_internal.h"
#include "sinks/postgres/remembered.h"

#define LOOK_AFTER 50 /* one in so many leads of the tables: a look reads all of their rows */
#define WAITING_MAX 1000
#define LOCK_NOT_AVAILABLE "55P03"
#define WAITING_BYTES ((size_t)2 << 20)

void pg_same_free(struct pg_same *s)
{
    free(s->waiting);
    free(s->spans);
    buf_free(&s->keys);
    *s = (struct pg_same){.look_at = UINT64_MAX};
}

/* ---- may leads be the same? ------------------------------------------------------------------- */

enum rc pg_load_recall(struct pg_load *load, struct err *e)
{
    struct pg_remembered known;
    bool found = false;
    load->same.look_at = UINT64_MAX;
    if (!load->remembers)
        return RC_OK;
    struct pg_usable usable;
    enum rc rc = pg_remembered_usable(load->place, load->link, &usable, e);
    if (rc != RC_OK || !usable.fingerprints)
        return rc;
    rc = pg_remembered_read(&known, load->place, load->link, &found, e);
    if (rc == RC_OK && found)
        load->same.look_at = known.leads / LOOK_AFTER;
    pg_remembered_free(&known);
    return rc;
}

static enum rc look(struct pg_load *load, struct err *e)
{
    struct pg_same *s = &load->same;
    enum pg_tables_are are;
    s->look_at = UINT64_MAX;
    enum rc rc = pg_remembered_check(load->place, load->link, &are, e);
    if (rc == RC_NET)
        return pg_load_reconnect(load, e);
    s->is_on = rc == RC_OK && are == PG_AS_LEFT;
    s->was_changed = rc == RC_OK && are == PG_CHANGED;
    if (s->was_changed)
        log_msg(load->link->cfg.log, LOG_LEVEL_INFO, load->link->cfg.spec,
                "somebody else has written to the tables since the last run: all leads are loaded");
    return rc;
}

/* ---- the rows of a lead ------------------------------------------------------------------------- */

/* Tables whose rows are a lead's: the profile's, and that of the fingerprints. */
static size_t n_spans(const struct pg_load *load)
{
    return load->profile->n_tables + 1;
}

static struct pg_load_table *table_of(const struct pg_load *load, size_t span)
{
    return span < load->profile->n_tables ? &load->tables[span]
                                          : pg_load_own(load, PG_LOAD_FINGERPRINTS);
}

/* Room for one more lead's. */
static enum rc grow(struct pg_load *load, struct err *e)
{
    struct pg_same *s = &load->same;
    struct pg_waiting *waiting = list_grow(s->waiting, s->n, &s->cap, sizeof *waiting);
    if (!waiting)
        return err_nomem(e);
    s->waiting = waiting;
    if (s->cap_spans < s->cap) {
        struct pg_span *spans = reallocarray(s->spans, s->cap, n_spans(load) * sizeof *spans);
        if (!spans)
            return err_nomem(e);
        s->spans = spans;
        s->cap_spans = s->cap;
    }
    s->here = s->spans + s->n * n_spans(load);
    return RC_OK;
}

enum rc pg_same_begin(struct pg_load *load, struct err *e)
{
    struct pg_same *s = &load->same;
    enum rc rc = RC_OK;
    s->at_hand = (struct pg_fingerprint){.high = 0};
    if (load->spool.fd < 0) /* then there would be no copy of their rows */
        s->is_on = false;
    else if (load->run.leads + load->leads >= s->look_at)
        rc = look(load, e);
    s->is_cut = false;
    if (rc != RC_OK || !s->is_on)
        return rc;
    rc = grow(load, e);
    for (size_t i = 0; rc == RC_OK && i < n_spans(load); i++) {
        struct pg_load_table *t = table_of(load, i);
        pg_load_begin_rows(t);
        s->here[i] = (struct pg_span){.from = t->rows.len, .n_rows = t->n_rows};
    }
    return rc;
}

static void put_same(struct pg_load *load, const struct lead *lead, const struct pg_waiting *w)
{
    struct buf *b = &load->same.keys;
    pg_put_row(b, 3 + load->profile->n_key_columns);
    pg_put_integer(b, (int64_t)load->run.part + 1);
    pg_put_uuid(b, w->lead.high, w->lead.low);
    pg_put_uuid(b, w->rows.high, w->rows.low);
    pg_load_put_keys(load, b, lead);
}

enum rc pg_same_end(struct pg_load *load, const struct lead *lead, struct err *e)
{
    struct pg_same *s = &load->same;
    if (!load->remembers)
        return RC_OK;
    const struct pg_fingerprint of_lead = pg_load_put_fingerprint(load, lead, &s->at_hand);
    if (buf_rc(&pg_load_own(load, PG_LOAD_FINGERPRINTS)->rows) != RC_OK)
        return err_nomem(e);
    if (!s->is_on || s->is_cut)
        return RC_OK;
    for (size_t i = 0; i < n_spans(load); i++) {
        const struct pg_load_table *t = table_of(load, i);
        s->here[i].to = t->rows.len;
        s->here[i].n_rows = t->n_rows - s->here[i].n_rows;
        s->bytes += s->here[i].to - s->here[i].from;
    }
    s->waiting[s->n++] =
        (struct pg_waiting){.lead = of_lead, .rows = s->at_hand, .key_at = s->keys.len};
    put_same(load, lead, &s->waiting[s->n - 1]);
    if (buf_rc(&s->keys) != RC_OK)
        return err_nomem(e);
    return s->n >= WAITING_MAX || s->bytes >= WAITING_BYTES ? pg_same_decide(load, e) : RC_OK;
}

/* ---- which of them are the same? ---------------------------------------------------------------- */

static void put_fingerprints(struct buf *b, const struct pg_same *s, bool of_lead)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct pg_fingerprint *f = of_lead ? &s->waiting[i].lead : &s->waiting[i].rows;
        buf_addf(b, "%s%016llx%016llx", i ? "," : "{", (unsigned long long)f->high,
                 (unsigned long long)f->low);
    }
    buf_addc(b, '}');
}

/* With "limit", so that each is looked for by the index. */
static void put_query(struct buf *b, const struct pg_load *load)
{
    buf_adds(
        b,
        "select w.i from rows from (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::uuid[])) "
        "with ordinality w(lead, rows, i) cross join lateral (select 1 from ");
    pg_put_loaded(b, load->place);
    buf_adds(b, " k where k.lead operator(pg_catalog.=) w.lead and k.rows operator(pg_catalog.=) "
                "w.rows limit 1) f");
}

static enum rc ask(const struct pg_load *load, PGresult **out, struct err *e)
{
    struct buf sql;
    struct buf leads;
    struct buf rows;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&leads, SQL_BYTES_MAX);
    buf_init(&rows, SQL_BYTES_MAX);
    put_query(&sql, load);
    put_fingerprints(&leads, &load->same, true);
    put_fingerprints(&rows, &load->same, false);
    const char *const values[] = {buf_cstr(&leads), buf_cstr(&rows)};
    bool good = buf_rc(&sql) == RC_OK && buf_rc(&leads) == RC_OK && buf_rc(&rows) == RC_OK;
    enum rc rc = good ? pg_run(load->link, "set lock_timeout to '1s'", e) : err_nomem(e);
    if (rc == RC_OK)
        rc = pg_exec(load->link, buf_cstr(&sql), 2, values, out, e);
    buf_free(&sql);
    buf_free(&leads);
    buf_free(&rows);
    return rc;
}

/* Sets same[i] of those that are; where the server cannot say, none is, and none will be. */
static enum rc find(struct pg_load *load, bool same[WAITING_MAX], size_t *n, struct err *e)
{
    PGresult *r = NULL;
    *n = 0;
    enum rc rc = ask(load, &r, e);
    const struct err why = *e;
    bool timed_out = rc == RC_IO && strcmp(load->link->sqlstate, LOCK_NOT_AVAILABLE) == 0;
    if (rc == RC_OK || rc == RC_IO || rc == RC_BUSY) {
        enum rc reset = pg_run(load->link, "set lock_timeout to 0", e);
        rc = reset == RC_OK ? rc : reset;
    }
    for (int i = 0; rc == RC_OK && i < PQntuples(r); i++) {
        size_t at = (size_t)strtoull(PQgetvalue(r, i, 0), NULL, 10) - 1;
        bool is_new = at < load->same.n && !same[at];
        if (is_new)
            same[at] = true;
        *n += is_new;
    }
    PQclear(r);
    if (rc != RC_NET && rc != RC_IO && rc != RC_BUSY)
        return rc;
    load->same.is_on = false;
    if (rc == RC_NET)
        return pg_load_reconnect(load, e);
    load->same.was_changed = !timed_out;
    log_msg(load->link->cfg.log, LOG_LEVEL_DEBUG, load->link->cfg.spec,
            "all further leads are loaded: %s", why.msg);
    return RC_OK;
}

/* ---- taking them out ---------------------------------------------------------------------------- */

static const struct pg_span *span_of(const struct pg_load *load, size_t lead, size_t span)
{
    return &load->same.spans[lead * n_spans(load) + span];
}

/* The rows that are taken out of a table. */
static enum rc spool(struct pg_load *load, size_t span, const bool same[], struct err *e)
{
    const struct pg_load_table *t = table_of(load, span);
    struct buf rows;
    struct pg_spool_piece piece = {.table = (uint64_t)(t - load->tables),
                                   .n_columns = t->n_columns};
    if (load->spool.fd < 0)
        return RC_OK;
    buf_init(&rows, SIZE_MAX / 2);
    pg_put_begin(&rows);
    for (size_t i = 0; i < load->same.n; i++) {
        const struct pg_span *s = span_of(load, i, span);
        if (same[i])
            buf_add(&rows, t->rows.data + s->from, s->to - s->from);
        piece.n_rows += same[i] ? s->n_rows : 0;
    }
    pg_put_end(&rows);
    piece.bytes = rows.len;
    enum rc rc = buf_rc(&rows) == RC_OK ? RC_OK : err_nomem(e);
    if (rc == RC_OK && piece.n_rows > 0)
        pg_spool_add(&load->spool, &piece, buf_str(&rows));
    buf_free(&rows);
    return rc;
}

/* *rows: those that it had. */
static void take_out(struct pg_load *load, size_t span, const bool same[], uint64_t *rows)
{
    struct pg_load_table *t = table_of(load, span);
    size_t kept = 0; /* bytes of it that are in their place */
    size_t from = 0; /* where those begin that are to be kept behind them */
    for (size_t i = 0; i < load->same.n; i++) {
        const struct pg_span *s = span_of(load, i, span);
        if (!same[i])
            continue;
        memmove(t->rows.data + kept, t->rows.data + from, s->from - from);
        kept += s->from - from;
        from = s->to;
        t->n_rows -= s->n_rows;
        *rows += s->n_rows;
    }
    memmove(t->rows.data + kept, t->rows.data + from, t->rows.len - from);
    t->rows.len = kept + t->rows.len - from;
}

static enum rc note_same(struct pg_load *load, const bool same[], struct err *e)
{
    struct pg_same *s = &load->same;
    struct pg_load_table *t = pg_load_own(load, PG_LOAD_SAME);
    pg_load_begin_rows(t);
    for (size_t i = 0; i < s->n; i++) {
        size_t end = i + 1 < s->n ? s->waiting[i + 1].key_at : s->keys.len;
        if (same[i])
            buf_add(&t->rows, s->keys.data + s->waiting[i].key_at, end - s->waiting[i].key_at);
        t->n_rows += same[i];
        s->leads += same[i];
    }
    return buf_rc(&t->rows) == RC_OK ? RC_OK : err_nomem(e);
}

enum rc pg_same_decide(struct pg_load *load, struct err *e)
{
    struct pg_same *s = &load->same;
    bool same[WAITING_MAX] = {false};
    uint64_t fingerprints = 0;
    size_t n = 0;
    if (s->n == 0)
        return RC_OK;
    enum rc rc = find(load, same, &n, e);
    for (size_t i = 0; rc == RC_OK && n > 0 && i < n_spans(load); i++)
        rc = spool(load, i, same, e);
    bool takes_out = rc == RC_OK && n > 0 && load->spool.fd >= 0; /* the disk may be full now */
    for (size_t i = 0; takes_out && i < n_spans(load); i++)
        take_out(load, i, same, i < load->profile->n_tables ? &s->rows : &fingerprints);
    if (takes_out)
        rc = note_same(load, same, e);
    s->n = 0;
    s->bytes = 0;
    buf_clear(&s->keys);
    return rc;
}
