/* One multipart upload: an object that appears when it is completed. A part goes out while the next one is
 * filled: upload_put() waits for the part before, upload_begin_completion() for nothing; all other functions that
 * ask the server wait for its answer. Texts begin with the object's URL. One thread at a time, but for
 * upload_settle(). Private to core/object. */
#ifndef LEADPIPE_UPLOAD_H
#define LEADPIPE_UPLOAD_H

#include "core/base/random_hex.h"
#include "core/object/object_store.h"

#define UPLOAD_PART_BYTES ((size_t)8 << 20) /* of all parts but the last */
#define UPLOAD_PARTS_MAX 10000
#define UPLOAD_TOKEN_CHARS RANDOM_HEX_CHARS

struct upload;

/* What there is to know of an upload to resume it. Its texts are visible ASCII of letters, digits and
 * "-._~%". */
struct upload_name {
    char token[UPLOAD_TOKEN_CHARS + 1]; /* of ours; the object's metadata have it */
    struct str id;                      /* the server's, percent-encoded */
};

/* Begins one. */
enum rc upload_begin(struct upload **out, struct object_store *s, const char *url, struct err *e);
/* Goes on with one. Nothing is asked of the server: whether it is there shows with the next part, or with
 * upload_verify(). RC_SYNTAX: the name is none. */
enum rc upload_resume(struct upload **out, struct object_store *s, const char *url,
                      const struct upload_name *name, unsigned parts, struct err *e);
void upload_free(struct upload *u); /* leaves it at the server; `u` may be NULL */

struct upload_name upload_name(const struct upload *u);
unsigned upload_parts(const struct upload *u); /* that were put, the one under way included */

/* Memory for the next part, if some is left of one that was sent: empty, and the caller's. */
struct buf upload_part_memory(struct upload *u);
/* Sends the next part, which it takes over, as soon as the one before has arrived. RC_LIMIT: there would be
 * too many. */
enum rc upload_put(struct upload *u, struct buf *part, struct err *e);
/* All parts have arrived. Any thread, also while another one puts. Errors stick. */
enum rc upload_settle(struct upload *u, struct err *e);

/* Asks the server whether it has the parts, with `bytes` in all. RC_END: the upload is not there; the
 * object may be, see upload_is_published(). RC_IO: they differ. */
enum rc upload_verify(struct upload *u, uint64_t bytes, struct err *e);
/* Begins upload_complete(), which does what cannot be begun, and says what goes wrong. */
void upload_begin_completion(struct upload *u);
/* After upload_verify(): the object is there, with its content. Recognises that it is already. */
enum rc upload_complete(struct upload *u, struct err *e);
/* No upload is left at the server: its parts are gone, or a completion that was begun has succeeded, and the object is
 * visible. RC_OK also where they were gone before. */
enum rc upload_abort(struct upload *u, struct err *e);

/* Is the object that is there the one of this upload? RC_END: it is not. */
enum rc upload_is_published(struct upload *u, struct err *e);

/* Aborts all uploads of the very same key that are not under way in this run. */
enum rc upload_clear(struct object_store *s, const char *url, struct err *e);

#endif
