/* Leads are turned away: credentials refused (401, 403), or redirected. Whose fault is it, their own or
 * that of the key or the server's address? A sequence of answers to wait, theirs or fatal. Pure: knows
 * no request. One thread at a time. Private to core/run.
 *
 * One other answer shows that key and address are right: what was turned away is each lead's own
 * business from then on. Until then those that are turned away wait. When all of the first AUTH_LEADS
 * leads that got an answer were turned away, the run must end; of fewer leads, where all had their
 * credentials refused. */
#ifndef LEADPIPE_AUTH_CHECK_H
#define LEADPIPE_AUTH_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUTH_LEADS 3

enum auth_answer {
    AUTH_OTHER,      /* anything but the following */
    AUTH_REFUSED,    /* the credentials were refused */
    AUTH_REDIRECTED, /* to another address */
};

enum auth_verdict {
    AUTH_WAIT,   /* it is not known yet */
    AUTH_THEIRS, /* the leads' own; those that wait continue */
    AUTH_FATAL,  /* that of the key or address; the newest of those that wait shows which */
};

/* Of a lead that waits. */
struct auth_wait {
    struct auth_wait *next;
    void *owner;
    uint64_t ordinal; /* of its request among all, from 0 */
    enum auth_answer answer;
};

struct auth_check {            /* zero it first */
    struct auth_wait *waiting; /* the newest first */
    uint64_t n_waiting;
    uint64_t n_first;    /* of them: with an ordinal below AUTH_LEADS + unanswered */
    uint64_t unanswered; /* requests that got no answer: each lets the next ordinal count, too */
    bool accepted;       /* there was another answer */
};

/* A request was answered. AUTH_WAIT and AUTH_FATAL: `w`, whose owner and ordinal are set, waits. */
enum auth_verdict auth_answered(struct auth_check *c, enum auth_answer answer, struct auth_wait *w);
/* A request got no answer: the next one counts in its place. */
enum auth_verdict auth_unanswered(struct auth_check *c);
/* All of the `requested` requests that there are have ended. Not AUTH_WAIT. */
enum auth_verdict auth_ended(const struct auth_check *c, uint64_t requested);

/* Takes the newest of those that wait; NULL: none does. */
struct auth_wait *auth_take(struct auth_check *c);

#endif
