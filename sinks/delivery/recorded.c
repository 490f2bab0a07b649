#include "sinks/delivery/recorded.h"

#include <pthread.h>
#include <stdlib.h>

#include "sinks/delivery/answer.h"
#include "sinks/delivery/lead_text.h"

/* A lead of one of the deliveries, to be found by its sequence number. */
struct entry {
    uint64_t seq;
    const struct unacked_lead *lead;
    unsigned position; /* in the delivery */
    struct recorded *delivery;
    bool is_put; /* the run gave it, so it does not come again */
};

struct recorded_set {
    struct recorded_cfg cfg;
    struct arena arena; /* owns the deliveries; under `lock` once they are loaded */
    struct recorded *first, *last;
    struct recorded *unsent; /* where the search for the next one begins */
    struct entry *entries;   /* by sequence number */
    size_t n_entries;
    pthread_mutex_t lock;
};

/* ---- loading -------------------------------------------------------------------------------- */

static enum rc damaged(const struct recorded_set *s, enum rc rc, struct err *e)
{
    if (rc == RC_NOMEM)
        return err_nomem(e);
    if (rc == RC_USAGE)
        return err_set(
            e, RC_USAGE,
            "%s: a delivery in the state was made with another configuration, or is damaged; use "
            "the one that the run began with to resume, or --fresh",
            s->cfg.subject);
    return err_set(e, RC_USAGE, "%s: a delivery in the state is damaged", s->cfg.subject);
}

static enum rc load_leads(struct recorded_set *s, struct recorded *r, struct str text)
{
    struct str copy = {arena_strdup(&s->arena, text), text.len};
    if (!copy.ptr)
        return RC_NOMEM;
    enum rc rc = lead_text_take(&s->arena, copy, s->cfg.n_params, &r->notes, &r->n_notes);
    if (rc != RC_OK)
        return rc;
    r->envelope.leads = arena_array(&s->arena, r->n_notes, sizeof *r->envelope.leads);
    return r->envelope.leads ? RC_OK : RC_NOMEM;
}

/* The state forgets it by its last sequence number. */
static bool is_last_seq(const struct recorded *r, uint64_t seq)
{
    uint64_t last = 0;
    for (size_t i = 0; i < r->n_notes; i++) {
        if (r->notes[i].lead.seq > last)
            last = r->notes[i].lead.seq;
    }
    return seq == last || seq == SEQ_NEVER_DONE;
}

static enum rc load_rest(struct recorded_set *s, struct recorded *r, const struct state_delivery *d)
{
    const struct recorded_cfg *cfg = &s->cfg;
    if (d->id.len != MESSAGE_ID_SIZE - 1 || !is_last_seq(r, d->last_seq) ||
        d->body.len > cfg->body_max || !d->body.ptr == !d->answer.ptr)
        return RC_SYNTAX;
    enum rc rc = cfg->check ? cfg->check(cfg->ctx, r->notes, r->n_notes, d->id, d->body) : RC_OK;
    if (rc != RC_OK)
        return rc;
    memcpy(r->envelope.id, d->id.ptr, d->id.len);
    r->envelope.row = d->row;
    r->envelope.recorded = r;
    r->settled = d->answer.ptr != NULL;
    return r->settled ? answer_take(&s->arena, d->answer, r->n_notes, &r->verdicts) : RC_OK;
}

/* It is in another delivery, which was made of what had no answer yet. */
static bool is_moved(const struct recorded *r, size_t position)
{
    return r->settled && verdict_at(&r->verdicts, position)->kind == VERDICT_PENDING;
}

static enum rc load_one(void *ctx, const struct state_delivery *d, struct err *e)
{
    struct recorded_set *s = ctx;
    struct recorded *r = arena_zalloc(&s->arena, sizeof *r);
    if (!r)
        return err_nomem(e);
    r->set = s;
    if (s->last)
        s->last->next = r;
    else
        s->first = s->unsent = r;
    s->last = r;
    enum rc rc = load_leads(s, r, d->leads);
    if (rc == RC_OK)
        rc = load_rest(s, r, d);
    for (size_t i = 0; rc == RC_OK && i < r->n_notes; i++)
        s->n_entries += !is_moved(r, i);
    return rc == RC_OK ? RC_OK : damaged(s, rc, e);
}

static int compare_seqs(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;
    return left->seq < right->seq ? -1 : left->seq > right->seq;
}

static enum rc make_index(struct recorded_set *s, struct err *e)
{
    if (s->n_entries == 0)
        return RC_OK;
    s->entries = arena_array(&s->arena, s->n_entries, sizeof *s->entries);
    if (!s->entries)
        return err_nomem(e);
    struct entry *entry = s->entries;
    for (struct recorded *r = s->first; r; r = r->next) {
        for (size_t i = 0; i < r->n_notes; i++) {
            const struct unacked_lead *lead = &r->notes[i].lead;
            if (is_moved(r, i))
                continue;
            *entry++ = (struct entry){
                .seq = lead->seq, .lead = lead, .position = (unsigned)i, .delivery = r};
        }
    }
    qsort(s->entries, s->n_entries, sizeof *s->entries, compare_seqs);
    return RC_OK;
}

enum rc recorded_load(struct recorded_set **out, const struct recorded_cfg *cfg, struct err *e)
{
    struct recorded_set *s = calloc(1, sizeof *s);
    if (!s || pthread_mutex_init(&s->lock, NULL)) {
        free(s);
        return err_nomem(e);
    }
    s->cfg = *cfg;
    arena_init(&s->arena, SIZE_MAX);
    enum rc rc = state_each_delivery(cfg->state, cfg->index, load_one, s, e);
    if (rc == RC_OK)
        rc = make_index(s, e);
    if (rc != RC_OK) {
        recorded_free(s);
        return rc;
    }
    *out = s;
    return RC_OK;
}

void recorded_free(struct recorded_set *s)
{
    if (!s)
        return;
    arena_free(&s->arena);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* ---- finding -------------------------------------------------------------------------------- */

static bool same_text(struct str a, struct str b)
{
    return a.ptr && b.ptr ? str_eq(a, b) : a.ptr == b.ptr;
}

/* The input may hold another ID where none was ever done. */
static bool same_lead(const struct unacked_lead *a, const struct unacked_lead *b, size_t n_params)
{
    if (a->seq != b->seq || !same_text(a->id, b->id))
        return false;
    for (size_t i = 0; i < n_params; i++) {
        if (!same_text(a->params[i], b->params[i]))
            return false;
    }
    return true;
}

/* The first entry of this number or a later one. */
static size_t lower_bound(const struct recorded_set *s, uint64_t seq)
{
    size_t low = 0;
    size_t high = s->n_entries;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->entries[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct entry *find(const struct recorded_set *s, const struct unacked_lead *lead)
{
    for (size_t i = lower_bound(s, lead->seq); i < s->n_entries; i++) {
        struct entry *entry = &s->entries[i];
        if (entry->seq != lead->seq)
            break;
        if (!entry->is_put && same_lead(entry->lead, lead, s->cfg.n_params))
            return entry;
    }
    return NULL;
}

bool recorded_has(const struct recorded_set *s, const struct unacked_lead *lead)
{
    return find(s, lead) != NULL;
}

/* ---- leads ---------------------------------------------------------------------------------- */

static void add_lead(struct recorded *r, const struct message_lead *lead)
{
    r->envelope.leads[r->envelope.n_leads++] = *lead;
}

static enum rc claim_one(struct recorded_set *s, struct entry *entry, struct err *e)
{
    const struct recorded_cfg *cfg = &s->cfg;
    struct recorded *r = entry->delivery;
    const struct lead *lead = NULL;
    enum rc rc = cfg->host.sent(cfg->host.ctx, cfg->sink, entry->seq, e);
    if (rc != RC_OK || r->settled)
        return rc;
    rc = cfg->host.unacked(cfg->host.ctx, cfg->sink, entry->lead, &lead, e);
    if (rc != RC_OK || !lead)
        return rc;
    entry->is_put = true;
    add_lead(r, &(struct message_lead){.lead = lead, .position = entry->position});
    return RC_OK;
}

enum rc recorded_claim(struct recorded_set *s, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < s->n_entries; i++)
        rc = claim_one(s, &s->entries[i], e);
    return rc;
}

bool recorded_put(struct recorded_set *s, const struct lead *lead, struct message_lead *out,
                  const struct verdict **v)
{
    const struct unacked_lead like = {lead->seq, lead->id, lead->params, lead->fingerprint};
    struct entry *entry = find(s, &like);
    if (!entry)
        return false;
    entry->is_put = true;
    struct recorded *r = entry->delivery;
    *out = (struct message_lead){
        .lead = lead,
        .position = entry->position,
        .outdated = memcmp(entry->lead->fingerprint, lead->fingerprint, FINGERPRINT_BYTES) != 0,
    };
    pthread_mutex_lock(&s->lock);
    *v = r->settled ? verdict_at(&r->verdicts, entry->position) : NULL;
    if (!r->settled)
        add_lead(r, out);
    pthread_mutex_unlock(&s->lock);
    return true;
}

/* ---- deliveries ----------------------------------------------------------------------------- */

struct recorded *recorded_next(struct recorded_set *s)
{
    struct recorded *r = s->unsent;
    while (r && r->settled) /* by what the state holds: nobody else has had it yet */
        r = r->next;
    s->unsent = r ? r->next : NULL;
    return r;
}

/* Under the lock. */
static struct verdict keep_verdict(struct recorded_set *s, const struct verdict *v)
{
    struct verdict kept = *v;
    kept.code = v->code ? arena_strdup(&s->arena, str_c(v->code)) : NULL;
    kept.error = v->error ? arena_strdup(&s->arena, str_c(v->error)) : NULL;
    if (v->error && !kept.error)
        kept.error = rc_text(RC_NOMEM);
    return kept;
}

/* Under the lock. Without memory for a list, leads that come later are pending: for another run. */
static struct verdicts keep_verdicts(struct recorded_set *s, const struct verdicts *v)
{
    static const struct verdict pending = {.kind = VERDICT_PENDING};
    struct verdict *list = arena_array(&s->arena, v->n, sizeof *list);
    if (!list)
        return (struct verdicts){&pending, 1};
    for (size_t i = 0; i < v->n; i++)
        list[i] = keep_verdict(s, &v->list[i]);
    return (struct verdicts){list, v->n};
}

void recorded_settle(struct recorded *r, const struct verdicts *v)
{
    struct recorded_set *s = r->set;
    pthread_mutex_lock(&s->lock);
    r->verdicts = keep_verdicts(s, v);
    r->settled = true;
    pthread_mutex_unlock(&s->lock);
}
