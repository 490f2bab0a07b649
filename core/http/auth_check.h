/* The first requests to an origin are turned away: their credentials are refused (401, 403), or they are
 * redirected. Is it about what was requested, or is the key or the address wrong? From the ends of requests
 * to wait, theirs or fatal. Pure: knows no request. One thread at a time.
 *
 * Any other response shows that key and address are right: what is turned away, before or later, is a matter
 * of that request alone. As long as there is none, the key or address is wrong once AUTH_FIRST of the first
 * AUTH_FIRST requests were turned away. A request without a response says nothing: for each one, one more
 * request is among the first, unless it was sent after AUTH_FIRST that are known to have been turned away. The
 * order is that in which they were sent, so that quick refusals of some do not decide while earlier ones may
 * still get another response. */
#ifndef LEADPIPE_AUTH_CHECK_H
#define LEADPIPE_AUTH_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#define AUTH_FIRST 3

enum auth_end {
    AUTH_OTHER,      /* any response but the following */
    AUTH_REFUSED,    /* the credentials were refused: http_status_is_refusal() */
    AUTH_REDIRECTED, /* to another address */
    AUTH_NO_RESPONSE,
};

enum auth_verdict {
    AUTH_WAIT,   /* it is not known yet */
    AUTH_THEIRS, /* the requests' own, all that were turned away and all that will be */
    AUTH_FATAL, /* the key or address is wrong; stays so unless there is another response after all */
};

struct auth_check {       /* zero it first */
    bool accepted;        /* there was another response */
    uint64_t no_response; /* that count */
    uint64_t turned_away;
    uint64_t refused;            /* of those turned away: not redirected */
    uint64_t lowest[AUTH_FIRST]; /* ordinals of those turned away, ascending */
};

/* Request number `ordinal` (in the order of sending, from 0) has ended. */
enum auth_verdict auth_check(struct auth_check *c, uint64_t ordinal, enum auth_end end);

/* There are no more than these `requests`, and all have ended: if they are fewer than AUTH_FIRST, it is
 * fatal that the credentials of all were refused. Not AUTH_WAIT. */
enum auth_verdict auth_check_all(const struct auth_check *c, uint64_t requests);

#endif
