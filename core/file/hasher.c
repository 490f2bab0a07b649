#include "core/file/hasher.h"

#include <stdlib.h>

#include "core/base/thread.h"

struct hasher {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t added, done;
    struct hash_job *first, *last; /* under the lock, as all below: those that nobody has begun */
    bool ends;
};

static struct hash_job *take_first(struct hasher *h)
{
    struct hash_job *job = h->first;
    h->first = job->next;
    if (!h->first)
        h->last = NULL;
    return job;
}

static void *hash_main(void *arg)
{
    struct hasher *h = arg;
    pthread_mutex_lock(&h->lock);
    for (;;) {
        while (!h->first && !h->ends)
            pthread_cond_wait(&h->added, &h->lock);
        if (!h->first)
            break;
        struct hash_job *job = take_first(h);
        pthread_mutex_unlock(&h->lock);
        digest_add(job->to, job->p, job->n);
        pthread_mutex_lock(&h->lock);
        atomic_store_explicit(&job->is_due, false, memory_order_release);
        pthread_cond_broadcast(&h->done); /* others may wait for other jobs */
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

static void destroy(struct hasher *h)
{
    pthread_cond_destroy(&h->added);
    pthread_cond_destroy(&h->done);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

enum rc hasher_new(struct hasher **out, struct err *e)
{
    struct hasher *h = calloc(1, sizeof *h);
    if (!h)
        return err_nomem(e);
    int failed = pthread_mutex_init(&h->lock, NULL);
    if (!failed)
        failed = pthread_cond_init(&h->added, NULL) || pthread_cond_init(&h->done, NULL);
    if (failed) { /* only on systems where these need memory */
        free(h);
        return err_nomem(e);
    }
    if (thread_start(&h->thread, hash_main, h) != 0) {
        destroy(h);
        return err_nomem(e);
    }
    *out = h;
    return RC_OK;
}

void hasher_free(struct hasher *h)
{
    if (!h)
        return;
    pthread_mutex_lock(&h->lock);
    h->ends = true;
    pthread_cond_signal(&h->added);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->thread, NULL);
    destroy(h);
}

void hasher_add(struct hasher *h, struct hash_job *job, const void *p, size_t n)
{
    if (!h) {
        digest_add(job->to, p, n);
        return;
    }
    job->p = p;
    job->n = n;
    job->next = NULL;
    atomic_store_explicit(&job->is_due, true, memory_order_relaxed);
    pthread_mutex_lock(&h->lock);
    if (h->last)
        h->last->next = job;
    else
        h->first = job;
    h->last = job;
    pthread_cond_signal(&h->added);
    pthread_mutex_unlock(&h->lock);
}

/* False: it has been begun. */
static bool take_back(struct hasher *h, struct hash_job *job)
{
    struct hash_job *before = NULL;
    struct hash_job *at = h->first;
    for (; at && at != job; at = at->next)
        before = at;
    if (!at)
        return false;
    if (before)
        before->next = job->next;
    else
        h->first = job->next;
    if (h->last == job)
        h->last = before;
    return true;
}

void hasher_wait(struct hasher *h, struct hash_job *job)
{
    if (!h || !atomic_load_explicit(&job->is_due, memory_order_acquire))
        return;
    pthread_mutex_lock(&h->lock);
    bool is_own = take_back(h, job);
    while (!is_own && atomic_load_explicit(&job->is_due, memory_order_relaxed))
        pthread_cond_wait(&h->done, &h->lock);
    pthread_mutex_unlock(&h->lock);
    if (!is_own)
        return;
    digest_add(job->to, job->p, job->n);
    atomic_store_explicit(&job->is_due, false, memory_order_relaxed);
}
