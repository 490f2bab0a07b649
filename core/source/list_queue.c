#include "core/source/list_queue.h"

#include <pthread.h>
#include <stdlib.h>

/* One lead: its texts follow the array, each with a NUL behind it. */
struct list_entry {
    struct list_entry *next;
    struct str id;
    struct str params[];
};

struct list_queue {
    struct id_source source; /* the first member */
    size_t n_params;
    struct source_wait wait;
    struct list_entry *page, **page_last; /* of the lister's thread: the page at hand */
    size_t n_page;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    struct list_entry *first, **last;
    size_t n;
    bool has_ended;
    enum rc rc;
    struct err err;
};

static void free_entries(struct list_entry *first)
{
    while (first) {
        struct list_entry *next = first->next;
        free(first);
        first = next;
    }
}

/* ---- the intake's thread --------------------------------------------------------------------- */

static bool is_idle(struct list_queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool idle = !q->first && !q->has_ended;
    pthread_mutex_unlock(&q->lock);
    return idle;
}

/* The first lead that waits; NULL: the list has ended, and *rc says how. */
static struct list_entry *take(struct list_queue *q, enum rc *rc, struct err *e)
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
        q->n--;
    } else {
        *rc = q->rc;
        if (e)
            *e = q->err;
    }
    pthread_mutex_unlock(&q->lock);
    return entry;
}

static bool copy_text(struct arena *a, struct str text, struct str *out)
{
    const char *copy = text.ptr ? arena_strdup(a, text) : NULL;
    *out = (struct str){copy, text.len};
    return copy || !text.ptr;
}

static enum rc next(struct id_source *s, struct arena *a, struct id_item *out, struct err *e)
{
    struct list_queue *q = (struct list_queue *)s;
    enum rc rc = RC_END;
    struct list_entry *entry = take(q, &rc, e);
    if (!entry)
        return rc;
    struct id_item item = {.line = 0};
    bool is_copied = copy_text(a, entry->id, &item.id);
    if (q->n_params) {
        item.params = arena_array(a, q->n_params, sizeof *item.params);
        is_copied &= item.params != NULL;
    }
    for (size_t i = 0; is_copied && i < q->n_params; i++)
        is_copied = copy_text(a, entry->params[i], &item.params[i]);
    free(entry);
    if (!is_copied)
        return err_nomem(e);
    *out = item;
    return RC_OK;
}

static void close_queue(struct id_source *s)
{
    struct list_queue *q = (struct list_queue *)s;
    free_entries(q->page);
    free_entries(q->first);
    (void)pthread_cond_destroy(&q->changed);
    (void)pthread_mutex_destroy(&q->lock);
    free(q);
}

static const struct id_source_ops list_queue_ops = {.next = next, .close = close_queue};

/* ---- the lister's thread --------------------------------------------------------------------- */

enum rc list_queue_new(struct list_queue **out, size_t n_params, const struct source_wait *wait,
                       struct err *e)
{
    struct list_queue *q = calloc(1, sizeof *q);
    if (!q)
        return err_nomem(e);
    q->source.ops = &list_queue_ops;
    q->n_params = n_params;
    q->wait = *wait;
    q->page_last = &q->page;
    q->last = &q->first;
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

struct id_source *list_queue_source(struct list_queue *q)
{
    return &q->source;
}

static struct str put_text(char **at, struct str text)
{
    if (!text.ptr)
        return STR_NONE;
    struct str copy = {*at, text.len};
    memcpy(*at, text.ptr, text.len);
    (*at)[text.len] = '\0';
    *at += text.len + 1;
    return copy;
}

enum rc list_queue_put(struct list_queue *q, struct str id, const struct str *params, struct err *e)
{
    size_t bytes = id.len + 1;
    for (size_t i = 0; i < q->n_params; i++)
        bytes += params[i].len + 1;
    struct list_entry *entry = malloc(sizeof *entry + q->n_params * sizeof *params + bytes);
    if (!entry)
        return err_nomem(e);
    char *at = (char *)(entry->params + q->n_params);
    entry->next = NULL;
    entry->id = put_text(&at, id);
    for (size_t i = 0; i < q->n_params; i++)
        entry->params[i] = put_text(&at, params[i]);
    *q->page_last = entry;
    q->page_last = &entry->next;
    q->n_page++;
    return RC_OK;
}

void list_queue_flush(struct list_queue *q)
{
    if (!q->page)
        return;
    pthread_mutex_lock(&q->lock);
    *q->last = q->page;
    q->last = q->page_last;
    q->n += q->n_page;
    (void)pthread_cond_signal(&q->changed);
    pthread_mutex_unlock(&q->lock);
    q->page = NULL;
    q->page_last = &q->page;
    q->n_page = 0;
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
    pthread_mutex_lock(&q->lock);
    size_t n = q->n;
    pthread_mutex_unlock(&q->lock);
    return n;
}
