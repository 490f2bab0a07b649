/* What asking a provider for a lead and for a page of its list have in common. Private to check. */
#ifndef LEADPIPE_CHECK_ASKING_H
#define LEADPIPE_CHECK_ASKING_H

#include "core/base/findings.h"
#include "core/http/http_probe.h"
#include "core/run/run.h"

struct asking {
    const struct run_cfg *cfg;
    const struct findings *to;
    struct buf key_value; /* secret */
    struct http_header key;
    unsigned n_requests;
    bool is_reached; /* which has been reported */
};

/* RC_NOMEM. asking_free() must follow in any case. */
enum rc asking_init(struct asking *a, const struct run_cfg *cfg, const struct findings *f,
                    struct err *e);
void asking_free(struct asking *a);

/* One GET with the key. The first one reports on the way there, the certificate and the clocks; where nobody is
 * reached, *out is of no use and `is_reached` stays false. RC_NOMEM. The body of *out is the caller's to free in any
 * case. */
enum rc asking_get(struct asking *a, const char *url, struct http_probe *out, struct err *e);

/* Only connects, and reports the same but for the clocks. RC_NOMEM. */
enum rc asking_connect(struct asking *a, struct err *e);

/* Nothing where the provider wants no key. */
void asking_report_key(const struct asking *a);

#endif
