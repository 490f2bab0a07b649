#include "core/run/turn.h"

enum rc turn_init(struct turn *t)
{
    if (pthread_mutex_init(&t->lock, NULL))
        return RC_NOMEM;
    if (pthread_cond_init(&t->changed, NULL)) {
        pthread_mutex_destroy(&t->lock);
        return RC_NOMEM;
    }
    t->is_made = true;
    return RC_OK;
}

void turn_free(struct turn *t)
{
    if (!t->is_made)
        return;
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    t->is_made = false;
}

void turn_wait(struct turn *t)
{
    pthread_mutex_lock(&t->lock);
    while (!t->is_over)
        pthread_cond_wait(&t->changed, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

void turn_end(struct turn *t)
{
    pthread_mutex_lock(&t->lock);
    t->is_over = true;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}
