/* What the delay server answers, made ready for the wire: a lead is one send(). */
#ifndef LEADPIPE_BENCH_DELAY_ANSWERS_H
#define LEADPIPE_BENCH_DELAY_ANSWERS_H

#include <stddef.h>
#include <stdint.h>

struct answer {
    char *data; /* head and body */
    size_t len;
};

struct answers {
    struct answer *leads; /* one for each body */
    size_t n_leads;
    struct answer busy, missing;
};

/* Loads the bodies: files of `dir` called 000, 001 and so on. `retry_after_s` goes into the answer
 * of a busy server; under 0: none. -1 after a message on standard error. */
int answers_load(struct answers *a, const char *dir, int retry_after_s);
void answers_free(struct answers *a);

/* The answer to a GET of this path, by the number at the path's end, and how long it asks to wait
 * over and above the server's delay: an ID may begin with slowMS-. */
const struct answer *answers_find(const struct answers *a, const char *path, size_t len,
                                  int64_t *extra_ms);

#endif
