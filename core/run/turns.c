#include "core/run/turns.h"

enum rc turns_init(struct turns *t)
{
    if (pthread_mutex_init(&t->lock, NULL))
        return RC_NOMEM;
    if (pthread_cond_init(&t->passed, NULL)) {
        pthread_mutex_destroy(&t->lock);
        return RC_NOMEM;
    }
    t->is_made = true;
    return RC_OK;
}

void turns_free(struct turns *t)
{
    if (!t->is_made)
        return;
    pthread_cond_destroy(&t->passed);
    pthread_mutex_destroy(&t->lock);
    t->is_made = false;
}

void turns_wait(struct turns *t, unsigned turn)
{
    pthread_mutex_lock(&t->lock);
    while (t->next != turn)
        pthread_cond_wait(&t->passed, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

void turns_pass(struct turns *t)
{
    pthread_mutex_lock(&t->lock);
    t->next++;
    pthread_cond_broadcast(&t->passed);
    pthread_mutex_unlock(&t->lock);
}
