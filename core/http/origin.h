/* What is known about the one server that all requests of an engine go to: whether it asked to be
 * left alone, whether it is up, and for how long nothing has succeeded. Pure: the time is a
 * parameter, nothing is sent or logged here. One thread.
 *
 * The rules:
 *
 * - Every try ends in one of the ways of enum try_end. TRY_GOOD is anything that shows the origin at
 *   work (a 404 or a 500 too): it ends all trouble.
 *
 * - A failed try is held against its request, not against the origin, when a request that was
 *   started after this request's first failure has got a good answer meanwhile: the origin was
 *   passed by, only this request was not served. Such a try changes nothing here. What had no
 *   connection at all (TRY_UNREACHED) always speaks against the origin.
 *
 * - The gate: Retry-After on 403, 429, 503 and 529 closes it, so that no try starts before; a later one
 *   extends, never shortens. A 429 without it closes the gate for the backoff time of as many
 *   rounds of 429 as were received one after the other. 429s of tries that were started before the last
 *   closing are of the same round. A round in which others got a good answer is as a first one.
 *
 * - Down: TRIES_SILENT tries without an answer, or TRIES_BAD tries without an answer or with that of
 *   a gateway, one after the other, with no good one between. They must be of more than one request,
 *   or have had no connection: a single request that is never answered is its own trouble, and ends
 *   by its own limits. While the origin is down one probe at a time is started, at most
 *   ORIGIN_PROBE_MAX_US after the one before has ended. A good answer (or a 429) to a try that was
 *   started since then means that it is up; answers to earlier ones may just have been on their way.
 *
 * - Tries without an answer do not count against their request's attempts when the origin was down
 *   at any time while they were under way, or when they are among those by which it went down. All others
 *   count, answers of a gateway too.
 *
 * - The trouble clock runs from the first failure (including 429 and 503 with Retry-After) that is
 *   not its request's own, to the next good answer. Its owner ends the run when it is over the
 *   limit, but checks a request's own limits first: of its time only if somebody was served in it.
 *   It stands still while there is nothing to try.
 *
 * - The held clock adds up the time in which the origin was down or the gate closed, so that it can
 *   be taken off a request's own time. */
#ifndef LEADPIPE_ORIGIN_H
#define LEADPIPE_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/clock.h"

#define TRIES_SILENT 3
#define TRIES_BAD 8
#define ORIGIN_PROBE_MAX_US INT64_C(5000000)

enum try_end {
    TRY_GOOD,
    TRY_BUSY,      /* asked too much: 429 and its like */
    TRY_HELD,      /* 503 or 529 with Retry-After */
    TRY_GATEWAY,   /* 502, 503, 504, 520 to 524, 529, 530, 599 */
    TRY_SILENT,    /* sent, but no answer or only part of one */
    TRY_UNREACHED, /* no connection */
    TRY_ABORTED,   /* by ourselves: says nothing */
};

/* What the origin remembers of one request, from its first try to its end. Zero it first. */
struct origin_client {
    uint64_t first_seq; /* number of its first try, from 1: who it is */
    uint64_t seq;       /* of its latest try */
    uint64_t first_bad; /* of its first failed try; 0: none yet */
    uint64_t streak;    /* in which its latest tries failed without an answer... */
    unsigned in_streak; /* ... and how many of them were counted */
};

enum origin_change {
    ORIGIN_WENT_DOWN = 1,
    ORIGIN_CAME_UP = 2,
    ORIGIN_GATE_CLOSED = 4, /* or was extended */
    ORIGIN_UNCOUNTED = 8,   /* this try does not count against its request's attempts */
    ORIGIN_OWN_FAULT = 16,  /* this try was held against its request */
};

/* Those of a circuit breaker: closed, open, half-open. */
enum origin_state {
    ORIGIN_UP,
    ORIGIN_DOWN,    /* until the next probe */
    ORIGIN_PROBING, /* down as well, and a probe is under way */
};

struct origin {
    struct rng *rng;

    int64_t gate_us;      /* no try before; INT64_MIN: open */
    uint64_t gate_seq;    /* tries up to this number are of the round that closed it */
    unsigned busy_rounds; /* of 429 without Retry-After, one after the other */
    uint64_t round_seq;   /* tries up to this number were started before the latest of these */

    enum origin_state state;
    uint64_t probe_seq; /* PROBING: the probe under way */
    int64_t probe_us;   /* DOWN: the next probe, not before */
    unsigned probes;    /* failed ones since it went down */
    uint64_t down_seq;  /* tries up to this number were started before it last went down ... */
    uint64_t up_seq;    /* ... or came up */

    /* Failed tries in a row: of either kind, without an answer, without a connection, and whose
     * the first one was. */
    unsigned bad, silent, unreached;
    uint64_t suspect;
    bool several;    /* not only the suspect's */
    uint64_t streak; /* how many good answers have ended such a row */

    uint64_t seq;      /* tries started */
    uint64_t good_seq; /* the latest of those with a good answer */
    int64_t good_us;   /* when the latest good answer came; INT64_MIN: there was none */

    int64_t trouble_us; /* since when; INT64_MIN: no trouble */
    struct {            /* as it was before the latest good answer */
        uint64_t seq;
        unsigned busy_rounds;
        int64_t trouble_us;
    } before;
    int64_t held_us; /* the held clock at held_at_us */
    int64_t held_at_us;
};

static inline bool origin_is_down(const struct origin *o)
{
    return o->state != ORIGIN_UP;
}

void origin_init(struct origin *o, struct rng *rng);

/* The earliest time at which a try may start (in the past: now); INT64_MAX: not before the probe
 * that is under way has ended. */
int64_t origin_due_us(const struct origin *o);

/* A try of `c` starts. */
void origin_started(struct origin *o, struct origin_client *c);

/* The latest try of `c` has ended; `retry_after_us` is what was given with it (0 or less: none). Returns
 * what has changed, of enum origin_change. */
unsigned origin_ended(struct origin *o, struct origin_client *c, enum try_end end,
                      int64_t retry_after_us, int64_t now_us);

/* The latest try of `c`, which had no answer and was not held against it, counts against its attempts. */
void origin_counted(const struct origin *o, struct origin_client *c);

/* ORIGIN_WENT_DOWN: how many tries of `c`, of those that were counted, do not count after all. */
unsigned origin_pardoned(const struct origin *o, struct origin_client *c);

/* The latest try of `c` has ended as TRY_GOOD, but the body of its answer says that too much was asked: as if it
 * had ended as TRY_BUSY instead, without a Retry-After. Nothing else may have ended since. */
unsigned origin_limited(struct origin *o, struct origin_client *c, int64_t now_us);

/* How long the trouble clock has run; 0: no trouble. */
int64_t origin_trouble_us(const struct origin *o, int64_t now_us);

/* Nothing is left that could be tried: stops the trouble clock. */
void origin_idle(struct origin *o);

/* The held clock; only differences mean something. */
int64_t origin_held_us(const struct origin *o, int64_t now_us);

/* From `now_us` on; 0: the gate is open. */
int64_t origin_gate_us(const struct origin *o, int64_t now_us);

#endif
