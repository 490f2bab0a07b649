/* A provider's API as it is checked: requests with the key, and what is reported about the first one. Shared by the
 * checks of a lead and of a list. Private to check. */
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
    bool is_reached; /* the server was reached, and that has been reported */
    bool is_key_reported;
};

/* RC_NOMEM. Call asking_free() even after a failure. */
enum rc asking_init(struct asking *a, const struct run_cfg *cfg, const struct findings *f,
                    struct err *e);
void asking_free(struct asking *a);

/* One GET with the key. The first one reports on the connection, the certificate and the clocks. If no server is reached,
 * *out has no response and `is_reached` stays false. RC_NOMEM. The caller frees the body of *out in any case. */
enum rc asking_get(struct asking *a, const char *url, struct http_probe *out, struct err *e);

/* Only connects; reports on the connection and the certificate. RC_NOMEM. */
enum rc asking_connect(struct asking *a, struct err *e);

/* Reports once that the key was accepted; nothing if the provider needs no key. */
void asking_report_key(struct asking *a);

#endif
