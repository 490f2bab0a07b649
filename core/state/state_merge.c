/* A million notes, in the order in which they were noted, into a table in the order of keys.
 *
 * Put there one by one they would touch all of its pages again and again, and in one commit they
 * would stand in the -wal file a second time. So: of all notes those with the lowest keys, as many
 * as memory may hold, go in the order of their keys and in commits of bounded size; then those with
 * the next keys, until none is left. Every round reads all notes, which is quick: they are packed.
 * Nothing of this depends on what rounds there were before. */
#include "core/state/state_internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/checked.h"

/* A round holds so many notes at most: 10 MiB of them, or a share of all so that there are few
 * rounds. That share is 3 bytes for each lead, where finding duplicate IDs took ten times as much. */
#define ROUND_NOTES_MIN ((uint64_t)256 * 1024)
#define ROUND_SHARE 16
#define COMMIT_NOTES 16384

struct note {
    unsigned char key[LEAD_KEY_BYTES];
    unsigned char fingerprint[STATE_FINGERPRINT_BYTES];
    uint64_t order : 62; /* of several for one key the last holds */
    uint64_t acceptance : 2;
};

struct round {
    struct note *notes;
    size_t n, cap;
    bool has_after, has_last;
    unsigned char after[LEAD_KEY_BYTES]; /* keys up to this one were done in earlier rounds */
    unsigned char last[LEAD_KEY_BYTES];  /* keys above this one are for later rounds */
    uint64_t order;
    uint64_t n_left; /* notes that no round has put yet, about */
    bool guess;
};

static int compare_keys(const unsigned char *a, const unsigned char *b)
{
    return memcmp(a, b, LEAD_KEY_BYTES);
}

static int compare_notes(const void *a, const void *b)
{
    const struct note *x = a, *y = b;
    int by_key = compare_keys(x->key, y->key);
    return by_key ? by_key : (x->order > y->order) - (x->order < y->order);
}

/* `later` is of the same key. */
static void replace_note(struct note *note, const struct note *later)
{
    bool takes_back = later->acceptance == STATE_AS_BEFORE && note->acceptance != STATE_AS_BEFORE;
    *note = *later;
    if (takes_back)
        note->acceptance = STATE_NOT_ACCEPTED;
}

static void sort_round(struct round *r)
{
    if (r->n == 0)
        return;
    qsort(r->notes, r->n, sizeof *r->notes, compare_notes);
    size_t kept = 0;
    for (size_t i = 1; i < r->n; i++) {
        if (compare_keys(r->notes[kept].key, r->notes[i].key) == 0)
            replace_note(&r->notes[kept], &r->notes[i]);
        else
            r->notes[++kept] = r->notes[i];
    }
    r->n = kept + 1;
}

/* Room for more: the highest keys must wait for a later round. */
static void cut_round(struct round *r)
{
    sort_round(r);
    if (r->n <= r->cap / 2)
        return;
    r->n = r->cap / 2;
    memcpy(r->last, r->notes[r->n - 1].key, sizeof r->last);
    r->has_last = true;
}

/* Keys are digests: where nine tenths of what there is room for will end is known beforehand,
 * and saves sorting what is cut off. A wrong guess costs time only. */
static void guess_last(struct round *r)
{
    double share = 0.9 * (double)r->cap / (double)(r->n_left + 1);
    r->has_last = r->guess && share < 1;
    if (!r->has_last)
        return;
    uint64_t from = 0;
    for (unsigned i = 0; i < 8 && r->has_after; i++)
        from = from << 8 | r->after[i];
    uint64_t last = from + (uint64_t)((double)(UINT64_MAX - from) * share);
    memset(r->last, 0xff, sizeof r->last);
    for (unsigned i = 0; i < 8; i++)
        r->last[i] = (unsigned char)(last >> (56 - 8 * i));
}

static bool is_of_round(const struct round *r, const unsigned char *key)
{
    return !(r->has_after && compare_keys(key, r->after) <= 0) &&
           !(r->has_last && compare_keys(key, r->last) > 0);
}

static void add_packed(struct round *r, const unsigned char *packed)
{
    uint64_t order = r->order++;
    if (!is_of_round(r, packed))
        return;
    if (r->n == r->cap) {
        cut_round(r);
        if (!is_of_round(r, packed))
            return;
    }
    struct note *note = &r->notes[r->n++];
    memcpy(note->key, packed, LEAD_KEY_BYTES);
    memcpy(note->fingerprint, packed + LEAD_KEY_BYTES, STATE_FINGERPRINT_BYTES);
    uint64_t acceptance = packed[NOTE_BYTES - 1];
    note->acceptance = acceptance & 3;
    note->order = order & (UINT64_MAX >> 2);
}

static enum rc take_pack(struct query *q, void *round, struct err *e)
{
    struct str pack;
    enum rc rc = state_take_pack(q, &pack, e);
    for (size_t at = 0; rc == RC_OK && at < pack.len; at += NOTE_BYTES)
        add_packed(round, (const unsigned char *)pack.ptr + at);
    return rc;
}

static enum rc collect_round(struct state *s, struct round *r, struct err *e)
{
    r->n = 0;
    r->order = 0;
    guess_last(r);
    enum rc rc = state_each_row(s, SQL_NOTES_EACH, take_pack, r, e);
    r->n_left -= r->n < r->n_left ? r->n : r->n_left;
    r->guess = r->n > r->cap / 4;
    sort_round(r);
    return rc;
}

/* Does an earlier run's entry say the same as the note? */
static enum rc is_known(struct state *s, const struct note *note, bool *out, struct err *e)
{
    struct state_content content = {.acceptance = STATE_ACCEPTED};
    memcpy(content.key, note->key, sizeof content.key);
    memcpy(content.fingerprint, note->fingerprint, sizeof content.fingerprint);
    return note->acceptance == STATE_ACCEPTED ? state_is_accepted(s, &content, 1, out, e) : RC_OK;
}

static enum rc put_note(struct state *s, const struct note *note, enum merge how, struct err *e)
{
    bool known = false;
    if (note->acceptance == STATE_AS_BEFORE)
        return RC_OK;
    enum rc rc = how == MERGE_WITHHELD ? is_known(s, note, &known, e) : RC_OK;
    if (rc != RC_OK || known)
        return rc;
    bool put = note->acceptance == STATE_ACCEPTED && how == MERGE_ACCEPTED;
    s->none_accepted &= !put;
    struct query q = query_of(s, put ? SQL_ACCEPTED_PUT : SQL_ACCEPTED_DROP_ONE);
    query_blob(&q, (struct str){(const char *)note->key, sizeof note->key});
    if (put)
        query_blob(&q, (struct str){(const char *)note->fingerprint, sizeof note->fingerprint});
    return query_run(&q, e);
}

static enum rc put_round(struct state *s, const struct round *r, enum merge how, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < r->n; i++) {
        rc = state_begin_transaction(s, e);
        if (rc == RC_OK)
            rc = put_note(s, &r->notes[i], how, e);
        if (rc == RC_OK && (i + 1) % COMMIT_NOTES == 0)
            rc = state_commit(s, e);
    }
    return rc == RC_OK ? state_commit(s, e) : rc;
}

static enum rc merge(struct state *s, struct round *r, enum merge how, struct err *e)
{
    do {
        enum rc rc = collect_round(s, r, e);
        if (rc == RC_OK)
            rc = put_round(s, r, how, e);
        if (rc != RC_OK)
            return rc;
        memcpy(r->after, r->last, sizeof r->after);
        r->has_after = true;
    } while (r->has_last);
    return RC_OK;
}

static uint64_t round_notes(uint64_t total)
{
    uint64_t notes = total / ROUND_SHARE;
    if (notes < ROUND_NOTES_MIN)
        notes = ROUND_NOTES_MIN;
    return (notes < total ? notes : total) + 2; /* a half of it is something */
}

enum rc state_merge_notes(struct state *s, enum merge how, struct err *e)
{
    int64_t bytes = 0; /* of all packs: they are in the file, whatever else a row says */
    size_t round_bytes = 0;
    enum rc rc = state_commit(s, e); /* what was noted since the last one, too */
    if (rc == RC_OK)
        rc = state_number(s, SQL_NOTES_BYTES, &bytes, e);
    if (rc != RC_OK || bytes == 0)
        return rc;
    uint64_t total = (uint64_t)bytes / NOTE_BYTES;
    struct round r = {.cap = round_notes(total), .n_left = total, .guess = true};
    if (!size_mul(r.cap, sizeof *r.notes, &round_bytes))
        return err_nomem(e);
    r.notes = malloc(round_bytes);
    if (!r.notes)
        return err_nomem(e);
    rc = merge(s, &r, how, e);
    free(r.notes);
    return rc;
}
