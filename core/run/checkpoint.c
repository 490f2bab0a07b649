#include "core/run/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/checked.h"
#include "core/base/grow.h"

#define TOTALS_BYTES_MAX ((size_t)64 << 10)
#define MARK_BYTES_MAX ((size_t)1 << 30)

enum checkpoint_state { IDLE, BARRIER, SYNCING, BROKEN };

struct checkpoint {
    struct checkpoint_cfg cfg;
    struct control_thread thread;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* one of the following */
    enum checkpoint_state state;
    size_t missing; /* sinks that have not come to the barrier */
    bool over;      /* no further checkpoint will begin */

    /* Of the sequencer's thread before it begins one, then of the checkpoint's until it is done. */
    struct state_checkpoint now;
    uint64_t *gaps;
    size_t cap_gaps;
    struct state_column *columns;
    size_t cap_columns;
    struct buf totals;
    struct str *marks_text;

    struct buf *marks; /* each of its sink's thread, then as above */

    /* of the sequencer's thread */
    int64_t last_us;
    uint64_t last_noted;
    size_t *columns_saved; /* of each table */
};

/* ---- making --------------------------------------------------------------------------------- */

void checkpoint_free(struct checkpoint *c)
{
    if (!c)
        return;
    for (size_t i = 0; c->marks && i < c->cfg.n_sinks; i++)
        buf_free(&c->marks[i]);
    buf_free(&c->totals);
    free(c->marks);
    free(c->marks_text);
    free(c->gaps);
    free(c->columns);
    free(c->columns_saved);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

enum rc checkpoint_new(struct checkpoint **out, const struct checkpoint_cfg *cfg)
{
    struct checkpoint *c = calloc(1, sizeof *c);
    if (!c)
        return RC_NOMEM;
    if (pthread_mutex_init(&c->lock, NULL)) {
        free(c);
        return RC_NOMEM;
    }
    if (pthread_cond_init(&c->changed, NULL)) {
        pthread_mutex_destroy(&c->lock);
        free(c);
        return RC_NOMEM;
    }
    c->cfg = *cfg;
    c->columns_saved = calloc(cfg->n_tables + 1, sizeof *c->columns_saved);
    c->marks = calloc(cfg->n_sinks + 1, sizeof *c->marks);
    c->marks_text = calloc(cfg->n_sinks + 1, sizeof *c->marks_text);
    if (!c->columns_saved || !c->marks || !c->marks_text) {
        checkpoint_free(c);
        return RC_NOMEM;
    }
    c->last_us = clock_mono_us(cfg->control->clock);
    buf_init(&c->totals, TOTALS_BYTES_MAX);
    for (size_t i = 0; i < cfg->n_sinks; i++)
        buf_init(&c->marks[i], MARK_BYTES_MAX);
    for (size_t i = 0; i < cfg->n_tables; i++)
        c->columns_saved[i] = schema_columns(cfg->schema, i);
    c->last_noted = progress_done(cfg->progress);
    *out = c;
    return RC_OK;
}

/* ---- beginning: the sequencer's thread -------------------------------------------------------- */

static enum rc note_gaps(struct checkpoint *c)
{
    const struct progress *t = c->cfg.progress;
    if (t->n_gaps > c->cap_gaps) {
        size_t bytes = 0;
        uint64_t *gaps = size_mul(t->n_gaps, sizeof *gaps, &bytes) ? realloc(c->gaps, bytes) : NULL;
        if (!gaps)
            return RC_NOMEM;
        c->gaps = gaps;
        c->cap_gaps = t->n_gaps;
    }
    if (t->n_gaps)
        memcpy(c->gaps, t->gaps, t->n_gaps * sizeof *t->gaps);
    c->now.gaps = c->gaps;
    c->now.n_gaps = t->n_gaps;
    return RC_OK;
}

static enum rc note_column(struct checkpoint *c, size_t table, const struct column *column)
{
    struct state_column *columns =
        list_grow(c->columns, c->now.n_columns, &c->cap_columns, sizeof *columns);
    if (!columns)
        return RC_NOMEM;
    c->columns = columns;
    const struct column_origin *s = &column->origin;
    c->columns[c->now.n_columns++] =
        (struct state_column){(uint32_t)table, s->scope, s->occurrence, s->key, s->member};
    return RC_OK;
}

/* Those since the last checkpoint. Their texts stay as long as the schema. */
static enum rc note_columns(struct checkpoint *c)
{
    const struct schema *schema = c->cfg.schema;
    enum rc rc = RC_OK;
    c->now.n_columns = 0;
    for (size_t i = 0; i < c->cfg.n_tables; i++) {
        size_t n = schema_columns(schema, i);
        for (size_t k = c->columns_saved[i]; rc == RC_OK && k < n; k++)
            rc = note_column(c, i, schema_column(schema, i, k));
        c->columns_saved[i] = n;
    }
    c->now.columns = c->columns;
    return rc;
}

static enum rc note_all(struct checkpoint *c)
{
    c->now.progress = c->cfg.progress->sums;
    buf_clear(&c->totals);
    c->cfg.note(c->cfg.ctx, &c->now.progress, &c->totals);
    c->now.totals = buf_str(&c->totals);
    c->now.marks = c->marks_text;
    c->now.n_marks = c->cfg.n_sinks;
    enum rc rc = note_gaps(c);
    if (rc == RC_OK)
        rc = note_columns(c);
    return rc == RC_OK ? buf_rc(&c->totals) : rc;
}

void checkpoint_break_off(struct checkpoint *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->state = BROKEN;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void begin(struct checkpoint *c)
{
    if (note_all(c) != RC_OK) {
        control_fail_nomem(c->cfg.control);
        checkpoint_break_off(c);
        return;
    }
    c->last_us = clock_mono_us(c->cfg.control->clock);
    c->last_noted = progress_done(c->cfg.progress);
    pthread_mutex_lock(&c->lock);
    bool is_idle = c->state == IDLE;
    if (is_idle)
        c->state = BARRIER;
    c->missing = c->cfg.n_sinks;
    pthread_mutex_unlock(&c->lock);
    if (is_idle) /* if not, a sink has just failed */
        c->cfg.barrier(c->cfg.ctx);
}

static bool is_in(struct checkpoint *c, enum checkpoint_state state)
{
    pthread_mutex_lock(&c->lock);
    bool is = c->state == state;
    pthread_mutex_unlock(&c->lock);
    return is;
}

void checkpoint_consider(struct checkpoint *c)
{
    uint64_t more = progress_done(c->cfg.progress) - c->last_noted;
    int64_t waited_us = clock_mono_us(c->cfg.control->clock) - c->last_us;
    bool is_time = more >= CHECKPOINT_LEADS || waited_us >= CHECKPOINT_MS * 1000 ||
                   (c->cfg.is_awaited && c->cfg.is_awaited(c->cfg.ctx));
    if (is_time && is_in(c, IDLE) && (more || (c->cfg.has_more && c->cfg.has_more(c->cfg.ctx))))
        begin(c);
}

void checkpoint_end(struct checkpoint *c, bool last_one)
{
    pthread_mutex_lock(&c->lock);
    while (last_one && (c->state == BARRIER || c->state == SYNCING))
        pthread_cond_wait(&c->changed, &c->lock);
    pthread_mutex_unlock(&c->lock);
    if (last_one && is_in(c, IDLE))
        begin(c);
    pthread_mutex_lock(&c->lock);
    c->over = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* ---- marks: the sinks' threads --------------------------------------------------------------- */

void checkpoint_mark(struct checkpoint *c, size_t sink, struct str mark)
{
    struct buf *text = &c->marks[sink];
    bool made = mark.ptr != NULL;
    buf_clear(text);
    if (made)
        buf_add_str(text, mark);
    if (made && buf_rc(text) != RC_OK) {
        control_fail_nomem(c->cfg.control);
        made = false;
    }
    pthread_mutex_lock(&c->lock);
    if (!made)
        c->state = BROKEN;
    c->missing--;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* ---- committing: the checkpoint's own thread -------------------------------------------------- */

static void commit(struct checkpoint *c)
{
    const struct checkpoint_cfg *cfg = &c->cfg;
    struct err e;
    for (size_t i = 0; i < cfg->n_sinks; i++) {
        c->marks_text[i] = buf_str(&c->marks[i]);
        if (!c->marks_text[i].ptr)
            c->marks_text[i] = STR("");
    }
    enum rc rc = cfg->sync(cfg->ctx, &e);
    if (rc == RC_OK && is_in(c, BROKEN)) /* a sink failed after its mark, and has reported it */
        return;
    if (rc == RC_OK)
        rc = cfg->commit(cfg->ctx, &c->now, &e);
    if (rc != RC_OK) {
        checkpoint_break_off(c);
        control_fail(cfg->control, &e);
    }
}

static bool is_due(const struct checkpoint *c)
{
    return c->state == BARRIER && c->missing == 0;
}

static bool has_ended(const struct checkpoint *c)
{
    return c->over && (c->state == IDLE || c->state == BROKEN);
}

static void *checkpoint_main(void *checkpoint)
{
    struct checkpoint *c = checkpoint;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        while (!is_due(c) && !has_ended(c))
            pthread_cond_wait(&c->changed, &c->lock);
        if (!is_due(c))
            break;
        c->state = SYNCING;
        pthread_mutex_unlock(&c->lock);
        commit(c);
        pthread_mutex_lock(&c->lock);
        if (c->state == SYNCING)
            c->state = IDLE;
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->lock);
    control_thread_ended(c->cfg.control);
    return NULL;
}

enum rc checkpoint_start(struct checkpoint *c)
{
    return control_start_thread(c->cfg.control, &c->thread, checkpoint_main, c);
}

void checkpoint_join(struct checkpoint *c)
{
    if (c)
        control_join_thread(&c->thread);
}
