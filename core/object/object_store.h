/* Object storage as a run uses it: the configuration, and a client for each origin that is written to.
 * One a run; any thread. */
#ifndef LEADPIPE_OBJECT_STORE_H
#define LEADPIPE_OBJECT_STORE_H

#include <stdbool.h>

#include "core/file/places.h"
#include "core/object/object_client.h"
#include "core/object/s3_url.h"

/* Lives as long as the store, as all that is pointed to. */
struct object_store_cfg {
    struct object_http_cfg http;
    const char *endpoint; /* "https://host[:port]" */
    enum s3_addressing addressing;
    const char *spool_dir;        /* of the unfinished files that must be read back */
    const char *spool_dir_source; /* for messages: the option or variable that it comes from */
    /* The run has a state: nobody else writes the same keys, and what an earlier run left unfinished there
     * is aborted. */
    bool owns_keys;
};

struct object_store;

enum rc object_store_new(struct object_store **out, const struct object_store_cfg *cfg,
                         struct err *e);
void object_store_free(struct object_store *s); /* after all files in it were closed; may be NULL */
const struct object_store_cfg *object_store_cfg(const struct object_store *s);

/* Of the bucket's origin; made where there was none. The store's. */
enum rc object_store_client(struct object_store *s, struct str bucket, struct object_client **out,
                            struct err *e);

/* Uploads that are under way in this run, so that they are not taken for ones that were left. RC_NOMEM. */
enum rc object_store_note(struct object_store *s, const char *upload_id);
void object_store_forget(struct object_store *s, const char *upload_id);
bool object_store_has(struct object_store *s, const char *upload_id);

/* "s3://...", for outfile.h; the scheme's `ctx` is the store. */
extern const struct place_ops place_object;

#endif
