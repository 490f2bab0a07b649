/* Reads IDs, on a thread of its own because reading a pipe may block, and hands them to the loop as leads.
 * Private to core/run.
 *
 * Each unique ID and each bad line becomes one lead, with the next sequence number. In a resumed run, leads
 * that were done are skipped, and the others wait until it is known that the IDs are the same as before
 * (resume_ids.h). */
#ifndef LEADPIPE_INTAKE_H
#define LEADPIPE_INTAKE_H

#include <openssl/types.h>

#include "core/run/control.h"
#include "core/run/queue.h"
#include "core/run/resume_ids.h"
#include "core/run/run_place.h"
#include "core/source/id_seen.h"
#include "core/source/shard.h"

#define INTAKE_BATCH 64  /* maximum leads that are handed to the loop at once */
#define INTAKE_AHEAD 512 /* maximum IDs that are read ahead */
#define INTAKE_DIGEST_CHARS 64

/* The loop is notified of a batch of IDs when all of it is in the queue. */
_Static_assert(INTAKE_BATCH <= INTAKE_AHEAD, "a batch that does not fit is never announced");

struct list_source;

struct intake {
    /* Of the run, all constant. */
    struct control *control;
    size_t n_params;         /* of the profile */
    const char *failed_path; /* for messages; NULL: no list of failed leads */
    struct shard shard;
    bool has_no_end; /* an ID that comes again is requested again, so none is remembered */
    bool warns;      /* about each bad line: it is in no list, and in no topic of failed leads */
    bool has_expect; /* count the unique IDs of the whole list, those of other shards included */

    struct resume_ids resume;
    struct id_source *source;    /* set once it is open; owned, as the next but one */
    struct list_source *listed;  /* the same, where it is a list of leads; else NULL */
    struct id_source *shared;    /* the same, where it is a queue; else NULL */
    enum source_commits commits; /* of the queue */
    struct run_place place;      /* with SOURCE_COMMITS_BY_SINK */
    struct id_seen *seen;
    EVP_MD_CTX *list_sha256;                   /* of a shard; NULL: it is none */
    char list_digest[INTAKE_DIGEST_CHARS + 1]; /* once every ID was read; "": none */
    struct queue *queue;                       /* to the loop */
    int cancel_pipe[2];                        /* to end a read that blocks */
    struct control_thread thread;

    /* of its thread */
    struct ids_counts counts;
    struct lead *read[INTAKE_BATCH]; /* not yet handed to the loop */
    size_t n_read;
    uint64_t n_items; /* that the source has returned */
    uint64_t next_seq;
    uint64_t bad_lines; /* read by this process */

    /* of the loop */
    struct lead *taken[INTAKE_BATCH];
    size_t n_taken, next_taken;

    /* any thread */
    atomic_bool has_ended;    /* every ID was read */
    atomic_bool are_verified; /* resumed run: the IDs that were done are known to be the same */
    atomic_uint_least64_t n_ids, n_unique;
};

/* The caller has set the constant members. RC_IO, RC_NOMEM. */
enum rc intake_open(struct intake *in, struct err *e);
/* After intake_open(): the `wait` to open a source with. */
struct source_wait intake_wait(struct intake *in);
/* Also frees leads that were never taken. `in` may be all zero, or half open after a failure. */
void intake_free(struct intake *in);

/* Starts its thread. RC_NOMEM: none could be started. */
enum rc intake_start(struct intake *in);
void intake_join(struct intake *in);

/* ---- the loop's thread ---- */

/* The next lead, which the caller then owns; NULL: none now. A lead whose outcome is FAILED is a bad line. */
struct lead *intake_take(struct intake *in);
/* Has every ID been read and taken? */
bool intake_is_empty(struct intake *in);
/* Stops reading; ends a read that blocks. */
void intake_cancel(struct intake *in);

/* ---- */

/* The counts so far. Any thread. */
struct ids_counts intake_progress(const struct intake *in);
/* The final counts, once its thread has ended. */
struct ids_counts intake_counts(const struct intake *in);

/* For a shard, once every ID was read: the SHA-256, in hexadecimal, of the keys of all IDs and bad lines in order, those of
 * other shards included. So it is the same for all shards of a list. Otherwise "". Any thread. */
const char *intake_list_digest(const struct intake *in);
/* Once every ID was read: there was none, not even a bad line. */
bool intake_list_is_empty(const struct intake *in);

#endif
