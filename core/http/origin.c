#include "core/http/origin.h"

#include "core/http/backoff.h"

void origin_init(struct origin *o, struct rng *rng)
{
    *o = (struct origin){
        .rng = rng,
        .gate_us = INT64_MIN,
        .probe_us = INT64_MIN,
        .good_us = INT64_MIN,
        .trouble_us = INT64_MIN,
        .held_at_us = INT64_MIN,
    };
}

int64_t origin_due_us(const struct origin *o)
{
    switch (o->state) {
    case ORIGIN_PROBING:
        return INT64_MAX;
    case ORIGIN_DOWN:
        return o->gate_us > o->probe_us ? o->gate_us : o->probe_us;
    case ORIGIN_UP:
        break;
    }
    return o->gate_us;
}

void origin_started(struct origin *o, struct origin_client *c)
{
    c->seq = ++o->seq;
    if (!c->first_seq)
        c->first_seq = c->seq;
    if (!origin_is_down(o))
        return;
    o->state = ORIGIN_PROBING;
    o->probe_seq = c->seq;
}

/* ---- clocks --------------------------------------------------------------------------------- */

int64_t origin_held_us(const struct origin *o, int64_t now_us)
{
    int64_t until_us = origin_is_down(o) || o->gate_us > now_us ? now_us : o->gate_us;
    return until_us > o->held_at_us ? o->held_us + (until_us - o->held_at_us) : o->held_us;
}

/* To be called before anything that the held clock depends on changes. */
static void settle_held(struct origin *o, int64_t now_us)
{
    o->held_us = origin_held_us(o, now_us);
    o->held_at_us = now_us;
}

int64_t origin_gate_us(const struct origin *o, int64_t now_us)
{
    return o->gate_us > now_us ? o->gate_us - now_us : 0;
}

int64_t origin_trouble_us(const struct origin *o, int64_t now_us)
{
    return o->trouble_us == INT64_MIN ? 0 : now_us - o->trouble_us;
}

void origin_idle(struct origin *o)
{
    o->trouble_us = INT64_MIN;
}

/* ---- what the end of a try changes ---------------------------------------------------------- */

static void forget_failures(struct origin *o)
{
    o->bad = o->silent = o->unreached = 0;
    o->several = false;
    o->streak++;
}

static unsigned close_gate(struct origin *o, int64_t wait_us, int64_t now_us)
{
    o->gate_seq = o->seq;
    if (now_us + wait_us <= o->gate_us)
        return 0;
    o->gate_us = now_us + wait_us;
    return ORIGIN_GATE_CLOSED;
}

static unsigned hold_back(struct origin *o, const struct origin_client *c, enum try_end end,
                          int64_t retry_after_us, int64_t now_us)
{
    if (end != TRY_BUSY && end != TRY_HELD)
        return 0;
    if (retry_after_us > 0)
        return close_gate(o, retry_after_us, now_us);
    if (end == TRY_HELD || c->seq <= o->gate_seq)
        return 0;
    o->round_seq = o->gate_seq;
    return close_gate(o, backoff_us(o->rng, ++o->busy_rounds), now_us);
}

static unsigned come_up(struct origin *o, const struct origin_client *c)
{
    if (origin_is_down(o) && c->seq <= o->down_seq)
        return 0;
    forget_failures(o);
    if (!origin_is_down(o))
        return 0;
    o->state = ORIGIN_UP;
    o->up_seq = o->seq;
    return ORIGIN_CAME_UP;
}

static bool is_enough(const struct origin *o)
{
    if (o->silent >= TRIES_SILENT && (o->several || o->unreached == o->silent))
        return true;
    return o->bad >= TRIES_BAD && o->several;
}

static unsigned suspect_down(struct origin *o, const struct origin_client *c, enum try_end end,
                             int64_t now_us)
{
    if (o->bad++ == 0)
        o->suspect = c->first_seq;
    else if (o->suspect != c->first_seq)
        o->several = true;
    bool answered = end == TRY_GATEWAY;
    o->silent = answered ? 0 : o->silent + 1;
    o->unreached = end == TRY_UNREACHED ? o->unreached + 1 : 0;
    if (origin_is_down(o) || !is_enough(o))
        return 0;
    o->state = ORIGIN_DOWN;
    o->down_seq = o->seq;
    o->probes = 0;
    o->probe_us = now_us + backoff_us(o->rng, 1);
    return ORIGIN_WENT_DOWN;
}

/* Between half and the whole of a wait that doubles: probes come neither in a burst, for an answer
 * of a gateway counts against its request, nor in step with other clients. */
static void end_probe(struct origin *o, const struct origin_client *c, bool failed, int64_t now_us)
{
    if (o->state != ORIGIN_PROBING || o->probe_seq != c->seq)
        return;
    o->state = ORIGIN_DOWN;
    if (!failed)
        return;
    int64_t half_us = backoff_ceiling_us(++o->probes, ORIGIN_PROBE_MAX_US) / 2;
    o->probe_us = now_us + half_us + (int64_t)rng_below(o->rng, (uint64_t)half_us + 1);
}

static unsigned good(struct origin *o, const struct origin_client *c, int64_t now_us)
{
    o->before.seq = c->seq;
    o->before.busy_rounds = o->busy_rounds;
    o->before.trouble_us = o->trouble_us;
    o->good_us = now_us;
    if (c->seq > o->good_seq)
        o->good_seq = c->seq;
    if (c->seq > o->gate_seq)
        o->busy_rounds = 0;
    else if (c->seq > o->round_seq && o->busy_rounds > 1)
        o->busy_rounds = 1; /* the latest round was refused in part only */
    o->trouble_us = INT64_MIN;
    return come_up(o, c);
}

static unsigned failed(struct origin *o, struct origin_client *c, enum try_end end, int64_t now_us)
{
    if (!c->first_bad)
        c->first_bad = c->seq;
    unsigned change = 0;
    bool unanswered = end == TRY_SILENT || end == TRY_UNREACHED;
    bool own_fault = end != TRY_UNREACHED && o->good_seq > c->first_bad;
    if (own_fault)
        change |= ORIGIN_OWN_FAULT;
    else if (o->trouble_us == INT64_MIN)
        o->trouble_us = now_us;
    if (end == TRY_BUSY)
        change |= come_up(o, c);
    else if (end != TRY_HELD && !own_fault)
        change |= suspect_down(o, c, end, now_us);
    if (unanswered && (origin_is_down(o) || c->seq <= o->up_seq))
        change |= ORIGIN_UNCOUNTED;
    return change;
}

void origin_counted(const struct origin *o, struct origin_client *c)
{
    if (c->streak != o->streak)
        c->in_streak = 0;
    c->streak = o->streak;
    c->in_streak++;
}

unsigned origin_pardoned(const struct origin *o, struct origin_client *c)
{
    unsigned n = c->streak == o->streak ? c->in_streak : 0;
    c->in_streak = 0;
    return n;
}

unsigned origin_ended(struct origin *o, struct origin_client *c, enum try_end end,
                      int64_t retry_after_us, int64_t now_us)
{
    settle_held(o, now_us);
    end_probe(o, c, end != TRY_ABORTED && end != TRY_GOOD, now_us);
    if (end == TRY_ABORTED)
        return 0;
    if (end == TRY_GOOD)
        return good(o, c, now_us);
    unsigned change = failed(o, c, end, now_us);
    return change | hold_back(o, c, end, retry_after_us, now_us);
}

unsigned origin_limited(struct origin *o, struct origin_client *c, int64_t now_us)
{
    if (o->before.seq == c->seq) {
        o->busy_rounds = o->before.busy_rounds;
        o->trouble_us = o->before.trouble_us;
    }
    return origin_ended(o, c, TRY_BUSY, 0, now_us);
}
