/* Tells a monitoring service when a run starts and how it ends, in the form of healthchecks.io ("Pinging API" in
 * its manual): URL/start, then URL, or URL/N with the exit status. The URL's query stays, and gets `rid`, the
 * run's id as a UUID.
 *
 * The URL is a secret: whoever knows it can report for the job. No text of this file has it. */
#ifndef LEADPIPE_PING_H
#define LEADPIPE_PING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/err.h"
#include "core/base/secrets.h"
#include "core/base/str.h"

#define PING_TRIES_MAX 3
#define PING_MS_MAX 10000 /* all tries of one ping */

/* RC_SYNTAX: what is wrong with the URL, without its text; RC_NOMEM. */
enum rc ping_check(const char *url, struct err *e);

/* The URL, and the pieces of it that may be what is secret. RC_NOMEM. */
enum rc ping_add_secrets(struct secrets *s, const char *url);

struct ping_cfg {
    const char *url;                         /* that ping_check() has accepted */
    const char *user_agent, *cacert, *proxy; /* NULL: none; of `proxy`: the environment's */
    const struct clock *clock;
    bool (*given_up)(void); /* asked now and then: no longer wanted. NULL: never */
};

/* Appended to the URL's path: "/start", "/3", or "" for a success. */
struct ping {
    const char *suffix;
    const char *run_id; /* 32 hexadecimal digits */
    struct str body;    /* JSON; absent: none */
};

/* Appends the URL of a ping. */
void ping_put_url(struct buf *out, const char *url, const struct ping *p);

/* Sends it, and waits for the answer: another try, up to PING_TRIES_MAX, where none came within its time, or one
 * that may be different the next time (408, 429, 5xx). RC_NET with the host and what the last try met; RC_STOPPED:
 * given up; RC_NOMEM. Needs curl_global_init(). Any thread. */
enum rc ping_send(const struct ping_cfg *cfg, const struct ping *p, struct err *e);

#endif
