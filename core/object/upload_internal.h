/* What the files of upload.h share. Private to upload.c and upload_clear.c. */
#ifndef LEADPIPE_UPLOAD_INTERNAL_H
#define LEADPIPE_UPLOAD_INTERNAL_H

#include <pthread.h>

#include "core/object/upload.h"

#define QUERY_BYTES_MAX ((size_t)16 << 10)
#define PATH_BYTES_MAX ((size_t)8 << 10)
#define LIST_BYTES_MAX ((size_t)2 << 20)
#define PAGES_MAX 1000 /* of a list */

struct upload {
    struct object_store *store;
    struct object_client *client;
    char *url;
    struct buf path;
    struct buf id; /* percent-encoded, with a NUL behind it */
    char token[UPLOAD_TOKEN_CHARS + 1];
    unsigned parts;
    struct buf list;                /* of the parts, as upload_complete() sends it */
    struct object_call *completion; /* begun; NULL: not yet */
    pthread_mutex_t lock;           /* of what follows; held while a part is waited for */
    struct object_call *part;
    struct err failed; /* the first part that could not be sent */
};

/* Of this object, without an ID. RC_USAGE: the URL is none; RC_NOMEM. */
enum rc upload_new(struct upload **out, struct object_store *s, const char *url, struct err *e);

/* Makes a call and waits for it; *out is NULL where it could not be made. The text gets its subject. */
enum rc upload_call_with(struct upload *u, struct object_request *r, struct object_call **out,
                         struct err *e);

/* RC_IO: what the server answered is no XML of S3. */
enum rc upload_bad_answer(const struct upload *u, struct err *e);

#endif
