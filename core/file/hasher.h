/* A thread that computes SHA-256 while those who read or write the bytes go on: leadpipe merge reads much and does
 * little with it. */
#ifndef LEADPIPE_HASHER_H
#define LEADPIPE_HASHER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"
#include "core/file/digest.h"

struct hasher;

/* One block at a time of one file; zeroed before it is first used. Each belongs to one thread. */
struct hash_job {
    struct digest *to;
    const void *p;
    size_t n;
    atomic_bool is_due; /* the block is still needed */
    struct hash_job *next;
};

/* RC_NOMEM, also where no thread can be started. */
enum rc hasher_new(struct hasher **out, struct err *e);
void hasher_free(struct hasher *h); /* may be NULL; no job may be due */

/* Adds `n` bytes to job->to. They must stay, and job->to must be left alone, until hasher_wait(). No block of the job
 * may be due. `h` NULL: now, by the caller. */
void hasher_add(struct hasher *h, struct hash_job *job, const void *p, size_t n);
/* The last block has been added; where the thread did not come to it yet, by the caller. `h` as in hasher_add(). */
void hasher_wait(struct hasher *h, struct hash_job *job);

#endif
