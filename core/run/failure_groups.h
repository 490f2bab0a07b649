/* Groups failed leads by reason, with examples, in a fixed amount of memory. Pure; one thread at a time. */
#ifndef LEADPIPE_FAILURE_GROUPS_H
#define LEADPIPE_FAILURE_GROUPS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/str.h"

#define FAILURE_GROUPS_MAX 20
#define FAILURE_EXAMPLES_MAX 10

/* Longer texts are cut off between characters, and end in "...". */
#define FAILURE_WORD_BYTES 128
#define FAILURE_ID_BYTES 256
#define FAILURE_ERROR_BYTES 384

/* One failed lead. Texts may be absent, and may have any bytes but NUL. */
struct failure_seen {
    struct str id; /* in the form that is shown */
    struct str stage, sink, code, error;
    int http_status; /* 0: none */
};

struct failure_example {
    char id[FAILURE_ID_BYTES], error[FAILURE_ERROR_BYTES];
};

/* The failed leads with the same stage, sink, status and code. */
struct failure_group {
    char stage[FAILURE_WORD_BYTES], sink[FAILURE_WORD_BYTES],
        code[FAILURE_WORD_BYTES]; /* "": none */
    int http_status;
    uint64_t n;
    struct failure_example examples[FAILURE_EXAMPLES_MAX]; /* the first */
    size_t n_examples;
};

struct failure_groups {
    struct failure_group groups[FAILURE_GROUPS_MAX]; /* in the order of their first leads */
    size_t n;
    struct failure_group others; /* all leads for which no group was left */
};

/* `g` must be zero before the first call. */
void failure_groups_add(struct failure_groups *g, const struct failure_seen *seen);

/* The groups in descending order of their numbers of leads, without `others`. They point into `g`. */
void failure_groups_sort(const struct failure_groups *g,
                         const struct failure_group *out[FAILURE_GROUPS_MAX]);

#endif
