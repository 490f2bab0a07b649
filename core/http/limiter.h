/* How many requests may be in flight at once. Pure: time is a parameter. Private to core/http.
 *
 * Fixed, or adaptive between 1 and a maximum. A fixed one comes down only where the server refuses
 * what is too much (503), and returns. An adaptive one (the fixed one too, where the server refuses):
 *
 * - It starts at LIMITER_START and doubles every round trip until congestion is met or the maximum
 *   reached; later it grows by one every round trip. It grows only while it is really used.
 * - Congestion (429, 503, 504, a time-out) cuts it to three quarters, at most once for the requests
 *   that were in flight together. The number in flight at that moment is remembered as the ceiling:
 *   growth then stops one below it, and what is beyond is tried again only after a pause that
 *   doubles each time in vain, then giving way by one only.
 *   One that is alone changes nothing: a server that has as many requests as it can take refuses one
 *   in every round, so where there was none in two rounds before, it is not their number that is at
 *   fault, but perhaps the lead.
 * - Latency: measured over rounds. While a round is slower than twice the best of the last minutes
 *   and the growth before brought no more throughput, it does not grow; at three times, it is cut
 *   by a fifth. If that did not make the answers faster, it was not our doing: the cut is taken back
 *   and the slower pace becomes the measure. Differences of a few milliseconds mean nothing, or a
 *   fast server nearby would be taken for a crowded one. */
#ifndef LEADPIPE_LIMITER_H
#define LEADPIPE_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#define LIMITER_START 8

struct limiter {
    unsigned max;
    bool fixed;
    bool full;         /* the limit was reached when requests were last started */
    double now;        /* the limit */
    double fast_until; /* doubles every round trip below this */

    double ceiling;        /* in flight when congestion was last met; 0: never */
    int64_t hold_until_us; /* not beyond it before */
    int64_t hold_us;       /* the next such pause */
    uint64_t cut_seq;      /* tries up to this number belong to the last cut */
    uint64_t n_good;       /* since the last congestion */

    /* the round that is being measured */
    int64_t round_from_us; /* INT64_MIN: none */
    uint64_t round_seq;    /* only tries after this number are counted */
    double round_limit;    /* the limit at its beginning */
    uint64_t round_answers;
    double round_latency_us; /* their sum */

    bool pressed;                 /* latency forbids growth */
    double best_us[2];            /* best round of this and of the last stretch of time */
    int64_t best_from_us;         /* when this stretch began; INT64_MIN: none yet */
    double ref_limit, ref_per_s;  /* throughput before the limit grew */
    bool worth_it;                /* the latest growth that could be weighed brought throughput */
    bool on_trial;                /* the last cut was because of latency ... */
    double trial_us, trial_limit; /* ... with these before */
};

void limiter_init(struct limiter *l, unsigned max);
void limiter_init_fixed(struct limiter *l, unsigned limit);

unsigned limiter_limit(const struct limiter *l);

/* Everything that may be started has been: so many are in flight now. */
void limiter_filled(struct limiter *l, unsigned in_flight);

/* Try number `seq` got a good answer after `latency_us`; `last_seq` is the last one started. */
void limiter_good(struct limiter *l, uint64_t seq, uint64_t last_seq, int64_t latency_us,
                  int64_t now_us);

/* Try number `seq` met congestion; `in_flight` includes it. */
void limiter_congested(struct limiter *l, uint64_t seq, uint64_t last_seq, unsigned in_flight,
                       int64_t now_us);

/* The same where the server said so by refusing the request: a fixed limit comes down, too. */
void limiter_refused(struct limiter *l, uint64_t seq, uint64_t last_seq, unsigned in_flight,
                     int64_t now_us);

/* The origin was down and is up again (a fixed limit: if it had come down): half of what it was,
 * growing fast to where it was. */
void limiter_resume(struct limiter *l, uint64_t last_seq);

#endif
