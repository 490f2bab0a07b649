/* `leadpipe status --json`: one object. */
#include <inttypes.h>

#include "cmd/status.h"
#include "core/base/clock.h"
#include "core/json/json.h"

static void add_text(struct buf *out, const char *name, struct str value)
{
    buf_addf(out, "\"%s\":", name);
    if (value.ptr)
        json_write_bytes(out,
                         (struct str){value.ptr, value.len > STATUS_TEXT_BYTES_MAX
                                                     ? utf8_cut(value.ptr, STATUS_TEXT_BYTES_MAX)
                                                     : value.len});
    else
        buf_adds(out, "null");
}

static void add_time(struct buf *out, const char *name, int64_t wall_ms)
{
    char at[25];
    clock_format(wall_ms, at);
    buf_addf(out, ",\"%s\":\"%s\"", name, at);
}

static void add_count(struct buf *out, const char *name, uint64_t n)
{
    buf_addf(out, ",\"%s\":%" PRIu64, name, n);
}

static void add_settings(struct buf *out, const struct state_run *run)
{
    buf_adds(out, ",\"settings\":[");
    for (size_t i = 0; i < run->n_settings && i < STATUS_SETTINGS_MAX; i++) {
        buf_adds(out, i ? ",{" : "{");
        add_text(out, "name", run->settings[i].name);
        buf_addc(out, ',');
        add_text(out, "value", run->settings[i].value);
        buf_addc(out, '}');
    }
    buf_addc(out, ']');
}

static void add_leads(struct buf *out, const struct run_status *s)
{
    const struct state_progress *done = &s->state.run.checkpoint.progress;
    const struct ledger_counts *l = &s->result.ledger;
    if (s->state.has_list)
        buf_addf(out, ",\"list\":{\"leads\":%" PRIu64 ",\"complete\":%s}", s->state.listed,
                 s->state.list_is_complete ? "true" : "false");
    if (s->n_sinks > 0)
        buf_addf(out,
                 ",\"ids\":{\"read\":%" PRIu64 ",\"unique\":%" PRIu64 ",\"duplicates\":%" PRIu64
                 "},\"ledger\":{\"exported\":%" PRIu64 ",\"unchanged\":%" PRIu64
                 ",\"missing\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"pending\":0}",
                 s->result.ids.read, s->result.ids.unique, s->result.ids.duplicates, l->exported,
                 l->unchanged, l->missing, l->failed);
    buf_addf(out,
             ",\"checkpoint\":{\"done\":%" PRIu64 ",\"handed_to_sinks\":%" PRIu64
             ",\"unchanged\":%" PRIu64 ",\"missing\":%" PRIu64 ",\"failed\":%" PRIu64
             ",\"active_seconds\":%.3f}",
             s->state.done, done->handed, done->unchanged, done->missing, s->state.failures.n,
             (double)done->active_ms / 1000);
}

static enum rc add_failed(struct buf *out, const struct run_status *s, struct arena *memory)
{
    enum rc rc = RC_OK;
    buf_adds(out, ",\"failed\":[");
    for (size_t i = 0; rc == RC_OK && i < s->state.n_first_failed; i++) {
        struct status_failed failed;
        rc = status_failed_read(&s->state.first_failed[i], memory, &failed);
        if (rc != RC_OK)
            break;
        buf_adds(out, i ? ",{" : "{");
        add_text(out, "id", failed.id);
        buf_addc(out, ',');
        add_text(out, "stage", failed.stage);
        buf_addc(out, ',');
        add_text(out, "error", failed.error.ptr ? failed.error : s->state.first_failed[i].summary);
        buf_addc(out, '}');
    }
    buf_addc(out, ']');
    return rc;
}

static void add_files(struct buf *out, const struct sink_result *r)
{
    buf_adds(out, ",\"files\":[");
    for (size_t i = 0; i < r->n_files && i < STATUS_FILES_MAX; i++) {
        buf_adds(out, i ? ",{" : "{");
        add_text(out, "path", str_c(r->files[i].path));
        add_count(out, "rows", r->files[i].rows);
        add_count(out, "bytes", r->files[i].bytes);
        buf_addc(out, '}');
    }
    buf_addf(out, "],\"files_total\":%zu", r->n_files);
}

/* The progress of a sink; or, once the run has ended, what the sink has written. */
static void add_sink(struct buf *out, const struct run_status *s, size_t i)
{
    const struct state_status_sink *sink = &s->state.sinks[i];
    const struct sink_result *r = i < s->n_sinks ? &s->sinks[i] : NULL;
    buf_addc(out, '{');
    add_text(out, "sink", status_setting(s, "--to", i));
    add_count(out, "unanswered_deliveries", sink->unanswered);
    if (!r || r->is_delivery) {
        add_count(out, "delivered", r ? r->delivered : sink->delivered);
        add_count(out, "failed", r ? r->failed : sink->failed);
    } else if (r->is_database) {
        add_count(out, "inserted", r->inserted);
        add_count(out, "updated", r->updated);
        add_count(out, "deleted", r->deleted);
        if (r->due)
            add_text(out, "waits_for_shards", str_c(r->waits_for));
    } else {
        add_files(out, r);
    }
    buf_addc(out, '}');
}

static enum rc add_run(struct buf *out, const struct run_status *s, struct arena *memory)
{
    static const char *const phases[] = {[STATE_EMPTY] = "",
                                         [STATE_RUNNING] = "unfinished",
                                         [STATE_PUBLISHING] = "publishing",
                                         [STATE_FINISHED] = "finished"};
    const struct state_run *run = &s->state.run;
    size_t n_sinks = s->n_sinks > s->state.n_sinks ? s->n_sinks : s->state.n_sinks;
    buf_addf(out, "{\"phase\":\"%s\",", phases[s->state.phase]);
    add_text(out, "run_id", str_c(run->run_id));
    add_time(out, "started_at", run->started_wall_ms);
    if (run->record.ptr) {
        add_time(out, "ended_at", s->result.ended_wall_ms);
        buf_addf(out, ",\"seconds\":%.3f,\"exit_status\":%d,\"published\":%s", s->result.seconds,
                 s->result.exit_status, s->result.published ? "true" : "false");
    }
    add_leads(out, s);
    enum rc rc = add_failed(out, s, memory);
    buf_adds(out, ",\"sinks\":[");
    const char *comma = "";
    for (size_t i = 0; i < n_sinks; i++) {
        if (status_is_companion(s, i))
            continue;
        buf_adds(out, comma);
        comma = ",";
        add_sink(out, s, i);
    }
    buf_addc(out, ']');
    add_settings(out, run);
    buf_addc(out, '}');
    return rc;
}

enum rc status_json(struct buf *out, const char *path, const struct run_status *s)
{
    struct arena memory;
    enum rc rc = RC_OK;
    arena_init(&memory, STATUS_BYTES_MAX);
    buf_addc(out, '{');
    add_text(out, "state", str_c(path));
    buf_addf(out, ",\"in_use\":%s,\"process\":", s->state.holder ? "true" : "false");
    if (s->state.holder > 0)
        buf_addf(out, "%ld", (long)s->state.holder);
    else
        buf_adds(out, "null");
    buf_adds(out, ",\"run\":");
    if (s->state.phase == STATE_EMPTY)
        buf_adds(out, "null");
    else
        rc = add_run(out, s, &memory);
    buf_addf(out, ",\"accepted\":{\"leads\":%" PRIu64 ",\"sinks\":%" PRIu64 "}}\n",
             s->state.accepted, s->state.n_accepted_by);
    arena_free(&memory);
    return rc == RC_OK ? buf_rc(out) : rc;
}
