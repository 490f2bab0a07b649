#include "core/http/limiter.h"

#define CUT 0.75
#define CUT_LATENCY 0.8
#define ROUNDS_BETWEEN 2 /* without congestion before one that is alone */
#define HOLD_FIRST_US INT64_C(2000000)
#define HOLD_MAX_US INT64_C(64000000)
#define ROUND_US_MIN INT64_C(200000)
#define ROUND_ANSWERS_MIN 16
#define BEST_STRETCH_US INT64_C(300000000)
#define PRESSED_US 20000.0 /* slower by less than this is not slower */
#define CROWDED_US 50000.0

void limiter_init(struct limiter *l, unsigned max)
{
    *l = (struct limiter){
        .max = max,
        .now = max < LIMITER_START ? max : LIMITER_START,
        .fast_until = max,
        .hold_us = HOLD_FIRST_US,
        .round_from_us = INT64_MIN,
        .best_from_us = INT64_MIN,
    };
}

void limiter_init_fixed(struct limiter *l, unsigned limit)
{
    limiter_init(l, limit);
    l->fixed = true;
    l->now = limit;
}

unsigned limiter_limit(const struct limiter *l)
{
    return (unsigned)l->now;
}

void limiter_filled(struct limiter *l, unsigned in_flight)
{
    l->full = in_flight >= limiter_limit(l);
}

static void set_limit(struct limiter *l, double to)
{
    l->now = to < 1 ? 1 : to > l->max ? l->max : to;
}

static void start_round(struct limiter *l, uint64_t last_seq)
{
    l->round_from_us = INT64_MIN;
    l->round_seq = last_seq;
}

/* ---- growth --------------------------------------------------------------------------------- */

/* What may be grown to at this moment. */
static double top(struct limiter *l, int64_t now_us)
{
    if (l->ceiling == 0)
        return l->max;
    if (now_us < l->hold_until_us)
        return l->ceiling - 1;
    if (l->now < l->ceiling + 1)
        return l->ceiling + 1;
    /* Well beyond it: the server can do more than it could then. */
    l->ceiling = 0;
    l->hold_us = HOLD_FIRST_US;
    l->fast_until = l->now * 2;
    return l->max;
}

static void grow(struct limiter *l, int64_t now_us)
{
    if (!l->full || l->pressed)
        return;
    double to = l->now + (l->now < l->fast_until ? 1 : 1 / l->now);
    double most = top(l, now_us);
    if (to > most)
        to = most;
    if (to > l->now)
        set_limit(l, to);
}

/* ---- congestion ----------------------------------------------------------------------------- */

void limiter_congested(struct limiter *l, uint64_t seq, uint64_t last_seq, unsigned in_flight,
                       int64_t now_us)
{
    if (!l->fixed)
        limiter_refused(l, seq, last_seq, in_flight, now_us);
}

void limiter_refused(struct limiter *l, uint64_t seq, uint64_t last_seq, unsigned in_flight,
                     int64_t now_us)
{
    if (seq <= l->cut_seq)
        return;
    double met = in_flight < l->now ? (double)in_flight : (double)limiter_limit(l);
    bool is_alone = (double)l->n_good > ROUNDS_BETWEEN * met;
    l->n_good = 0;
    if (is_alone)
        return;
    bool probing = l->ceiling != 0 && now_us >= l->hold_until_us && met >= l->ceiling - 1;
    set_limit(l, probing ? met - 1 : met * CUT);
    l->ceiling = met > 2 ? met : 2;
    l->hold_until_us = now_us + l->hold_us;
    l->hold_us = l->hold_us * 2 < HOLD_MAX_US ? l->hold_us * 2 : HOLD_MAX_US;
    l->fast_until = 0;
    l->cut_seq = last_seq;
    l->on_trial = false;
    l->ref_limit = 0;
    start_round(l, last_seq);
}

void limiter_resume(struct limiter *l, uint64_t last_seq)
{
    if (l->fixed && l->ceiling == 0)
        return;
    l->fast_until = l->now;
    l->cut_seq = last_seq;
    l->on_trial = false;
    set_limit(l, l->now / 2);
    start_round(l, last_seq);
}

/* ---- latency -------------------------------------------------------------------------------- */

static double best_us(struct limiter *l, double latency_us, int64_t now_us)
{
    if (l->best_from_us == INT64_MIN) {
        l->best_us[0] = l->best_us[1] = latency_us;
        l->best_from_us = now_us;
    } else if (now_us - l->best_from_us > BEST_STRETCH_US) {
        l->best_us[1] = l->best_us[0];
        l->best_us[0] = latency_us;
        l->best_from_us = now_us;
    } else if (latency_us < l->best_us[0]) {
        l->best_us[0] = latency_us;
    }
    return l->best_us[0] < l->best_us[1] ? l->best_us[0] : l->best_us[1];
}

/* Is the limit growing, and did it bring at least a third of itself in throughput? */
static bool growth_pays(struct limiter *l, double per_s)
{
    double grown = l->ref_limit > 0 ? l->now / l->ref_limit - 1 : 0;
    if (grown > 0 && grown < 0.25)
        return l->worth_it; /* too little to be weighed */
    l->worth_it = grown > 0 && per_s > l->ref_per_s * (1 + grown / 3);
    l->ref_limit = l->now;
    l->ref_per_s = per_s;
    return l->worth_it;
}

static void end_trial(struct limiter *l, double latency_us, int64_t now_us)
{
    l->on_trial = false;
    if (latency_us < 0.9 * l->trial_us)
        return;
    set_limit(l, l->trial_limit);
    l->best_us[0] = l->best_us[1] = latency_us;
    l->best_from_us = now_us;
    l->pressed = false;
}

static void begin_trial(struct limiter *l, double latency_us)
{
    l->on_trial = true;
    l->trial_us = latency_us;
    l->trial_limit = l->now;
    l->fast_until = 0;
    set_limit(l, l->now * CUT_LATENCY);
}

static void judge_round(struct limiter *l, double latency_us, double per_s, int64_t now_us)
{
    if (l->on_trial)
        end_trial(l, latency_us, now_us);
    double best = best_us(l, latency_us, now_us);
    bool pays = growth_pays(l, per_s);
    l->pressed = !pays && latency_us > 2 * best + PRESSED_US;
    bool is_steady = l->now <= l->round_limit; /* or there is nothing to compare a cut with */
    if (l->pressed && is_steady && l->now >= 2 && latency_us > 3 * best + CROWDED_US)
        begin_trial(l, latency_us);
}

/* Counts an answer; at the end of a round, evaluates it. Answers of tries from before the round say
 * something about the limit that was then. */
static void measure(struct limiter *l, uint64_t seq, uint64_t last_seq, int64_t latency_us,
                    int64_t now_us)
{
    if (seq <= l->round_seq)
        return;
    if (l->round_from_us == INT64_MIN || !l->full) {
        l->round_from_us = now_us;
        l->round_limit = l->now;
        l->round_answers = 0;
        l->round_latency_us = 0;
        return;
    }
    l->round_answers++;
    l->round_latency_us += (double)latency_us;
    int64_t took_us = now_us - l->round_from_us;
    /* The very first round is short: the best is to be known before the limit has grown. */
    bool is_first = l->best_from_us == INT64_MIN && took_us > 0;
    if (l->round_answers < ROUND_ANSWERS_MIN ||
        (!is_first && (took_us < ROUND_US_MIN || (double)l->round_answers < 2 * l->now)))
        return;
    double n = (double)l->round_answers;
    judge_round(l, l->round_latency_us / n, n * 1e6 / (double)took_us, now_us);
    start_round(l, last_seq);
}

void limiter_good(struct limiter *l, uint64_t seq, uint64_t last_seq, int64_t latency_us,
                  int64_t now_us)
{
    l->n_good++;
    if (!l->fixed)
        measure(l, seq, last_seq, latency_us, now_us);
    grow(l, now_us);
}
