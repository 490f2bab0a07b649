#include "merge/lead_feed.h"

#include <stdlib.h>

#include "core/base/thread.h"
#include "merge/lead_order.h"

#define BLOCKS 4
#define BLOCK_LEADS 1024

struct block {
    size_t n;
    uint64_t places[BLOCK_LEADS];
    uint32_t shards[BLOCK_LEADS];
    bool has_rows[BLOCK_LEADS];
    uint32_t *rows; /* [lead * n_tables + table] */
};

struct lead_feed {
    const struct shard_set *set;
    size_t n_tables;
    pthread_t thread;
    bool is_running;
    struct block blocks[BLOCKS];
    uint64_t taken; /* blocks that the caller has done; its own */
    size_t next;    /* in the block at hand; its own */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under the lock: */
    uint64_t n_filled, n_free; /* blocks so far */
    bool stops, ended;
    struct err err; /* why it ended; RC_END: all were read */
};

/* ---- the thread ------------------------------------------------------------------------------ */

/* NULL: the caller wants no more. */
static struct block *wait_for_room(struct lead_feed *f)
{
    pthread_mutex_lock(&f->lock);
    while (f->n_filled == f->n_free && !f->stops)
        pthread_cond_wait(&f->changed, &f->lock);
    struct block *b = f->stops ? NULL : &f->blocks[f->n_filled % BLOCKS];
    pthread_mutex_unlock(&f->lock);
    return b;
}

static void hand_over(struct lead_feed *f)
{
    pthread_mutex_lock(&f->lock);
    f->n_filled++;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static enum rc fill(const struct lead_feed *f, struct block *b, struct lead_order *o, struct err *e)
{
    enum rc rc = RC_OK;
    size_t shard = 0;
    b->n = 0;
    while (b->n < BLOCK_LEADS && (rc = lead_order_next(o, &shard, e)) == RC_OK) {
        const struct shard_rows *r = &o->rows[shard];
        b->places[b->n] = r->place;
        b->shards[b->n] = (uint32_t)shard;
        b->has_rows[b->n] = r->lead.n_tables > 0;
        if (r->lead.n_tables)
            memcpy(b->rows + b->n * f->n_tables, r->rows, f->n_tables * sizeof *b->rows);
        b->n++;
    }
    return rc;
}

static void *feed_main(void *arg)
{
    struct lead_feed *f = arg;
    struct lead_order o;
    struct err e;
    struct block *b = NULL;
    enum rc rc = lead_order_open(&o, f->set, false, &e);
    while (rc == RC_OK && (b = wait_for_room(f))) {
        rc = fill(f, b, &o, &e);
        hand_over(f);
    }
    lead_order_close(&o);
    pthread_mutex_lock(&f->lock);
    if (rc == RC_OK || rc == RC_END)
        f->err.rc = RC_END;
    else
        f->err = e;
    f->ended = true;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

/* ---- the caller ------------------------------------------------------------------------------ */

static enum rc make_blocks(struct lead_feed *f)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        f->blocks[i].rows = calloc(BLOCK_LEADS * f->n_tables, sizeof *f->blocks[i].rows);
        if (!f->blocks[i].rows)
            return RC_NOMEM;
    }
    return RC_OK;
}

enum rc lead_feed_open(struct lead_feed **out, const struct shard_set *set, struct err *e)
{
    struct lead_feed *f = calloc(1, sizeof *f);
    if (!f)
        return err_nomem(e);
    f->set = set;
    f->n_tables = set->profile->n_tables;
    f->n_free = BLOCKS;
    if (pthread_mutex_init(&f->lock, NULL) != 0) { /* only on systems where it needs memory */
        free(f);
        return err_nomem(e);
    }
    if (pthread_cond_init(&f->changed, NULL) != 0) {
        pthread_mutex_destroy(&f->lock);
        free(f);
        return err_nomem(e);
    }
    f->is_running = make_blocks(f) == RC_OK && thread_start(&f->thread, feed_main, f) == 0;
    if (!f->is_running) {
        lead_feed_close(f);
        return err_nomem(e);
    }
    *out = f;
    return RC_OK;
}

void lead_feed_close(struct lead_feed *f)
{
    if (!f)
        return;
    if (f->is_running) {
        pthread_mutex_lock(&f->lock);
        f->stops = true;
        pthread_cond_signal(&f->changed);
        pthread_mutex_unlock(&f->lock);
        pthread_join(f->thread, NULL);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        free(f->blocks[i].rows);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

/* The block that comes next, once the thread has filled it. */
static enum rc wait_for_leads(struct lead_feed *f, struct err *e)
{
    pthread_mutex_lock(&f->lock);
    while (f->n_filled == f->taken && !f->ended)
        pthread_cond_wait(&f->changed, &f->lock);
    enum rc rc = RC_OK;
    if (f->n_filled == f->taken) {
        *e = f->err;
        rc = f->err.rc;
    }
    pthread_mutex_unlock(&f->lock);
    return rc;
}

static void give_back(struct lead_feed *f)
{
    f->taken++;
    f->next = 0;
    pthread_mutex_lock(&f->lock);
    f->n_free++;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

enum rc lead_feed_next(struct lead_feed *f, struct merge_lead *out, struct err *e)
{
    const struct block *b = &f->blocks[f->taken % BLOCKS];
    while (f->next == 0 || f->next == b->n) {
        if (f->next > 0)
            give_back(f);
        b = &f->blocks[f->taken % BLOCKS];
        enum rc rc = wait_for_leads(f, e);
        if (rc != RC_OK)
            return rc;
        if (b->n > 0)
            break;
        give_back(f); /* the last one may be empty */
    }
    const size_t i = f->next++;
    *out = (struct merge_lead){.shard = b->shards[i],
                               .at = b->places[i],
                               .rows = b->has_rows[i] ? b->rows + i * f->n_tables : NULL};
    return RC_OK;
}
