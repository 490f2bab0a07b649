#include "core/state/state_internal.h"

#include <limits.h>
#include <string.h>

/* Pages that go at once when the file is made smaller: what that takes of the -wal file. */
#define VACUUM_STEP_SQL "PRAGMA incremental_vacuum(512)"

/* ---- the run's row -------------------------------------------------------------------------- */

struct run_row {
    enum state_phase phase;
    char run_id[33];
    int64_t started_wall_ms;
    size_t n_settings, n_texts;
    struct str record;
};

static enum rc put_run(struct state *s, const struct run_row *run, struct err *e)
{
    struct query q = query_of(s, SQL_RUN_PUT);
    query_int(&q, run->phase);
    query_text(&q, str_c(run->run_id));
    query_int(&q, run->started_wall_ms);
    query_int(&q, (int64_t)run->n_settings);
    query_int(&q, (int64_t)run->n_texts);
    query_text(&q, run->record);
    query_checksum(&q);
    return query_run(&q, e);
}

static bool is_run_id(struct str text)
{
    struct run_row *const row = NULL;
    if (text.len != sizeof row->run_id - 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!memchr("0123456789abcdef", text.ptr[i], 16))
            return false;
    }
    return true;
}

/* Only a run that was published has a record of its end, and texts that say how to finish it. */
static enum rc take_run(struct state *s, struct query *q, struct run_row *out, struct err *e)
{
    uint64_t phase = row_number(q, STATE_FINISHED);
    struct str run_id = row_text(q);
    out->started_wall_ms = (int64_t)row_number(q, STATE_WALL_MS_MAX);
    out->n_settings = (size_t)row_number(q, STATE_ROWS_MAX);
    out->n_texts = (size_t)row_number(q, STATE_ROWS_MAX);
    struct str record = row_text_or_null(q);
    bool published = phase == STATE_PUBLISHING || phase == STATE_FINISHED;
    q->malformed |= phase == STATE_EMPTY || !is_run_id(run_id) ||
                    published != (record.ptr != NULL) || (!published && out->n_texts > 0);
    enum rc rc = row_checksum(q, "the run", e);
    if (rc != RC_OK)
        return rc;
    out->phase = (enum state_phase)phase;
    memcpy(out->run_id, run_id.ptr, run_id.len);
    out->run_id[run_id.len] = '\0';
    return state_keep_str(s, record, &out->record, e);
}

/* Where there is none: STATE_EMPTY. */
static enum rc get_run(struct state *s, struct run_row *out, struct err *e)
{
    *out = (struct run_row){.phase = STATE_EMPTY};
    struct query q = query_of(s, SQL_RUN_GET);
    enum rc rc = query_row(&q, e);
    if (rc == RC_OK)
        rc = take_run(s, &q, out, e);
    query_end(&q);
    return rc == RC_END ? RC_OK : rc;
}

enum rc state_read_phase(struct state *s, struct err *e)
{
    struct run_row run;
    enum rc rc = get_run(s, &run, e);
    s->phase = run.phase;
    return rc;
}

enum state_phase state_phase(struct state *s)
{
    state_hold(s);
    enum state_phase phase = s->phase;
    state_release(s);
    return phase;
}

static enum rc wrong_phase(struct state *s, const char *what, struct err *e)
{
    return err_set(e, RC_INTERNAL, "%s: %s in phase %d", s->path, what, (int)s->phase);
}

/* ---- beginning and forgetting --------------------------------------------------------------- */

static enum rc run_all(struct state *s, const enum state_sql *list, size_t n, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        rc = state_run_sql(s, list[i], e);
    return rc;
}

static enum rc drop_run(struct state *s, struct err *e)
{
    static const enum state_sql all[] = {
        SQL_RUN_DROP,      SQL_SETTING_DROP,  SQL_CHECKPOINT_DROP,
        SQL_MARK_DROP,     SQL_COLUMN_DROP,   SQL_FAILURE_DROP,
        SQL_BUFFERED_DROP, SQL_DELIVERY_DROP, SQL_DELIVERY_COUNT_DROP,
        SQL_PREPARED_DROP, SQL_NOTES_DROP,    SQL_MISSING_DROP,
    };
    s->n_pack = 0;
    s->next_delivery = 1;
    enum rc rc = run_all(s, all, sizeof all / sizeof *all, e);
    return rc == RC_OK ? state_drop_list(s, e) : rc;
}

/* Gives back to the system what the run had taken; a little at a time, for the sake of the -wal
 * file. No transaction is at hand. */
static void shrink(struct state *s)
{
    for (int64_t before = INT64_MAX;;) {
        int64_t free_pages;
        struct err e;
        if (state_number(s, SQL_FREE_PAGES, &free_pages, &e) != RC_OK)
            return;
        if (free_pages == 0 || free_pages >= before)
            return;
        before = free_pages;
        if (sqlite3_exec(s->db, VACUUM_STEP_SQL, NULL, NULL, NULL) != SQLITE_OK)
            return;
    }
}

/* The last commit of a run: the phase is the new one. */
static enum rc commit_phase(struct state *s, enum state_phase phase, struct err *e)
{
    enum rc rc = state_commit(s, e);
    if (rc == RC_OK)
        s->phase = phase;
    return rc;
}

/* What is in a delivery may have been accepted without a note of it: then it is not known any more
 * what a receiver has. */
static enum rc forget_deliveries(struct state *s, struct err *e)
{
    int64_t last = 0;
    enum rc rc = state_number(s, SQL_DELIVERY_LAST, &last, e);
    return rc == RC_OK && last > 0 ? state_run_sql(s, SQL_ACCEPTED_DROP, e) : rc;
}

static enum rc forget(struct state *s, struct err *e)
{
    enum rc rc = RC_OK;
    bool unfinished = s->phase == STATE_RUNNING || s->phase == STATE_PUBLISHING;
    if (unfinished)
        rc = state_merge_notes(s, MERGE_FORGET, e);
    if (rc == RC_OK)
        rc = state_begin_transaction(s, e);
    if (rc == RC_OK && unfinished)
        rc = forget_deliveries(s, e);
    if (rc == RC_OK)
        rc = drop_run(s, e);
    if (rc == RC_OK)
        rc = commit_phase(s, STATE_EMPTY, e);
    if (rc == RC_OK)
        shrink(s);
    return rc;
}

enum rc state_forget(struct state *s, struct err *e)
{
    enum rc rc = state_enter(s, e);
    return rc == RC_OK ? state_leave(s, forget(s, e)) : rc;
}

static enum rc put_setting(struct state *s, size_t i, const struct state_setting *setting,
                           struct err *e)
{
    struct query q = query_of(s, SQL_SETTING_PUT);
    query_int(&q, (int64_t)i);
    query_text(&q, setting->name);
    query_text(&q, setting->value);
    query_checksum(&q);
    return query_run(&q, e);
}

static enum rc begin(struct state *s, const struct run_row *run,
                     const struct state_setting *settings, struct err *e)
{
    arena_reset(&s->loaded, 0);
    enum rc rc = RC_OK;
    if (s->phase == STATE_RUNNING || s->phase == STATE_PUBLISHING)
        rc = forget(s, e);
    if (rc == RC_OK)
        rc = state_begin_transaction(s, e);
    if (rc == RC_OK)
        rc = drop_run(s, e);
    for (size_t i = 0; rc == RC_OK && i < run->n_settings; i++)
        rc = put_setting(s, i, &settings[i], e);
    if (rc == RC_OK)
        rc = put_run(s, run, e);
    return rc == RC_OK ? commit_phase(s, STATE_RUNNING, e) : rc;
}

enum rc state_begin(struct state *s, const char run_id[33], int64_t started_wall_ms,
                    const struct state_setting *settings, size_t n_settings, struct err *e)
{
    struct run_row run = {
        .phase = STATE_RUNNING, .started_wall_ms = started_wall_ms, .n_settings = n_settings};
    memcpy(run.run_id, run_id, sizeof run.run_id);
    run.run_id[sizeof run.run_id - 1] = '\0';
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    rc = begin(s, &run, settings, e);
    s->verified = rc == RC_OK;
    return state_leave(s, rc);
}

/* ---- loading -------------------------------------------------------------------------------- */

static enum rc take_setting(struct state *s, struct query *q, void *out, struct err *e)
{
    struct state_setting *setting = out;
    enum rc rc = state_keep_str(s, row_text(q), &setting->name, e);
    return rc == RC_OK ? state_keep_str(s, row_text(q), &setting->value, e) : rc;
}

static enum rc take_text(struct state *s, struct query *q, void *out, struct err *e)
{
    struct str text = row_blob(q);
    q->malformed |= text.len > STATE_TEXT_BYTES_MAX;
    return state_keep_str(s, text, out, e);
}

static enum rc load(struct state *s, struct state_run *out, struct err *e)
{
    static const struct state_list settings = {SQL_SETTING_EACH, SQL_SETTING_COUNT,
                                               "a setting of the run", sizeof(struct state_setting),
                                               take_setting};
    static const struct state_list texts = {SQL_PREPARED_EACH, SQL_PREPARED_COUNT,
                                            "how to finish an output", sizeof(struct str),
                                            take_text};
    struct run_row row;
    struct state_run run = {0};
    enum rc rc = get_run(s, &row, e);
    if (rc == RC_OK)
        rc = state_load_list(s, &settings, row.n_settings, &run.settings, e);
    if (rc == RC_OK)
        rc = state_load_checkpoint(s, &run.checkpoint, e);
    if (rc == RC_OK)
        rc = state_load_list(s, &texts, row.n_texts, &run.texts, e);
    if (rc == RC_OK)
        rc = state_verify_leads(s, e);
    if (rc == RC_OK)
        rc = state_verify_deliveries(s, e);
    if (rc == RC_OK)
        rc = state_verify_accepted(s, e);
    if (rc == RC_OK)
        rc = state_verify_listed(s, e);
    if (rc != RC_OK)
        return rc;
    memcpy(run.run_id, row.run_id, sizeof run.run_id);
    run.started_wall_ms = row.started_wall_ms;
    run.n_settings = row.n_settings;
    run.n_texts = row.n_texts;
    run.record = row.record;
    *out = run;
    return RC_OK;
}

enum rc state_load(struct state *s, struct state_run *out, struct err *e)
{
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    rc = load(s, out, e);
    s->verified = rc == RC_OK;
    return state_leave(s, rc);
}

/* ---- the end -------------------------------------------------------------------------------- */

static enum rc put_text(struct state *s, size_t part, struct str text, struct err *e)
{
    if (text.len > STATE_TEXT_BYTES_MAX)
        return err_set(e, RC_LIMIT, "%s: how to finish output %zu takes %zu bytes", s->path, part,
                       text.len);
    struct query q = query_of(s, SQL_PREPARED_PUT);
    query_int(&q, (int64_t)part);
    query_blob(&q, text.ptr ? text : STR(""));
    query_checksum(&q);
    return query_run(&q, e);
}

static enum rc publish(struct state *s, const struct str *texts, size_t n, struct str record,
                       struct err *e)
{
    if (s->phase != STATE_RUNNING)
        return wrong_phase(s, "nothing can be published", e);
    struct run_row run;
    enum rc rc = get_run(s, &run, e);
    if (rc == RC_OK)
        rc = state_begin_transaction(s, e);
    if (rc == RC_OK)
        rc = state_run_sql(s, SQL_PREPARED_DROP, e);
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        rc = put_text(s, i, texts[i], e);
    if (rc != RC_OK)
        return rc;
    run.phase = STATE_PUBLISHING;
    run.n_texts = n;
    run.record = record;
    rc = put_run(s, &run, e);
    if (rc != RC_OK)
        return rc;
    /* If the sync of it fails, it may be found committed all the same: what its texts name must stay. */
    s->phase = STATE_PUBLISHING;
    return state_commit(s, e);
}

enum rc state_settle(struct state *s, struct err *e)
{
    enum rc rc = state_enter(s, e);
    return rc == RC_OK ? state_leave(s, state_commit(s, e)) : rc;
}

enum rc state_publish(struct state *s, const struct str *texts, size_t n, struct str record,
                      struct err *e)
{
    enum rc rc = state_enter(s, e);
    return rc == RC_OK ? state_leave(s, publish(s, texts, n, record, e)) : rc;
}

/* Up to the last commit the phase stays, and what was done is done again without harm. */
static enum rc finish(struct state *s, bool published, struct err *e)
{
    static const enum state_sql done[] = {SQL_NOTES_DROP, SQL_DELIVERY_DROP, SQL_BUFFERED_DROP};
    if (s->phase != STATE_PUBLISHING)
        return wrong_phase(s, "nothing was published", e);
    struct run_row run;
    enum rc rc = state_merge_notes(s, published ? MERGE_ACCEPTED : MERGE_WITHHELD, e);
    if (rc == RC_OK)
        rc = state_begin_transaction(s, e);
    if (rc == RC_OK)
        rc = run_all(s, done, sizeof done / sizeof *done, e);
    if (rc == RC_OK)
        rc = state_finish_list(s, published, e);
    if (rc == RC_OK)
        rc = get_run(s, &run, e);
    if (rc != RC_OK)
        return rc;
    run.phase = STATE_FINISHED;
    rc = put_run(s, &run, e);
    if (rc == RC_OK)
        rc = commit_phase(s, STATE_FINISHED, e);
    /* The run is over, whatever becomes of its pages: they are used by the next one. */
    if (rc == RC_OK)
        shrink(s);
    return rc;
}

enum rc state_finish(struct state *s, bool published, struct err *e)
{
    enum rc rc = state_enter(s, e);
    return rc == RC_OK ? state_leave(s, finish(s, published, e)) : rc;
}
