#include "core/run/ledger.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/file/descriptor.h"
#include "core/file/folder.h"
#include "core/failed_row.h"
#include "core/file/outfile.h"
#include "core/json/json.h"
#include "core/run/figures.h"
#include "core/state/state.h"

/* A row has an ID, its parameters, and texts whose lengths are limited where they are made. */
#define ROW_BYTES_MAX (1024 * 1024)

/* A file of rows that are leads. */
struct list {
    struct outfile *file; /* NULL: not wanted */
    uint64_t n_rows;      /* in the file */
    bool tried, complete;
};

enum { LIST_FAILED, LIST_MISSING, N_LISTS };

struct ledger {
    struct ledger_cfg cfg;
    atomic_uint_least64_t outcomes[OUTCOME_FAILED + 1];
    atomic_uint_least64_t failed_by_sink;
    pthread_mutex_t lock;
    struct list lists[N_LISTS]; /* under `lock`, as what follows */
    struct buf row;
    char first_failure[512];
};

/* A sink may make the same folder later. */
static enum rc make_folder(const char *path, struct err *e)
{
    if (outfile_is_url(path) || descriptor_written(path) >= 0)
        return RC_OK;
    char *folder = folder_of(path);
    enum rc rc = folder ? outfile_make_dirs(folder, e) : err_nomem(e);
    free(folder);
    return rc;
}

static enum rc open_lists(struct ledger *l, struct err *e)
{
    const char *const paths[N_LISTS] = {l->cfg.failed_path, l->cfg.missing_path};
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < N_LISTS; i++) {
        const struct outfile_cfg file = {.places = l->cfg.places,
                                         .path = paths[i],
                                         .want_sha256 = l->cfg.is_shard,
                                         .stop = l->cfg.stop};
        if (paths[i])
            rc = make_folder(paths[i], e);
        if (rc == RC_OK && paths[i])
            rc = outfile_open_cfg(&l->lists[i].file, &file, e);
    }
    return rc;
}

enum rc ledger_new(struct ledger **out, const struct ledger_cfg *cfg, struct err *e)
{
    struct ledger *l = calloc(1, sizeof *l);
    if (!l)
        return err_nomem(e);
    l->cfg = *cfg;
    buf_init(&l->row, ROW_BYTES_MAX);
    if (pthread_mutex_init(&l->lock, NULL)) {
        free(l);
        return err_nomem(e);
    }
    enum rc rc = open_lists(l, e);
    if (rc != RC_OK) {
        ledger_free(l);
        return rc;
    }
    *out = l;
    return RC_OK;
}

void ledger_free(struct ledger *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < N_LISTS; i++)
        outfile_close(l->lists[i].file, false);
    buf_free(&l->row);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

void ledger_write_row(const struct ledger *l, const struct lead *lead, struct buf *out)
{
    const struct failure *f = &lead->run->failure;
    const struct failed_row row = {
        .profile = l->cfg.profile,
        .lead = lead,
        .stage = stage_text(f->stage),
        .sink = f->sink,
        .http_status = f->http_status,
        .code = f->code,
        .error = f->error,
        .attempts = f->attempts,
        .at_wall_ms = clock_wall_ms(l->cfg.clock),
        .has_number = l->cfg.is_shard,
    };
    failed_row_write(out, &row);
}

static void summarise(const struct lead *lead, char *out, size_t size)
{
    /* For a bad line the message names file and line, and quotes the ID as far as possible. */
    const struct failure *f = &lead->run->failure;
    struct str id = f->stage == STAGE_INPUT ? STR_NONE : lead->id;
    (void)snprintf(out, size, STR_FMT "%s%s", STR_ARG(id), id.len ? ": " : "",
                   f->error ? f->error : "");
    utf8_scrub(out); /* it may have been truncated within a character */
}

/* Under the lock. */
static enum rc make_row(struct ledger *l, const struct lead *lead, const char *list, struct err *e)
{
    buf_clear(&l->row);
    ledger_write_row(l, lead, &l->row);
    enum rc rc = buf_rc(&l->row);
    return rc == RC_OK ? RC_OK : err_set(e, rc, "%s: %s", list, rc_text(rc));
}

/* `to` is a struct list. Also the callback for the state's rows. */
static enum rc list_row(void *to, struct str row, struct err *e)
{
    struct list *list = to;
    outfile_write(list->file, row.ptr, row.len);
    list->n_rows++;
    return outfile_rc(list->file, e);
}

static enum rc note_failed(struct ledger *l, const struct lead *lead, struct err *e)
{
    struct list *list = &l->lists[LIST_FAILED];
    char summary[sizeof l->first_failure];
    summarise(lead, summary, sizeof summary);
    if (!l->first_failure[0])
        memcpy(l->first_failure, summary, sizeof summary);
    if (l->cfg.figures)
        figures_add_failure(l->cfg.figures, l->cfg.profile, lead);
    if (!list->file && !l->cfg.state)
        return RC_OK;
    enum rc rc = make_row(l, lead, "failed list", e);
    if (rc != RC_OK)
        return rc;
    if (l->cfg.state)
        return state_fail(l->cfg.state, lead->seq, lead->run->failure.stage == STAGE_SINK,
                          buf_str(&l->row), str_c(summary), e);
    return list_row(list, buf_str(&l->row), e);
}

static enum rc note_missing(struct ledger *l, const struct lead *lead, struct err *e)
{
    struct list *list = &l->lists[LIST_MISSING];
    if (!list->file && !l->cfg.state)
        return RC_OK;
    enum rc rc = make_row(l, lead, "missing list", e);
    if (rc == RC_OK && l->cfg.state)
        rc = state_miss(l->cfg.state, lead->seq, buf_str(&l->row), e);
    else if (rc == RC_OK)
        rc = list_row(list, buf_str(&l->row), e);
    return rc;
}

enum rc ledger_list_lead(struct ledger *l, const struct lead *lead, struct err *e)
{
    if (l->cfg.state)
        state_hold(l->cfg.state); /* before our lock: whoever settles a delivery holds it already */
    pthread_mutex_lock(&l->lock);
    bool is_missing = lead->run->outcome == OUTCOME_MISSING;
    enum rc rc = is_missing ? note_missing(l, lead, e) : note_failed(l, lead, e);
    pthread_mutex_unlock(&l->lock);
    if (l->cfg.state)
        state_release(l->cfg.state);
    return rc;
}

void ledger_count_lead(struct ledger *l, const struct lead *lead)
{
    const struct run_lead *r = lead->run;
    if (r->outcome == OUTCOME_PENDING)
        return;
    atomic_fetch_add_explicit(&l->outcomes[r->outcome], 1, memory_order_relaxed);
    if (r->outcome == OUTCOME_FAILED && r->failure.stage == STAGE_SINK)
        atomic_fetch_add_explicit(&l->failed_by_sink, 1, memory_order_relaxed);
}

void ledger_resume(struct ledger *l, const struct ledger_counts *before, const char *first_failure)
{
    atomic_store(&l->outcomes[OUTCOME_EXPORTED], before->exported);
    atomic_store(&l->outcomes[OUTCOME_UNCHANGED], before->unchanged);
    atomic_store(&l->outcomes[OUTCOME_MISSING], before->missing);
    atomic_store(&l->outcomes[OUTCOME_FAILED], before->failed);
    atomic_store(&l->failed_by_sink, before->failed_by_sink);
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
        .failed_by_sink = atomic_load_explicit(&l->failed_by_sink, memory_order_relaxed),
    };
    uint64_t decided = c.exported + c.unchanged + c.missing + c.failed;
    c.pending = unique > decided ? unique - decided : 0;
    return c;
}

const char *ledger_first_failure(const struct ledger *l)
{
    return l->first_failure;
}

static enum rc complete_list(struct ledger *l, size_t i, struct err *e)
{
    static enum rc (*const each[N_LISTS])(
        struct state *, enum rc(*)(void *, struct str, struct err *), void *,
        struct err *) = {[LIST_FAILED] = state_each_failure, [LIST_MISSING] = state_each_missing};
    struct list *list = &l->lists[i];
    if (!list->file || list->tried)
        return RC_OK;
    list->tried = true;
    enum rc rc = l->cfg.state ? each[i](l->cfg.state, list_row, list, e) : RC_OK;
    if (rc == RC_OK)
        rc = outfile_complete(list->file, e);
    list->complete = rc == RC_OK;
    return rc;
}

enum rc ledger_complete(struct ledger *l, struct err *e)
{
    struct err other;
    enum rc rc = RC_OK;
    for (size_t i = 0; i < N_LISTS; i++) {
        enum rc one = complete_list(l, i, rc == RC_OK ? e : &other);
        rc = rc == RC_OK ? one : rc;
    }
    return rc;
}

bool ledger_list_file(const struct ledger *l, bool missing, struct sink_file *out)
{
    const struct list *list = &l->lists[missing ? LIST_MISSING : LIST_FAILED];
    if (!list->file || !list->complete)
        return false;
    *out = (struct sink_file){.path = missing ? l->cfg.missing_path : l->cfg.failed_path,
                              .rows = list->n_rows,
                              .bytes = outfile_bytes(list->file)};
    (void)snprintf(out->sha256, sizeof out->sha256, "%s", outfile_sha256(list->file));
    return true;
}

enum rc ledger_prepare(struct ledger *l, struct buf *text, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < N_LISTS; i++) {
        if (l->lists[i].file)
            rc = outfile_prepare(l->lists[i].file, text, e);
    }
    return rc;
}

bool ledger_lacks(const struct ledger *l, bool missing)
{
    const struct list *list = &l->lists[missing ? LIST_MISSING : LIST_FAILED];
    return list->file && !outfile_is_published(list->file);
}

enum rc ledger_publish(struct ledger *l, bool all, struct err *e)
{
    struct err other;
    enum rc rc = RC_OK;
    for (size_t i = 0; i < N_LISTS; i++) {
        const struct list *list = &l->lists[i];
        if (!list->complete || !(all || list->n_rows))
            continue;
        enum rc one = outfile_publish(list->file, rc == RC_OK ? e : &other);
        rc = rc == RC_OK ? one : rc;
    }
    return rc;
}
