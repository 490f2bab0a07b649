#include "core/run/list_source.h"

#include <stdlib.h>

enum stage { RECORDED, LISTING, BEFORE };

struct list_source {
    struct id_source source; /* the first member */
    struct list_queue *queue;
    struct state *state; /* NULL: none */
    size_t n_params;
    enum stage stage;
    uint64_t at;        /* of RECORDED and BEFORE: as state_list_take() */
    struct buf pack;    /* of the current part ... */
    struct str rest;    /* ... the leads that have not been handed out yet */
    bool is_incomplete; /* a list did not end */
    /* Of what was listed before. */
    struct buf
        taken_bits;    /* which of these leads the run has taken: the others were listed again */
    uint64_t n_before; /* handed out so far */
    uint64_t n_taken;
    bool is_taken; /* the intake's answer about the last one */
};

#define BITS_BYTES_MAX (SIZE_MAX / 2)

/* ---- one part after the other ---------------------------------------------------------------- */

static enum rc take_from_state(struct list_source *s, enum state_listed which, struct err *e)
{
    struct list_part part;
    enum rc rc = s->state ? state_list_take(s->state, which, &s->at, &part, &s->pack, e) : RC_END;
    if (rc == RC_OK) {
        s->rest = part.pack;
        s->is_incomplete |= which == STATE_LISTED && part.end == LIST_PART_INCOMPLETE;
    }
    return rc;
}

static enum rc take_from_queue(struct list_source *s, struct err *e)
{
    struct list_part part;
    enum rc rc = list_queue_take(s->queue, &part, &s->pack, e);
    if (rc == RC_OK && s->state)
        rc = state_list_put(s->state, &part, e);
    if (rc == RC_OK) {
        s->rest = part.pack;
        s->is_incomplete |= part.end == LIST_PART_INCOMPLETE;
    }
    return rc;
}

static enum rc take_part(struct list_source *s, struct err *e)
{
    switch (s->stage) {
    case RECORDED:
        return take_from_state(s, STATE_LISTED, e);
    case LISTING:
        return take_from_queue(s, e);
    case BEFORE:
        break;
    }
    return take_from_state(s, STATE_LISTED_BEFORE, e);
}

/* ---- leads ----------------------------------------------------------------------------------- */

static bool copy_text(struct arena *a, struct str text, struct str *out)
{
    const char *copy = arena_strdup(a, text);
    *out = (struct str){copy, text.len};
    return copy;
}

/* Notes the intake's answer about the previous lead. */
static void note_taken(struct list_source *s)
{
    if (!s->is_taken)
        return;
    uint64_t bit = s->n_before - 1;
    s->taken_bits.data[bit / 8] = (char)(s->taken_bits.data[bit / 8] | 1 << bit % 8);
    s->n_taken++;
    s->is_taken = false;
}

static enum rc give_before(struct list_source *s, struct id_item *item, struct err *e)
{
    if (s->n_before++ % 8 == 0)
        buf_addc(&s->taken_bits, 0);
    item->once_more = &s->is_taken;
    return buf_rc(&s->taken_bits) == RC_OK ? RC_OK : err_nomem(e);
}

static enum rc give(struct list_source *s, struct arena *a, struct id_item *out, struct err *e)
{
    struct str id, params[PROFILE_PARAMS_MAX];
    struct id_item item = {.line = 0};
    if (!list_pack_take(&s->rest, s->n_params, &id, params))
        return err_set(e, RC_INTERNAL, "a list of leads is malformed");
    bool is_copied = copy_text(a, id, &item.id);
    if (s->n_params) {
        item.params = arena_array(a, s->n_params, sizeof *item.params);
        is_copied &= item.params != NULL;
    }
    for (size_t i = 0; is_copied && i < s->n_params; i++)
        is_copied = copy_text(a, params[i], &item.params[i]);
    if (!is_copied)
        return err_nomem(e);
    if (s->stage == LISTING)
        list_queue_count(s->queue);
    enum rc rc = s->stage == BEFORE ? give_before(s, &item, e) : RC_OK;
    if (rc == RC_OK)
        *out = item;
    return rc;
}

static enum rc next(struct id_source *source, struct arena *a, struct id_item *out, struct err *e)
{
    struct list_source *s = (struct list_source *)source;
    note_taken(s);
    while (!s->rest.len) {
        enum rc rc = take_part(s, e);
        if (rc == RC_END && s->stage != BEFORE) {
            s->stage++;
            s->at = 0;
        } else if (rc != RC_OK) {
            return rc;
        }
    }
    return give(s, a, out, e);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void close_source(struct id_source *source)
{
    struct list_source *s = (struct list_source *)source;
    list_queue_free(s->queue);
    buf_free(&s->pack);
    buf_free(&s->taken_bits);
    free(s);
}

static const struct id_source_ops list_source_ops = {.next = next, .close = close_source};

enum rc list_source_new(struct list_source **out, struct list_queue *queue, size_t n_params,
                        struct err *e)
{
    struct list_source *s = calloc(1, sizeof *s);
    if (!s) {
        list_queue_free(queue);
        return err_nomem(e);
    }
    s->source.ops = &list_source_ops;
    s->queue = queue;
    s->n_params = n_params;
    buf_init(&s->pack, LIST_PACK_BYTES_MAX);
    buf_init(&s->taken_bits, BITS_BYTES_MAX);
    *out = s;
    return RC_OK;
}

struct id_source *list_source(struct list_source *s)
{
    return &s->source;
}

void list_source_use(struct list_source *s, struct state *state)
{
    s->state = state;
}

/* Leads to be kept for the next run; there may be more than fit into one part. */
struct keeping {
    struct list_source *source;
    struct buf pack;
    uint64_t n;
    uint64_t before, seq; /* number of the next lead listed before; of the next one taken */
};

static enum rc put_kept(struct keeping *k, struct err *e)
{
    enum rc rc = buf_rc(&k->pack) == RC_OK ? RC_OK : err_nomem(e);
    if (rc == RC_OK && k->n)
        rc = state_list_keep(k->source->state, buf_str(&k->pack), k->n, e);
    buf_clear(&k->pack);
    k->n = 0;
    return rc;
}

/* Must the lead with this sequence number be kept? */
static enum rc is_kept(const struct list_source *s, uint64_t seq, bool *out, struct err *e)
{
    bool is_missing = false;
    if (!s->is_incomplete)
        return state_has_failed(s->state, seq, out, e);
    enum rc rc = state_is_missing(s->state, seq, &is_missing, e);
    *out = !is_missing;
    return rc;
}

static enum rc keep_some(struct keeping *k, struct str rest, struct err *e)
{
    struct list_source *s = k->source;
    struct str id, params[PROFILE_PARAMS_MAX];
    enum rc rc = RC_OK;
    while (rc == RC_OK && k->before < s->n_before && rest.len &&
           list_pack_take(&rest, s->n_params, &id, params)) {
        uint64_t bit = k->before++;
        bool keeps = false;
        if (!(s->taken_bits.data[bit / 8] >> bit % 8 & 1))
            continue;
        rc = is_kept(s, k->seq++, &keeps, e);
        if (rc != RC_OK || !keeps)
            continue;
        list_pack_add(&k->pack, id, params, s->n_params);
        k->n++;
        if (k->pack.len >= LIST_PACK_BYTES_FULL)
            rc = put_kept(k, e);
    }
    return rc;
}

uint64_t list_source_once_more(const struct list_source *s)
{
    return s->n_taken;
}

enum rc list_source_keep(struct list_source *s, uint64_t n_unique, struct err *e)
{
    struct list_part part;
    struct keeping k = {.source = s, .seq = n_unique - s->n_taken};
    uint64_t at = 0;
    enum rc rc = RC_OK;
    if (!s->state || !s->n_taken)
        return RC_OK;
    buf_init(&k.pack, LIST_PACK_BYTES_MAX);
    while (rc == RC_OK) {
        rc = state_list_take(s->state, STATE_LISTED_BEFORE, &at, &part, &s->pack, e);
        if (rc == RC_OK)
            rc = keep_some(&k, part.pack, e);
    }
    if (rc == RC_END)
        rc = put_kept(&k, e);
    buf_free(&k.pack);
    return rc;
}
