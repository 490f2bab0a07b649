#include "sinks/push/in_flight.h"

#include <stdlib.h>
#include <string.h>

struct in_flight_request {
    struct in_flight_request *next;
    const void *request;
    size_t n;
    uint64_t hashes[]; /* sorted */
};

enum rc in_flight_open(struct in_flight *f)
{
    *f = (struct in_flight){.is_open = false};
    if (pthread_mutex_init(&f->lock, NULL))
        return RC_NOMEM;
    if (pthread_cond_init(&f->changed, NULL)) {
        pthread_mutex_destroy(&f->lock);
        return RC_NOMEM;
    }
    f->is_open = true;
    return RC_OK;
}

void in_flight_close(struct in_flight *f)
{
    if (!f->is_open)
        return;
    while (f->first) {
        struct in_flight_request *next = f->first->next;
        free(f->first);
        f->first = next;
    }
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    f->is_open = false;
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static bool has_common(const struct in_flight_request *a, const struct in_flight_request *b)
{
    for (size_t i = 0, j = 0; i < a->n && j < b->n;) {
        if (a->hashes[i] == b->hashes[j])
            return true;
        if (a->hashes[i] < b->hashes[j])
            i++;
        else
            j++;
    }
    return false;
}

static bool must_wait(const struct in_flight *f, const struct in_flight_request *r)
{
    for (const struct in_flight_request *other = f->first; other; other = other->next) {
        if (has_common(other, r))
            return true;
    }
    return false;
}

enum rc in_flight_add(struct in_flight *f, const void *request, uint64_t *hashes, size_t n)
{
    if (n == 0)
        return RC_OK;
    struct in_flight_request *r = malloc(sizeof *r + n * sizeof *r->hashes);
    if (!r)
        return RC_NOMEM;
    qsort(hashes, n, sizeof *hashes, compare_hashes);
    r->request = request;
    r->n = n;
    memcpy(r->hashes, hashes, n * sizeof *hashes);
    pthread_mutex_lock(&f->lock);
    while (must_wait(f, r))
        pthread_cond_wait(&f->changed, &f->lock);
    r->next = f->first;
    f->first = r;
    pthread_mutex_unlock(&f->lock);
    return RC_OK;
}

void in_flight_remove(struct in_flight *f, const void *request)
{
    pthread_mutex_lock(&f->lock);
    struct in_flight_request **link = &f->first;
    while (*link && (*link)->request != request)
        link = &(*link)->next;
    struct in_flight_request *found = *link;
    if (found)
        *link = found->next;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    free(found);
}
