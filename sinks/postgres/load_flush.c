/* Parts are sent until they are there, also to a server that goes away and comes back. */
#include "sinks/postgres/load_internal.h"

#define KEEP_BYTES ((size_t)1 << 20) /* what a table's rows keep of their memory */
#define TRIES 5                      /* of a transaction that lost against others */

static void columns_described(struct pg_load_table *t)
{
    size_t n = typed_table_columns(t->typed);
    t->n_described = n;
    t->n_made = t->n_made > n ? t->n_made : n;
}

/* Everything that was sent, once more, as one part. */
static enum rc send_spool(struct pg_load *load, struct err *e)
{
    struct buf rows;
    struct pg_spool_piece piece;
    uint64_t at = 0;
    buf_init(&rows, SIZE_MAX / 2);
    enum rc rc = pg_run_begin(load->place, load->link, e);
    if (rc == RC_OK)
        rc = pg_load_create(load, e);
    if (rc == RC_OK)
        rc = pg_load_begin_part(load, e);
    while (rc == RC_OK && (rc = pg_spool_read(&load->spool, &at, &piece, &rows, e)) == RC_OK) {
        rc = pg_load_send_rows(load, (size_t)piece.table, (size_t)piece.n_columns, buf_str(&rows),
                               e);
        size_t *made = &load->tables[piece.table].n_made; /* the spool is our own */
        *made = *made > piece.n_columns ? *made : (size_t)piece.n_columns;
    }
    if (rc == RC_END)
        rc = pg_load_end_part(load, &load->run, e);
    for (size_t i = 0; rc == RC_OK && i < load->profile->n_tables; i++)
        columns_described(&load->tables[i]);
    buf_free(&rows);
    return rc;
}

/* `what` has become of the rows. */
static enum rc send_again(struct pg_load *load, const char *what, struct err *e)
{
    struct pg_load_table *same = pg_load_own(load, PG_LOAD_SAME);
    if (load->spool.fd < 0)
        return err_set(
            e, RC_IO,
            "%s: %s, and there is no copy of them (%s); nothing was published; start over%s",
            load->link->cfg.spec, what,
            load->spool.why[0] ? load->spool.why : "they were loaded before the run was resumed",
            load->resumable ? " with --fresh" : "");
    log_msg(load->link->cfg.log, LOG_LEVEL_WARN, load->link->cfg.spec, "%s; loading them again",
            what);
    load->same.is_on = false;
    buf_clear(&same->rows);
    same->n_rows = 0;
    return send_spool(load, e);
}

static enum rc send_lost(struct pg_load *load, struct err *e)
{
    return send_again(
        load, "the server has lost the rows that were loaded so far, as it does when it crashes",
        e);
}

enum rc pg_load_all(struct pg_load *load, struct err *e)
{
    return send_again(
        load,
        "leads that were not loaded again, because they had not changed, have been deleted or "
        "written by somebody else meanwhile",
        e);
}

/* Was the run committed, and only the answer lost? Then it has no staging tables any more, as if the server had
 * crashed. */
static enum rc is_done(struct pg_load *load, bool *out, struct err *e)
{
    struct pg_run run;
    enum rc rc = pg_run_read(load->place, load->link, &run, e);
    *out = rc == RC_OK && run.status == PG_RUN_DONE;
    return rc;
}

static enum rc reconnect_once(struct pg_load *load, int64_t since_us, struct err *e)
{
    bool exists = false;
    bool done = false;
    uint64_t part = 0;
    enum rc rc = pg_link_open_again(load->link, since_us, PG_AWAY_MS, e);
    if (rc == RC_OK)
        rc = pg_lock_run(load->place, load->link, e);
    if (rc == RC_OK)
        rc = pg_staged_part(load->place, load->link, &exists, &part, e);
    if (rc != RC_OK || (exists && part >= load->run.part))
        return rc;
    rc = is_done(load, &done, e);
    return rc == RC_OK && !done ? send_lost(load, e) : rc;
}

enum rc pg_load_reconnect(struct pg_load *load, struct err *e)
{
    const struct clock *clock = load->link->cfg.clock;
    int64_t since_us = clock_mono_us(clock);
    enum rc rc = RC_NET;
    log_msg(load->link->cfg.log, LOG_LEVEL_WARN, NULL, "%s; connecting again", e->msg);
    for (unsigned i = 0; rc == RC_NET && i < TRIES; i++) {
        if (i > 0 && clock_mono_us(clock) - since_us >= PG_AWAY_MS * 1000)
            break;
        rc = reconnect_once(load, since_us, e);
    }
    return rc;
}

/* Is the part there, whose commit may have been answered or not? */
static enum rc is_there(struct pg_load *load, uint64_t part, bool *out, struct err *e)
{
    bool exists = false;
    uint64_t staged = 0;
    enum rc rc = pg_staged_part(load->place, load->link, &exists, &staged, e);
    *out = rc == RC_OK && exists && staged >= part;
    return rc;
}

static enum rc send_surely(struct pg_load *load, const struct pg_run *run, struct err *e)
{
    enum rc rc = RC_NET;
    for (unsigned i = 0; i < TRIES; i++) {
        bool there = false;
        rc = pg_load_send_part(load, run, e);
        if (rc == RC_BUSY)
            rc = pg_run(load->link, "rollback", e) == RC_OK ? RC_BUSY : RC_NET;
        if (rc == RC_NET) {
            rc = pg_load_reconnect(load, e);
            if (rc != RC_OK)
                return rc;
            rc = is_there(load, run->part, &there, e);
        } else if (rc != RC_BUSY) {
            return rc;
        }
        if (rc != RC_OK && rc != RC_BUSY && rc != RC_NET)
            return rc;
        if (there)
            return RC_OK;
    }
    return rc == RC_OK ? err_set(e, RC_NET, "%s: the connection was lost several times in a row",
                                 load->link->cfg.spec)
                       : rc;
}

static void part_sent(struct pg_load *load, const struct pg_run *run)
{
    load->run = *run;
    load->leads = 0;
    load->same.rows = 0;
    load->same.is_cut = true;
    for (size_t i = 0; i < load->n_tables; i++) {
        struct pg_load_table *t = &load->tables[i];
        if (t->n_rows) {
            const struct pg_spool_piece piece = {i, t->n_columns, t->n_rows, t->rows.len};
            if (!pg_load_is(load, i, PG_LOAD_SAME)) /* whose rows are in the spool */
                pg_spool_add(&load->spool, &piece, buf_str(&t->rows));
            t->n_made = t->n_made > t->n_columns ? t->n_made : t->n_columns;
        }
        t->total += t->n_rows;
        t->n_rows = 0;
        if (t->typed)
            columns_described(t);
        if (t->rows.cap > KEEP_BYTES)
            buf_free(&t->rows);
        else
            buf_clear(&t->rows);
    }
}

enum rc pg_load_flush(struct pg_load *load, struct err *e)
{
    enum rc rc = pg_same_decide(load, e);
    if (rc != RC_OK)
        return rc;
    struct pg_run run = load->run;
    run.part++;
    run.leads += load->leads;
    run.rows += load->same.rows;
    for (size_t i = 0; i < load->n_tables; i++) {
        struct pg_load_table *t = &load->tables[i];
        run.rows += pg_load_has_rows(load, i) ? t->n_rows : 0;
        if (t->n_rows)
            pg_put_end(&t->rows);
        if (buf_rc(&t->rows) != RC_OK)
            return err_nomem(e);
    }
    rc = send_surely(load, &run, e);
    if (rc == RC_OK)
        part_sent(load, &run);
    return rc;
}
