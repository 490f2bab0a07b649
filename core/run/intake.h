/* IDs in: reads them on a thread of its own, as reading a pipe may block, and hands them to the loop as
 * leads. Private to core/run.
 *
 * Each unique ID and each line that is none becomes one lead, with the next sequence number. Of a run that is
 * resumed those that were done are skipped, and the others wait until it is known that the IDs are the
 * same (resume_ids.h). */
#ifndef LEADPIPE_INTAKE_H
#define LEADPIPE_INTAKE_H

#include <openssl/types.h>

#include "core/run/control.h"
#include "core/run/queue.h"
#include "core/run/resume_ids.h"
#include "core/source/id_seen.h"
#include "core/source/shard.h"

#define INTAKE_BATCH 64  /* leads that are handed to the loop at once */
#define INTAKE_AHEAD 512 /* IDs read ahead */

/* The loop hears of a batch of IDs when all of it is in the queue. */
_Static_assert(INTAKE_BATCH <= INTAKE_AHEAD, "a batch that does not fit is never announced");

struct list_source;

struct intake {
    /* Of the run, all constant. */
    struct control *control;
    size_t n_params;         /* of the profile */
    const char *failed_path; /* for messages; NULL: there is no such list */
    struct shard shard;
    bool has_expect; /* the unique IDs of the whole list are counted, also those of other shards */

    struct resume_ids resume;
    struct id_source *source;   /* set once it is open; owned, as the next but one */
    struct list_source *listed; /* the same, where it is a list of leads; else NULL */
    struct id_source *shared;   /* the same, where it is a queue; else NULL */
    struct id_seen *seen;
    EVP_MD_CTX *list_sha256; /* of a shard; NULL: it is none */
    struct queue *queue;     /* to the loop */
    int cancel_pipe[2];      /* ends a read that blocks */
    struct control_thread thread;

    /* of its thread */
    struct ids_counts counts;
    struct lead *read[INTAKE_BATCH]; /* not yet handed to the loop */
    size_t n_read;
    uint64_t n_items; /* that the source has returned */
    uint64_t next_seq;
    uint64_t bad_lines; /* that this run has read */

    /* of the loop */
    struct lead *taken[INTAKE_BATCH];
    size_t n_taken, next_taken;

    /* any thread */
    atomic_bool has_ended;    /* every ID was read */
    atomic_bool are_verified; /* those that were done before are the same */
    atomic_uint_least64_t n_ids, n_unique;
};

/* The constant members are set. RC_IO, RC_NOMEM. */
enum rc intake_open(struct intake *in, struct err *e);
/* Once it is open: what a source must be opened with. */
struct source_wait intake_wait(struct intake *in);
/* With the leads that were never taken. Also of one that is zero, or could not be opened. */
void intake_free(struct intake *in);

/* Starts its thread. RC_NOMEM: none could be started. */
enum rc intake_start(struct intake *in);
void intake_join(struct intake *in);

/* ---- the loop's thread ---- */

/* The next lead; NULL: there is none now. One whose outcome is FAILED is a line that is no ID. */
struct lead *intake_take(struct intake *in);
/* Every ID was read, and taken. */
bool intake_is_empty(struct intake *in);
/* No more is read; a read that blocks ends. */
void intake_cancel(struct intake *in);

/* ---- */

/* So far; any thread. */
struct ids_counts intake_progress(const struct intake *in);
/* All of them, once its thread has ended. */
struct ids_counts intake_counts(const struct intake *in);

#define INTAKE_DIGEST_CHARS 64

/* Of a shard, once its thread has ended and every ID was read: the SHA-256 of the keys of all IDs and bad lines, in
 * order, those of other shards included, in hexadecimal; so shards of the same list have the same. Else "". Once. */
void intake_list_digest(struct intake *in, char out[INTAKE_DIGEST_CHARS + 1]);

#endif
