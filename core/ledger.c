#include "ledger.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "json.h"
#include "outfile.h"
#include "state.h"

/* A row holds an ID, its parameters and texts that are bounded where they are made. */
#define ROW_BYTES_MAX (1024 * 1024)

struct ledger {
    const struct profile *profile;
    const struct clock *clock;
    struct state *state; /* or NULL */
    atomic_uint_least64_t outcomes[OUTCOME_FAILED + 1];
    pthread_mutex_t lock;
    struct outfile *list; /* NULL: not wanted. Under `lock`, as what follows */
    struct buf row;
    char first_failure[512];
};

enum rc ledger_new(struct ledger **out, const struct profile *profile, const char *failed_path,
                   struct state *state, const struct clock *clock, struct err *e)
{
    struct ledger *l = calloc(1, sizeof *l);
    if (!l)
        return err_nomem(e);
    l->profile = profile;
    l->clock = clock;
    l->state = state;
    buf_init(&l->row, ROW_BYTES_MAX);
    if (pthread_mutex_init(&l->lock, NULL)) {
        free(l);
        return err_nomem(e);
    }
    if (failed_path) {
        enum rc rc = outfile_open(&l->list, failed_path, 0, false, e);
        if (rc != RC_OK) {
            ledger_free(l);
            return rc;
        }
    }
    *out = l;
    return RC_OK;
}

void ledger_free(struct ledger *l)
{
    if (!l)
        return;
    if (l->list)
        outfile_close(l->list, false);
    buf_free(&l->row);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static void write_member(struct buf *b, struct str name, struct str value)
{
    buf_addc(b, ',');
    json_write_string(b, name);
    buf_addc(b, ':');
    if (value.ptr)
        json_write_string(b, value);
    else
        buf_adds(b, "null");
}

static void write_number(struct buf *b, struct str name, int64_t value)
{
    buf_addc(b, ',');
    json_write_string(b, name);
    buf_addc(b, ':');
    json_write_int(b, value);
}

static void write_row(struct buf *b, const struct profile *profile, const struct lead *lead,
                      int64_t wall_ms)
{
    const struct failure *f = &lead->failure;
    char at[25];
    clock_format(wall_ms, at);
    buf_adds(b, "{\"id\":");
    if (lead->id.len)
        json_write_string(b, lead->id);
    else
        buf_adds(b, "null"); /* a line of which nothing could be read */
    for (size_t i = 0; i < profile->n_params; i++) {
        if (lead->params[i].len)
            write_member(b, profile->params[i], lead->params[i]);
    }
    write_member(b, STR("stage"), str_c(stage_text(f->stage)));
    write_member(b, STR("sink"), str_c(f->sink));
    if (f->http_status)
        write_number(b, STR("http_status"), f->http_status);
    else
        buf_adds(b, ",\"http_status\":null");
    write_member(b, STR("code"), str_c(f->code));
    write_member(b, STR("error"), str_c(f->error));
    write_number(b, STR("attempts"), f->attempts);
    write_member(b, STR("at"), str_c(at));
    buf_adds(b, "}\n");
}

static void summarise(const struct lead *lead, char *out, size_t size)
{
    /* Of a bad line the text names file and line, and shows what can be shown of the ID. */
    struct str id = lead->failure.stage == STAGE_INPUT ? STR_NONE : lead->id;
    (void)snprintf(out, size, STR_FMT "%s%s", STR_ARG(id), id.len ? ": " : "",
                   lead->failure.error ? lead->failure.error : "");
    utf8_scrub(out); /* it may have been cut within a character */
}

/* Under the lock. */
static enum rc list_failure(struct ledger *l, const struct lead *lead, struct err *e)
{
    char summary[sizeof l->first_failure];
    summarise(lead, summary, sizeof summary);
    if (!l->first_failure[0])
        memcpy(l->first_failure, summary, sizeof summary);
    if (!l->list && !l->state)
        return RC_OK;
    buf_clear(&l->row);
    write_row(&l->row, l->profile, lead, clock_wall_ms(l->clock));
    if (buf_rc(&l->row) != RC_OK)
        return err_set(e, buf_rc(&l->row), "failed list: %s", rc_text(buf_rc(&l->row)));
    if (l->state)
        return state_fail(l->state, lead->seq, lead->failure.stage == STAGE_SINK, buf_str(&l->row),
                          str_c(summary), e);
    outfile_write(l->list, l->row.data, l->row.len);
    return outfile_rc(l->list, e);
}

enum rc ledger_note(struct ledger *l, const struct lead *lead, struct err *e)
{
    if (l->state)
        state_hold(l->state); /* before our own lock: who settles a delivery has it already */
    pthread_mutex_lock(&l->lock);
    enum rc rc = list_failure(l, lead, e);
    pthread_mutex_unlock(&l->lock);
    if (l->state)
        state_release(l->state);
    return rc;
}

void ledger_record(struct ledger *l, const struct lead *lead)
{
    if (lead->outcome != OUTCOME_PENDING)
        atomic_fetch_add_explicit(&l->outcomes[lead->outcome], 1, memory_order_relaxed);
}

void ledger_go_on(struct ledger *l, const struct ledger_counts *before, const char *first_failure)
{
    atomic_store(&l->outcomes[OUTCOME_EXPORTED], before->exported);
    atomic_store(&l->outcomes[OUTCOME_UNCHANGED], before->unchanged);
    atomic_store(&l->outcomes[OUTCOME_MISSING], before->missing);
    atomic_store(&l->outcomes[OUTCOME_FAILED], before->failed);
    (void)snprintf(l->first_failure, sizeof l->first_failure, "%s", first_failure);
}

static uint64_t count_of(struct ledger *l, enum outcome outcome)
{
    return atomic_load_explicit(&l->outcomes[outcome], memory_order_relaxed);
}

struct ledger_counts ledger_counts(struct ledger *l, uint64_t unique)
{
    struct ledger_counts c = {
        .exported = count_of(l, OUTCOME_EXPORTED),
        .unchanged = count_of(l, OUTCOME_UNCHANGED),
        .missing = count_of(l, OUTCOME_MISSING),
        .failed = count_of(l, OUTCOME_FAILED),
    };
    uint64_t decided = c.exported + c.unchanged + c.missing + c.failed;
    c.pending = unique > decided ? unique - decided : 0;
    return c;
}

const char *ledger_first_failure(const struct ledger *l)
{
    return l->first_failure;
}

static enum rc copy_row(void *ctx, struct str row, struct err *e)
{
    struct ledger *l = ctx;
    outfile_write(l->list, row.ptr, row.len);
    return outfile_rc(l->list, e);
}

enum rc ledger_complete(struct ledger *l, struct err *e)
{
    if (!l->list)
        return RC_OK;
    enum rc rc = l->state ? state_each_failure(l->state, copy_row, l, e) : RC_OK;
    return rc == RC_OK ? outfile_complete(l->list, e) : rc;
}

void ledger_renames(struct ledger *l, struct buf *out)
{
    if (l->list)
        outfile_renames(l->list, out);
}

enum rc ledger_publish(struct ledger *l, struct err *e)
{
    return l->list ? outfile_publish(l->list, e) : RC_OK;
}
