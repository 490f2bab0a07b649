#include "run_internal.h"

#include <stdlib.h>

/* ---- may it go on? -------------------------------------------------------------------------- */

static bool term_equal(const struct state_term *a, const struct state_term *b)
{
    return str_eq(a->name, b->name) && str_eq(a->value, b->value);
}

/* Is there one of that name among them, from number `from` on? */
static bool has_term(const struct state_term *terms, size_t n, size_t from, struct str name)
{
    for (size_t i = from; i < n; i++) {
        if (str_eq(terms[i].name, name))
            return true;
    }
    return false;
}

static const char *const go_on_text =
    "the command as it was goes on with that run, --fresh forgets it";

static enum rc refuse_value(const struct run *r, const struct state_term *then,
                            const struct state_term *now, struct err *e)
{
    return err_set(e, RC_USAGE,
                   "%s holds an unfinished run of another command: " STR_FMT " was " STR_FMT
                   " and is now " STR_FMT "; %s",
                   r->cfg->state_path, STR_ARG(now->name), STR_ARG(then->value),
                   STR_ARG(now->value), go_on_text);
}

static enum rc refuse_one(const struct run *r, const struct state_term *one, bool was_given,
                          struct err *e)
{
    return err_set(
        e, RC_USAGE,
        "%s holds an unfinished run of another command: " STR_FMT "%s" STR_FMT " was %s; %s",
        r->cfg->state_path, STR_ARG(one->name), one->value.len ? " " : "", STR_ARG(one->value),
        was_given ? "given then and is not now" : "not given then", go_on_text);
}

static enum rc compare_terms(const struct run *r, const struct state_run *then, struct err *e)
{
    const struct run_cfg *now = r->cfg;
    size_t i = 0;
    while (i < then->n_terms && i < now->n_terms && term_equal(&then->terms[i], &now->terms[i]))
        i++;
    if (i == then->n_terms && i == now->n_terms)
        return RC_OK;
    if (i == now->n_terms)
        return refuse_one(r, &then->terms[i], true, e);
    if (i == then->n_terms)
        return refuse_one(r, &now->terms[i], false, e);
    if (str_eq(then->terms[i].name, now->terms[i].name))
        return refuse_value(r, &then->terms[i], &now->terms[i], e);
    /* One more of something that may be said again, or one less. */
    return has_term(now->terms, now->n_terms, i, then->terms[i].name)
               ? refuse_one(r, &now->terms[i], false, e)
               : refuse_one(r, &then->terms[i], true, e);
}

static enum rc found_delivery(void *ctx, const struct state_delivery *d, struct err *e)
{
    (void)d;
    *(bool *)ctx = true;
    return err_set(e, RC_END, "one is enough");
}

/* Nothing of it is done: then it does not matter what it was. */
static enum rc is_blank(struct run *r, const struct state_run *then, bool *out, struct err *e)
{
    bool found = then->checkpoint.n_marks > 0;
    for (unsigned i = 0; !found && i < RUN_SINKS_MAX; i++) {
        enum rc rc = state_each_delivery(r->state, i, found_delivery, &found, e);
        if (rc != RC_OK && rc != RC_END)
            return rc;
    }
    *out = !found;
    return RC_OK;
}

/* ---- opening -------------------------------------------------------------------------------- */

static void on_failed(void *ctx, const struct err *e)
{
    run_fatal(ctx, e);
}

static enum rc begin_run(struct run *r, struct err *e)
{
    return state_begin(r->state, r->run_id, r->started_wall_ms, r->cfg->terms, r->cfg->n_terms, e);
}

static enum rc go_on(struct run *r, struct err *e)
{
    struct resume *m = &r->resume;
    memcpy(r->run_id, m->run.run_id, sizeof r->run_id);
    r->started_wall_ms = m->run.started_wall_ms;
    r->active_before_ms = m->run.checkpoint.tally.active_ms;
    m->loaded = true;
    char started_at[25];
    clock_format(r->started_wall_ms, started_at);
    log_msg(r->cfg->log, LOG_LEVEL_INFO, r->cfg->state_path, "going on with the run of %s",
            started_at);
    return tally_load(&r->tally, &m->run.checkpoint) == RC_OK ? RC_OK : err_nomem(e);
}

/* An unfinished run is there. */
static enum rc load_run(struct run *r, struct err *e)
{
    struct resume *m = &r->resume;
    bool blank = false;
    enum rc rc = state_load(r->state, &m->run, e);
    if (rc == RC_OK && state_phase(r->state) == STATE_RUNNING)
        rc = is_blank(r, &m->run, &blank, e);
    if (rc == RC_OK && blank)
        return begin_run(r, e);
    if (rc == RC_OK)
        rc = compare_terms(r, &m->run, e);
    if (rc == RC_OK)
        rc = go_on(r, e);
    r->republish = rc == RC_OK && state_phase(r->state) == STATE_PUBLISHING;
    return rc;
}

static enum rc accept_by(struct run *r, struct err *e)
{
    struct str sinks[RUN_SINKS_MAX];
    bool has_accepted = false;
    for (size_t i = 0; i < r->n_outlets; i++)
        sinks[i] = str_c(r->cfg->sinks[i].identity);
    enum rc rc = state_has_accepted(r->state, &has_accepted, e);
    /* What was accepted must be kept up to date by runs that do not ask for it, too. */
    r->notes_accepted = r->cfg->changed_only || has_accepted;
    if (rc == RC_OK && r->notes_accepted)
        rc = state_accept_by(r->state, sinks, r->n_outlets, e);
    return rc;
}

enum rc resume_open(struct run *r, struct err *e)
{
    const struct state_cfg cfg = {.path = r->cfg->state_path, .failed = on_failed, .ctx = r};
    enum rc rc = state_open(&r->state, &cfg, e);
    if (rc == RC_OK && r->cfg->fresh)
        rc = state_forget(r->state, e);
    if (rc != RC_OK)
        return rc;
    enum state_phase phase = state_phase(r->state);
    if (phase == STATE_RUNNING || phase == STATE_PUBLISHING)
        rc = load_run(r, e);
    else
        rc = begin_run(r, e);
    return rc == RC_OK && !r->republish ? accept_by(r, e) : rc;
}

void resume_free(struct run *r)
{
    struct resume *m = &r->resume;
    for (size_t i = m->next_early; i < m->n_early; i++)
        lead_free(m->early[i]);
    free(m->early);
    free(m->owed);
    free(m->sent);
    tally_free(&r->tally);
    state_close(r->state);
}

static int compare_places(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void sort_sent(struct resume *m)
{
    if (m->n_sent)
        qsort(m->sent, m->n_sent, sizeof *m->sent, compare_places);
}

/* ---- restoring ------------------------------------------------------------------------------ */

static enum rc restore_columns(struct run *r, struct err *e)
{
    const struct state_checkpoint *c = &r->resume.run.checkpoint;
    for (size_t i = 0; i < c->n_columns; i++) {
        const struct state_column *column = &c->columns[i];
        const struct source source = {.scope = column->scope,
                                      .occurrence = column->occurrence,
                                      .key = column->key,
                                      .member = column->member};
        enum rc rc = schema_restore(r->schema, column->table, &source, e);
        if (rc != RC_OK) {
            err_prefix(e, "%s", r->cfg->state_path);
            return rc == RC_SYNTAX ? (e->rc = RC_USAGE) : rc;
        }
    }
    return RC_OK;
}

enum rc resume_restore(struct run *r, struct err *e)
{
    struct resume *m = &r->resume;
    if (!m->loaded)
        return RC_OK;
    enum rc rc = state_rewind(r->state, e);
    if (rc == RC_OK)
        rc = restore_columns(r, e);
    if (rc == RC_OK)
        rc = state_kept_places(r->state, &m->kept, &m->n_kept, e);
    if (rc == RC_OK)
        rc = state_count_failures(r->state, &m->failures, e);
    return rc;
}

const struct sink_mark *resume_mark(const struct run *r, size_t sink, struct sink_mark *mark)
{
    const struct state_checkpoint *c = &r->resume.run.checkpoint;
    if (!r->resume.loaded || sink >= c->n_marks)
        return NULL;
    mark->text = c->marks[sink];
    return mark;
}

enum rc resume_count(struct run *r, struct err *e)
{
    struct resume *m = &r->resume;
    const struct state_tally *done = &r->tally.sums;
    char first[512];
    if (!m->loaded)
        return RC_OK;
    sort_sent(m);
    enum rc rc = state_first_failure(r->state, first, sizeof first, e);
    if (rc != RC_OK)
        return rc;
    const struct ledger_counts counts = {
        .exported = done->handed - m->failures.by_sink - (m->n_owed - m->owed_failed),
        .unchanged = done->unchanged,
        .missing = done->missing,
        .failed = m->failures.n,
    };
    ledger_go_on(r->ledger, &counts, first);
    return RC_OK;
}

/* ---- leads that sinks owe ------------------------------------------------------------------- */

/* The first that is not below `place`: they are in order of their places. */
static size_t find_owed(const struct resume *m, uint64_t place)
{
    size_t low = 0;
    size_t high = m->n_owed;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (m->owed[middle]->seq < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct lead *get_owed(const struct resume *m, uint64_t place)
{
    size_t i = find_owed(m, place);
    return i < m->n_owed && m->owed[i]->seq == place ? m->owed[i] : NULL;
}

static enum rc add_owed(struct resume *m, struct lead *lead)
{
    if (m->n_owed == m->cap_owed) {
        size_t cap = m->cap_owed ? m->cap_owed * 2 : 64;
        struct lead **owed = realloc(m->owed, cap * sizeof(struct lead *));
        if (!owed)
            return RC_NOMEM;
        m->owed = owed;
        m->cap_owed = cap;
    }
    size_t i = find_owed(m, lead->seq);
    memmove(m->owed + i + 1, m->owed + i, (m->n_owed - i) * sizeof(struct lead *));
    m->owed[i] = lead;
    m->n_owed++;
    return RC_OK;
}

static enum rc make_owed(struct run *r, const struct owed_lead *owed, struct lead **out,
                         struct err *e)
{
    struct resume *m = &r->resume;
    struct lead *lead = lead_new(owed->id, owed->params, r->cfg->profile->n_params);
    if (!lead)
        return err_nomem(e);
    lead->seq = owed->seq;
    memcpy(lead->fingerprint, owed->fingerprint, sizeof lead->fingerprint);
    enum rc rc = id_key(owed->id, owed->params, r->cfg->profile->n_params, lead->key, e);
    bool failed = false;
    if (rc == RC_OK)
        rc = state_has_failed(r->state, owed->seq, &failed, e);
    if (rc == RC_OK && add_owed(m, lead) != RC_OK)
        rc = err_nomem(e);
    if (rc != RC_OK) {
        lead_free(lead);
        return rc;
    }
    if (failed) { /* by another sink: it is counted and listed */
        lead->refusals = 1;
        lead->outcome = OUTCOME_FAILED;
        lead->counted = true;
        m->owed_failed++;
    }
    *out = lead;
    return RC_OK;
}

enum rc resume_owed(void *outlet, struct sink *sink, const struct owed_lead *owed,
                    struct lead **out, struct err *e)
{
    struct run *r = ((struct outlet *)outlet)->run;
    (void)sink;
    *out = NULL;
    if (!tally_is_done(&r->tally, owed->seq))
        return RC_OK;
    struct lead *lead = get_owed(&r->resume, owed->seq);
    enum rc rc = lead ? RC_OK : make_owed(r, owed, &lead, e);
    if (rc != RC_OK || !lead)
        return rc;
    lead->holders++; /* no other thread knows it yet */
    *out = lead;
    return RC_OK;
}

enum rc resume_sent(void *outlet, struct sink *sink, uint64_t place, struct err *e)
{
    struct resume *m = &((struct outlet *)outlet)->run->resume;
    (void)sink;
    if (m->n_sent == m->cap_sent) {
        size_t cap = m->cap_sent ? m->cap_sent * 2 : 256;
        uint64_t *sent = realloc(m->sent, cap * sizeof *sent);
        if (!sent)
            return err_nomem(e);
        m->sent = sent;
        m->cap_sent = cap;
    }
    m->sent[m->n_sent++] = place;
    return RC_OK;
}

bool resume_was_sent(const struct run *r, uint64_t place)
{
    const struct resume *m = &r->resume;
    return m->n_sent && bsearch(&place, m->sent, m->n_sent, sizeof *m->sent, compare_places);
}

/* ---- the IDs once more ----------------------------------------------------------------------- */

static enum rc other_ids(const struct run *r, struct err *e)
{
    uint64_t high = r->resume.run.checkpoint.tally.high;
    return err_set(e, RC_USAGE,
                   "the IDs are not those of the unfinished run in %s: among the first %llu one is "
                   "another, or their order is; it goes on with the same IDs, --fresh forgets it",
                   r->cfg->state_path, (unsigned long long)high);
}

static enum rc hold_early(struct resume *m, struct lead *lead)
{
    if (m->n_early == m->cap_early) {
        size_t cap = m->cap_early ? m->cap_early * 2 : 64;
        struct lead **early = realloc(m->early, cap * sizeof(struct lead *));
        if (!early)
            return RC_NOMEM;
        m->early = early;
        m->cap_early = cap;
    }
    m->early[m->n_early++] = lead;
    return RC_OK;
}

enum rc resume_next_id(struct run *r, struct lead *lead, bool *skip, bool *hold, struct err *e)
{
    struct resume *m = &r->resume;
    const struct state_tally *done = &m->run.checkpoint.tally;
    *skip = *hold = false;
    if (!m->loaded || lead->seq >= done->high)
        return RC_OK;
    *skip = m->next_hole == m->run.checkpoint.n_holes ||
            m->run.checkpoint.holes[m->next_hole] != lead->seq;
    m->next_hole += !*skip;
    *hold = !*skip;
    if (*skip)
        tally_add_key(&m->seen, lead->seq, lead->key);
    else if (hold_early(m, lead) != RC_OK) {
        *hold = false;
        return err_nomem(e);
    }
    bool is_last = lead->seq + 1 == done->high;
    bool same = m->seen.key_a == done->key_a && m->seen.key_b == done->key_b;
    return is_last && !same ? other_ids(r, e) : RC_OK;
}

bool resume_ids_are_sure(const struct run *r)
{
    return !r->resume.loaded || r->next_place >= r->resume.run.checkpoint.tally.high;
}

struct lead *resume_release(struct run *r)
{
    struct resume *m = &r->resume;
    return m->next_early < m->n_early ? m->early[m->next_early++] : NULL;
}

enum rc resume_end_of_ids(struct run *r, struct err *e)
{
    const struct resume *m = &r->resume;
    uint64_t high = m->loaded ? m->run.checkpoint.tally.high : 0;
    if (r->next_place >= high)
        return RC_OK;
    return err_set(e, RC_USAGE,
                   "the IDs are not those of the unfinished run in %s: they end after %llu, and "
                   "%llu were done; it goes on with the same IDs, --fresh forgets it",
                   r->cfg->state_path, (unsigned long long)r->next_place, (unsigned long long)high);
}

/* ---- kept payloads -------------------------------------------------------------------------- */

static bool is_kept(struct resume *m, uint64_t place)
{
    while (m->next_kept < m->n_kept && m->kept[m->next_kept] < place)
        m->next_kept++;
    return m->next_kept < m->n_kept && m->kept[m->next_kept] == place;
}

bool resume_take_kept(struct run *r, struct lead *lead, struct buf *body)
{
    struct state_kept kept;
    struct err e;
    if (!is_kept(&r->resume, lead->seq))
        return false;
    enum rc rc = state_take_kept(r->state, lead->seq, &kept, body, &e);
    if (rc != RC_OK || memcmp(kept.key, lead->key, sizeof kept.key) != 0) {
        buf_clear(body); /* it is fetched once more; the state's errors stop the run */
        return false;
    }
    lead->http_status = kept.http_status;
    lead->attempts = kept.attempts;
    lead->mended = kept.mended;
    return true;
}
