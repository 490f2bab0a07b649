#include "core/object/object_store.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/base/grow.h"

#define ORIGIN_BYTES_MAX 1024

struct object_store {
    const struct object_store_cfg *cfg;
    pthread_mutex_t lock;
    /* all below: under `lock` */
    struct object_client **clients;
    size_t n_clients, cap_clients;
    char **uploads;
    size_t n_uploads, cap_uploads;
};

enum rc object_store_new(struct object_store **out, const struct object_store_cfg *cfg,
                         struct err *e)
{
    struct object_store *s = calloc(1, sizeof *s);
    if (!s || pthread_mutex_init(&s->lock, NULL)) {
        free(s);
        return err_nomem(e);
    }
    s->cfg = cfg;
    *out = s;
    return RC_OK;
}

void object_store_free(struct object_store *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_clients; i++)
        object_client_free(s->clients[i]);
    for (size_t i = 0; i < s->n_uploads; i++)
        free(s->uploads[i]);
    free(s->clients);
    free(s->uploads);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

const struct object_store_cfg *object_store_cfg(const struct object_store *s)
{
    return s->cfg;
}

/* Under the lock. */
static enum rc find_or_make(struct object_store *s, const char *origin, struct object_client **out,
                            struct err *e)
{
    for (size_t i = 0; i < s->n_clients; i++) {
        if (strcmp(object_client_origin(s->clients[i]), origin) == 0) {
            *out = s->clients[i];
            return RC_OK;
        }
    }
    struct object_client **clients =
        list_grow(s->clients, s->n_clients, &s->cap_clients, sizeof(struct object_client *));
    if (!clients)
        return err_nomem(e);
    s->clients = clients;
    enum rc rc = object_client_new(&clients[s->n_clients], &s->cfg->http, origin, e);
    if (rc == RC_OK)
        *out = clients[s->n_clients++];
    return rc;
}

enum rc object_store_client(struct object_store *s, struct str bucket, struct object_client **out,
                            struct err *e)
{
    struct buf origin;
    buf_init(&origin, ORIGIN_BYTES_MAX);
    s3_put_origin(&origin, s->cfg->endpoint, bucket, s->cfg->addressing);
    const char *text = buf_cstr(&origin);
    enum rc rc = buf_rc(&origin);
    if (rc == RC_OK) {
        pthread_mutex_lock(&s->lock);
        rc = find_or_make(s, text, out, e);
        pthread_mutex_unlock(&s->lock);
    } else {
        (void)err_set(e, rc, "%s: %s", s->cfg->endpoint, rc_text(rc));
    }
    buf_free(&origin);
    return rc;
}

/* ---- uploads under way ----------------------------------------------------------------------- */

/* Under the lock. */
static size_t upload_index(const struct object_store *s, const char *upload_id)
{
    size_t i = 0;
    while (i < s->n_uploads && strcmp(s->uploads[i], upload_id) != 0)
        i++;
    return i;
}

enum rc object_store_note(struct object_store *s, const char *upload_id)
{
    char *copy = strdup(upload_id);
    pthread_mutex_lock(&s->lock);
    char **uploads =
        copy ? list_grow(s->uploads, s->n_uploads, &s->cap_uploads, sizeof(char *)) : NULL;
    if (uploads) {
        s->uploads = uploads;
        uploads[s->n_uploads++] = copy;
    }
    pthread_mutex_unlock(&s->lock);
    if (!uploads)
        free(copy);
    return uploads ? RC_OK : RC_NOMEM;
}

void object_store_forget(struct object_store *s, const char *upload_id)
{
    pthread_mutex_lock(&s->lock);
    size_t i = upload_index(s, upload_id);
    if (i < s->n_uploads) {
        free(s->uploads[i]);
        s->uploads[i] = s->uploads[--s->n_uploads];
    }
    pthread_mutex_unlock(&s->lock);
}

bool object_store_has(struct object_store *s, const char *upload_id)
{
    pthread_mutex_lock(&s->lock);
    bool has = upload_index(s, upload_id) < s->n_uploads;
    pthread_mutex_unlock(&s->lock);
    return has;
}
