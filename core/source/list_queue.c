#include "core/source/list_queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct list_entry {
    struct list_entry *next;
    struct list_part part; /* its pack points to `bytes` */
    char bytes[];
};

struct list_queue {
    size_t n_params;
    struct source_wait wait;
    struct buf adding; /* belongs to the lister's thread: leads not yet handed over */
    uint64_t n_adding;
    atomic_size_t ahead;

    pthread_mutex_t lock; /* protects what follows */
    pthread_cond_t changed;
    struct list_entry *first, **last;
    bool has_ended;
    enum rc rc;
    struct err err;
};

enum rc list_queue_new(struct list_queue **out, size_t n_params, const struct source_wait *wait,
                       struct err *e)
{
    struct list_queue *q = calloc(1, sizeof *q);
    if (!q)
        return err_nomem(e);
    q->n_params = n_params;
    q->wait = *wait;
    q->last = &q->first;
    buf_init(&q->adding, LIST_PACK_BYTES_MAX);
    if (pthread_mutex_init(&q->lock, NULL) != 0) {
        free(q);
        return err_nomem(e);
    }
    if (pthread_cond_init(&q->changed, NULL) != 0) {
        (void)pthread_mutex_destroy(&q->lock);
        free(q);
        return err_nomem(e);
    }
    *out = q;
    return RC_OK;
}

void list_queue_free(struct list_queue *q)
{
    if (!q)
        return;
    while (q->first) {
        struct list_entry *next = q->first->next;
        free(q->first);
        q->first = next;
    }
    buf_free(&q->adding);
    (void)pthread_cond_destroy(&q->changed);
    (void)pthread_mutex_destroy(&q->lock);
    free(q);
}

/* ---- the intake's thread --------------------------------------------------------------------- */

static bool is_idle(struct list_queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool idle = !q->first && !q->has_ended;
    pthread_mutex_unlock(&q->lock);
    return idle;
}

/* Waits for the first entry; NULL: the list has ended, and *rc says how. */
static struct list_entry *take_entry(struct list_queue *q, enum rc *rc, struct err *e)
{
    if (q->wait.before && is_idle(q))
        q->wait.before(q->wait.ctx);
    pthread_mutex_lock(&q->lock);
    while (!q->first && !q->has_ended)
        (void)pthread_cond_wait(&q->changed, &q->lock);
    struct list_entry *entry = q->rc == RC_STOPPED ? NULL : q->first;
    if (entry) {
        q->first = entry->next;
        if (!q->first)
            q->last = &q->first;
    } else {
        *rc = q->rc;
        if (e)
            *e = q->err;
    }
    pthread_mutex_unlock(&q->lock);
    return entry;
}

enum rc list_queue_take(struct list_queue *q, struct list_part *out, struct buf *pack,
                        struct err *e)
{
    enum rc rc = RC_END;
    struct list_entry *entry = take_entry(q, &rc, e);
    if (!entry)
        return rc;
    buf_clear(pack);
    buf_add_str(pack, entry->part.pack);
    *out = entry->part;
    out->pack = buf_str(pack);
    free(entry);
    return buf_rc(pack) == RC_OK ? RC_OK : err_nomem(e);
}

void list_queue_count(struct list_queue *q)
{
    atomic_fetch_sub_explicit(&q->ahead, 1, memory_order_relaxed);
}

/* ---- the lister's thread --------------------------------------------------------------------- */

enum rc list_queue_add(struct list_queue *q, struct str id, const struct str *params, bool *is_full,
                       struct err *e)
{
    list_pack_add(&q->adding, id, params, q->n_params);
    q->n_adding++;
    *is_full = q->adding.len >= LIST_PACK_BYTES_FULL;
    enum rc rc = buf_rc(&q->adding);
    return rc == RC_OK ? RC_OK : err_set(e, rc, "the leads of a page: %s", rc_text(rc));
}

enum rc list_queue_put(struct list_queue *q, const struct list_part *part, struct err *e)
{
    if (!q->n_adding && part->end == LIST_PART_GOES_ON)
        return RC_OK;
    struct list_entry *entry = malloc(sizeof *entry + q->adding.len);
    if (!entry)
        return err_nomem(e);
    entry->next = NULL;
    entry->part = *part;
    entry->part.n = q->n_adding;
    entry->part.pack = (struct str){entry->bytes, q->adding.len};
    if (q->adding.len)
        memcpy(entry->bytes, q->adding.data, q->adding.len);
    buf_clear(&q->adding);
    q->n_adding = 0;
    atomic_fetch_add_explicit(&q->ahead, (size_t)entry->part.n, memory_order_relaxed);
    pthread_mutex_lock(&q->lock);
    *q->last = entry;
    q->last = &entry->next;
    (void)pthread_cond_signal(&q->changed);
    pthread_mutex_unlock(&q->lock);
    return RC_OK;
}

void list_queue_end(struct list_queue *q, enum rc rc, const struct err *e)
{
    pthread_mutex_lock(&q->lock);
    if (!q->has_ended) {
        q->has_ended = true;
        q->rc = rc;
        (void)err_set(&q->err, rc, "%s", e ? e->msg : rc_text(rc));
    }
    (void)pthread_cond_signal(&q->changed);
    pthread_mutex_unlock(&q->lock);
}

size_t list_queue_ahead(struct list_queue *q)
{
    return atomic_load_explicit(&q->ahead, memory_order_relaxed);
}
