/* Tells a monitoring service when a run starts and how it ends, by the API of healthchecks.io ("Pinging API" in its
 * manual): URL/start, then URL, or URL/N with the exit status. The URL's query is kept, and `rid` is added to it: the
 * run's id as a UUID.
 *
 * The URL is a secret: whoever knows it can report for the job. No message from here contains it. */
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
#define PING_MS_MAX 10000 /* for all tries of one ping together */

/* RC_SYNTAX: the message says what is wrong with the URL, without quoting it; RC_NOMEM. */
enum rc ping_check(const char *url, struct err *e);

/* Registers the URL, and the parts of it that may be secret. RC_NOMEM. */
enum rc ping_add_secrets(struct secrets *s, const char *url);

struct ping_cfg {
    const char *url;                         /* that ping_check() has accepted */
    const char *user_agent, *cacert, *proxy; /* NULL: none; `proxy` NULL: the environment's */
    const struct clock *clock;
    bool (*given_up)(void); /* polled while waiting: true ends the ping. NULL: never */
};

struct ping {
    const char *suffix; /* appended to the URL's path: "/start", "/3", or "" for a success */
    const char *run_id; /* 32 hexadecimal digits */
    struct str body;    /* JSON; absent: none */
};

/* Appends the URL of a ping. */
void ping_put_url(struct buf *out, const char *url, const struct ping *p);

/* Sends the ping and waits for the response. Tries again, up to PING_TRIES_MAX, after a failure that may be temporary (no
 * response in time, 408, 429, 5xx). RC_NET: the message names the host and the last failure; RC_STOPPED: given_up() said
 * so; RC_NOMEM. Needs curl_global_init(). Any thread. */
enum rc ping_send(const struct ping_cfg *cfg, const struct ping *p, struct err *e);

#endif
