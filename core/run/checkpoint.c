#include "core/run/checkpoint.h"

#include <stdlib.h>

#include "core/base/checked.h"
#include "core/base/grow.h"

#define TOTALS_BYTES_MAX ((size_t)64 << 10)
#define MARK_BYTES_MAX ((size_t)1 << 30)

struct checkpoint {
    struct run *run;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* what follows */
    bool under_way;         /* begun, not yet committed */
    bool failed;            /* a sink could not make its mark */
    bool broken;    /* no further one: what a failed one left unsynced may be lost unnoticed */
    bool over;      /* none will be begun any more */
    size_t missing; /* sinks that have not come to the barrier */

    /* Of the order's thread before it begins one, then of the checkpoint's until it is done. */
    struct state_checkpoint now;
    uint64_t *holes;
    size_t cap_holes;
    struct state_column *columns;
    size_t cap_columns;
    struct buf totals;
    struct str marks_text[RUN_SINKS_MAX];

    struct buf marks[RUN_SINKS_MAX]; /* each of its sink's thread, then as above */

    /* of the order's thread */
    int64_t last_us;
    uint64_t last_noted;
    size_t *columns_saved; /* of each table */
};

/* ---- making --------------------------------------------------------------------------------- */

void checkpoint_free(struct checkpoint *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < RUN_SINKS_MAX; i++)
        buf_free(&c->marks[i]);
    buf_free(&c->totals);
    free(c->holes);
    free(c->columns);
    free(c->columns_saved);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

enum rc checkpoint_new(struct checkpoint **out, struct run *r)
{
    size_t n_tables = r->cfg->profile->n_tables;
    struct checkpoint *c = calloc(1, sizeof *c);
    if (!c)
        return RC_NOMEM;
    c->columns_saved = calloc(n_tables + 1, sizeof *c->columns_saved);
    if (!c->columns_saved || pthread_mutex_init(&c->lock, NULL))
        goto no_lock;
    if (pthread_cond_init(&c->changed, NULL))
        goto no_cond;
    c->run = r;
    c->last_us = clock_mono_us(r->cfg->clock);
    buf_init(&c->totals, TOTALS_BYTES_MAX);
    for (size_t i = 0; i < RUN_SINKS_MAX; i++)
        buf_init(&c->marks[i], MARK_BYTES_MAX);
    for (size_t i = 0; i < n_tables; i++)
        c->columns_saved[i] = schema_columns(r->schema, i);
    c->last_noted = tally_done(&r->tally);
    *out = c;
    return RC_OK;

no_cond:
    pthread_mutex_destroy(&c->lock);
no_lock:
    free(c->columns_saved);
    free(c);
    return RC_NOMEM;
}

/* ---- beginning: the order's thread ----------------------------------------------------------- */

static enum rc note_holes(struct checkpoint *c)
{
    const struct tally *t = &c->run->tally;
    if (t->n_holes > c->cap_holes) {
        size_t bytes = 0;
        uint64_t *holes =
            size_mul(t->n_holes, sizeof *holes, &bytes) ? realloc(c->holes, bytes) : NULL;
        if (!holes)
            return RC_NOMEM;
        c->holes = holes;
        c->cap_holes = t->n_holes;
    }
    if (t->n_holes)
        memcpy(c->holes, t->holes, t->n_holes * sizeof *t->holes);
    c->now.holes = c->holes;
    c->now.n_holes = t->n_holes;
    return RC_OK;
}

static enum rc note_column(struct checkpoint *c, size_t table, const struct column *column)
{
    struct state_column *columns =
        list_grow(c->columns, c->now.n_columns, &c->cap_columns, sizeof *columns);
    if (!columns)
        return RC_NOMEM;
    c->columns = columns;
    const struct source *s = &column->source;
    c->columns[c->now.n_columns++] =
        (struct state_column){(uint32_t)table, s->scope, s->occurrence, s->key, s->member};
    return RC_OK;
}

/* Those that came since the last checkpoint. Their texts stay as long as the schema. */
static enum rc note_columns(struct checkpoint *c)
{
    const struct run *r = c->run;
    enum rc rc = RC_OK;
    c->now.n_columns = 0;
    for (size_t i = 0; i < r->cfg->profile->n_tables; i++) {
        size_t n = schema_columns(r->schema, i);
        for (size_t k = c->columns_saved[i]; rc == RC_OK && k < n; k++)
            rc = note_column(c, i, schema_column(r->schema, i, k));
        c->columns_saved[i] = n;
    }
    c->now.columns = c->columns;
    return rc;
}

static enum rc note_all(struct checkpoint *c)
{
    struct run *r = c->run;
    c->now.tally = r->tally.sums;
    c->now.tally.active_ms = run_active_ms(r);
    buf_clear(&c->totals);
    beyond_write(&r->beyond, &c->totals);
    http_engine_save(r->engine, &c->totals);
    c->now.totals = buf_str(&c->totals);
    c->now.marks = c->marks_text;
    c->now.n_marks = r->n_outlets;
    enum rc rc = note_holes(c);
    if (rc == RC_OK)
        rc = note_columns(c);
    return rc == RC_OK ? buf_rc(&c->totals) : rc;
}

/* A later fdatasync() may say that all is well although pages were lost. */
void checkpoint_break_off(struct checkpoint *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->broken = true;
    pthread_mutex_unlock(&c->lock);
}

static void begin(struct checkpoint *c)
{
    struct run *r = c->run;
    struct err e;
    if (note_all(c) != RC_OK) {
        (void)err_nomem(&e);
        run_fatal(r, &e);
        checkpoint_break_off(c);
        return;
    }
    c->last_us = clock_mono_us(r->cfg->clock);
    c->last_noted = tally_done(&r->tally);
    pthread_mutex_lock(&c->lock);
    c->under_way = true;
    c->failed = false;
    c->missing = r->n_outlets;
    pthread_mutex_unlock(&c->lock);
    void *const barrier = NULL;
    for (size_t i = 0; i < r->n_outlets; i++)
        (void)queue_push(r->outlets[i].queue, &barrier, 1, NULL); /* never closed yet */
}

static bool may_not_begin(struct checkpoint *c)
{
    pthread_mutex_lock(&c->lock);
    bool may_not = c->under_way || c->broken;
    pthread_mutex_unlock(&c->lock);
    return may_not;
}

void checkpoint_consider(struct checkpoint *c)
{
    uint64_t more = tally_done(&c->run->tally) - c->last_noted;
    if (more == 0)
        return;
    int64_t waited_us = clock_mono_us(c->run->cfg->clock) - c->last_us;
    if ((more >= CHECKPOINT_LEADS || waited_us >= CHECKPOINT_MS * 1000) && !may_not_begin(c))
        begin(c);
}

void checkpoint_end(struct checkpoint *c, bool last_one)
{
    pthread_mutex_lock(&c->lock);
    while (last_one && c->under_way)
        pthread_cond_wait(&c->changed, &c->lock);
    last_one = last_one && !c->broken;
    pthread_mutex_unlock(&c->lock);
    if (last_one)
        begin(c);
    pthread_mutex_lock(&c->lock);
    c->over = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* ---- marks: the sinks' threads --------------------------------------------------------------- */

static bool make_mark(struct checkpoint *c, struct outlet *o)
{
    struct sink_mark mark = {STR_NONE};
    struct buf *text = &c->marks[o->index];
    struct err e;
    if (o->dead)
        return false;
    enum rc rc = o->ops->mark(o->sink, &mark, &e);
    buf_clear(text);
    buf_add_str(text, mark.text);
    if (rc == RC_OK && buf_rc(text) != RC_OK)
        rc = err_nomem(&e);
    if (rc != RC_OK)
        run_fatal(c->run, &e);
    return rc == RC_OK;
}

void checkpoint_mark(struct checkpoint *c, struct outlet *o)
{
    bool made = make_mark(c, o);
    pthread_mutex_lock(&c->lock);
    c->failed |= !made;
    c->broken |= !made;
    c->missing--;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* ---- committing: the checkpoint's own thread -------------------------------------------------- */

static enum rc sync_sinks(struct run *r, struct err *e)
{
    for (size_t i = 0; i < r->n_outlets; i++) {
        struct outlet *o = &r->outlets[i];
        enum rc rc = o->ops->sync ? o->ops->sync(o->sink, e) : RC_OK;
        if (rc != RC_OK) {
            err_prefix(e, "%s", o->cfg.spec);
            return rc;
        }
    }
    return RC_OK;
}

static bool is_broken(struct checkpoint *c)
{
    pthread_mutex_lock(&c->lock);
    bool broken = c->broken;
    pthread_mutex_unlock(&c->lock);
    return broken;
}

static void commit(struct checkpoint *c)
{
    struct run *r = c->run;
    struct err e;
    for (size_t i = 0; i < r->n_outlets; i++) {
        c->marks_text[i] = buf_str(&c->marks[i]);
        if (!c->marks_text[i].ptr)
            c->marks_text[i] = STR("");
    }
    enum rc rc = sync_sinks(r, &e);
    if (rc == RC_OK && is_broken(c)) /* a sink failed behind its mark, and has said so */
        return;
    if (rc == RC_OK)
        rc = state_checkpoint(r->state, &c->now, &e);
    if (rc != RC_OK) {
        checkpoint_break_off(c);
        run_fatal(r, &e);
        return;
    }
    log_msg(r->cfg->log, LOG_LEVEL_DEBUG, r->cfg->state_path, "%llu leads are durable",
            (unsigned long long)(c->now.tally.high - c->now.n_holes));
}

void *checkpoint_main(void *checkpoint)
{
    struct checkpoint *c = checkpoint;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        while (!(c->under_way && c->missing == 0) && !(c->over && !c->under_way))
            pthread_cond_wait(&c->changed, &c->lock);
        if (!c->under_way)
            break;
        bool whole = !c->failed;
        pthread_mutex_unlock(&c->lock);
        if (whole)
            commit(c);
        pthread_mutex_lock(&c->lock);
        c->under_way = false;
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->lock);
    run_thread_ended(c->run);
    return NULL;
}
