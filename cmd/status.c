/* leadpipe status: the content of a state as text, or how far a group has read a topic. */
#include "cmd/status.h"

#include <inttypes.h>
#include <stdio.h>

#include "cmd/commands.h"
#include "cmd/escape.h"
#include "cmd/status_queue.h"
#include "cmd/summary.h"
#include "core/json/json.h"
#include "sinks/rows/rows.h"

#define FAILED_MEMORY_MAX ((size_t)4 << 20)

/* ---- parts of it ------------------------------------------------------------------------------ */

struct str status_setting(const struct run_status *s, const char *name, size_t nth)
{
    const struct state_run *run = &s->state.run;
    for (size_t i = 0; i < run->n_settings; i++) {
        if (str_eq_c(run->settings[i].name, name) && nth-- == 0)
            return run->settings[i].value;
    }
    return STR_NONE;
}

bool status_is_companion(const struct run_status *s, size_t i)
{
    static const char label[] = ROWS_LABEL;
    struct str spec = status_setting(s, "--to", i);
    return spec.len >= sizeof label - 1 && memcmp(spec.ptr, label, sizeof label - 1) == 0;
}

static struct str member_text(const cJSON *object, const char *name)
{
    const cJSON *value = json_member(object, name);
    return value && json_is_string(value) ? json_text(value) : STR_NONE;
}

enum rc status_failed_read(const struct state_status_failed *failed, struct arena *memory,
                           struct status_failed *out)
{
    struct json_doc doc;
    struct err ignored;
    *out = (struct status_failed){STR_NONE, STR_NONE, STR_NONE};
    if (!failed->line.ptr)
        return RC_OK;
    enum rc rc = json_parse(memory, failed->line, JSON_TREE, &doc, &ignored);
    if (rc != RC_OK || !json_is_object(doc.root))
        return rc == RC_NOMEM ? rc : RC_OK;
    out->id = member_text(doc.root, "id");
    out->stage = member_text(doc.root, "stage");
    out->error = member_text(doc.root, "error");
    return RC_OK;
}

/* ---- text ------------------------------------------------------------------------------------- */

static void put_label(struct buf *out, const char *label)
{
    buf_addf(out, "%-10s", label);
}

/* Appends any bytes as one line that is safe for a terminal, and limited in length. */
static void put_text(struct buf *out, struct str text)
{
    char part[STATUS_TEXT_BYTES_MAX + 1];
    bool is_cut = text.len > STATUS_TEXT_BYTES_MAX;
    size_t n = is_cut ? utf8_cut(text.ptr, STATUS_TEXT_BYTES_MAX) : text.len;
    for (size_t i = 0; i < n; i++)
        part[i] = text.ptr[i] ? text.ptr[i] : '?';
    part[n] = '\0';
    text_escape(out, part);
    if (is_cut)
        buf_adds(out, "...");
}

static void put_holder(struct buf *out, const struct state_status *s)
{
    if (!s->holder)
        return;
    put_label(out, "in use");
    if (s->holder > 0)
        buf_addf(out, "by process %ld", (long)s->holder);
    else
        buf_adds(out, "by another process");
    buf_adds(out, s->phase == STATE_RUNNING || s->phase == STATE_PUBLISHING
                      ? ", whose run goes on; below is its last checkpoint\n"
                      : ", whose run has not begun, or has just ended\n");
}

static void put_ending(struct buf *out, const struct run_status *s)
{
    put_label(out, "last run");
    if (s->state.phase == STATE_RUNNING && s->state.holder)
        buf_adds(out, "running\n");
    else if (s->state.phase == STATE_RUNNING)
        buf_adds(out, "unfinished; run the same command again to resume it\n");
    else if (s->state.phase == STATE_PUBLISHING)
        buf_adds(out, s->state.holder ? "complete, and publishing its outputs\n"
                                      : "complete, but its outputs were not published; run the "
                                        "same command again to publish them\n");
    else
        buf_addf(out, "finished, exit status %d%s\n", s->result.exit_status,
                 s->result.withheld ? "; its outputs were not published" : "");
}

static void put_times(struct buf *out, const struct run_status *s)
{
    char at[25];
    bool has_ended = s->state.run.record.ptr != NULL;
    clock_format(s->state.run.started_wall_ms, at);
    put_label(out, "run ID");
    buf_addf(out, "%s\n", s->state.run.run_id);
    put_label(out, "started");
    buf_addf(out, "%s\n", at);
    clock_format(s->result.ended_wall_ms, at);
    put_label(out, has_ended ? "ended" : "time");
    if (has_ended)
        buf_addf(out, "%s, after %.1f seconds\n", at, s->result.seconds);
    else
        buf_addf(out, "%.1f seconds up to its last checkpoint\n",
                 (double)s->state.run.checkpoint.progress.active_ms / 1000);
}

static void put_provider(struct buf *out, const struct run_status *s)
{
    struct str provider = status_setting(s, "--provider", 0);
    struct str server = status_setting(s, "the server", 0);
    size_t n = 0;
    while (n < provider.len && provider.ptr[n] != ' ') /* then comes the digest of its profile */
        n++;
    provider.len = n;
    put_label(out, "provider");
    put_text(out, provider);
    if (server.ptr) {
        buf_adds(out, " at ");
        put_text(out, server);
    }
    buf_addc(out, '\n');
}

static void put_leads(struct buf *out, const struct run_status *s)
{
    const struct state_progress *p = &s->state.run.checkpoint.progress;
    const struct ledger_counts *l = &s->result.ledger;
    put_label(out, "leads");
    if (s->state.run.record.ptr)
        buf_addf(out,
                 "%" PRIu64 " %s, %" PRIu64 " unchanged, %" PRIu64 " missing, %" PRIu64
                 " failed, of %" PRIu64 " IDs\n",
                 l->exported, run_result_exported(&s->result, s->n_sinks), l->unchanged, l->missing,
                 l->failed, s->result.ids.unique);
    else
        buf_addf(out,
                 "%" PRIu64 " done so far: %" PRIu64 " handed to the sinks, %" PRIu64
                 " unchanged, %" PRIu64 " missing, %" PRIu64 " failed\n",
                 s->state.done, p->handed, p->unchanged, p->missing,
                 s->state.failures.n - s->state.failures.by_sink);
}

static void put_list(struct buf *out, const struct state_status *s)
{
    if (!s->has_list)
        return;
    put_label(out, "list");
    buf_addf(out, "%" PRIu64 " lead%s%s\n", s->listed, s->listed == 1 ? "" : "s",
             s->list_is_complete ? ", complete" : " so far");
}

static void put_files(struct buf *out, const struct sink_result *r)
{
    for (size_t i = 0; i < r->n_files && i < STATUS_FILES_MAX; i++) {
        char bytes[32];
        summary_bytes(bytes, sizeof bytes, r->files[i].bytes);
        buf_adds(out, "            ");
        put_text(out, str_c(r->files[i].path));
        buf_addf(out, ": %" PRIu64 " row%s, %s\n", r->files[i].rows,
                 r->files[i].rows == 1 ? "" : "s", bytes);
    }
    if (r->n_files > STATUS_FILES_MAX)
        buf_addf(out, "            and %zu more files\n", r->n_files - STATUS_FILES_MAX);
}

static void put_sink_result(struct buf *out, const struct sink_result *r,
                            const struct run_result *run)
{
    if (r->is_delivery) {
        buf_addf(out, ": %" PRIu64 " deliver%s, %" PRIu64 " delivered, %" PRIu64 " failed\n",
                 r->deliveries, r->deliveries == 1 ? "y" : "ies", r->delivered, r->failed);
    } else if (!run->published) {
        buf_adds(out, ": ");
        run_result_put_unpublished(out, run, r);
        buf_addc(out, '\n');
    } else if (r->is_database && r->due) {
        buf_adds(out, ": ");
        run_result_put_due(out, r);
        buf_addc(out, '\n');
    } else if (r->is_database) {
        buf_addf(out, ": %" PRIu64 " rows inserted, %" PRIu64 " updated, %" PRIu64 " deleted\n",
                 r->inserted, r->updated, r->deleted);
    } else {
        buf_adds(out, ":\n");
        put_files(out, r);
    }
}

static void put_sinks(struct buf *out, const struct run_status *s)
{
    for (size_t i = 0; i < s->n_sinks || i < s->state.n_sinks; i++) {
        const struct state_status_sink *sink = &s->state.sinks[i];
        if (status_is_companion(s, i))
            continue;
        put_label(out, "sink");
        put_text(out, status_setting(s, "--to", i));
        if (i < s->n_sinks)
            put_sink_result(out, &s->sinks[i], &s->result);
        else if (sink->delivered || sink->failed || sink->unanswered)
            buf_addf(out,
                     ": %" PRIu64 " delivered, %" PRIu64 " failed; deliveries without an answer: "
                     "%" PRIu64 "\n",
                     sink->delivered, sink->failed, sink->unanswered);
        else
            buf_addf(out, ": has %" PRIu64 " leads\n", s->state.run.checkpoint.progress.handed);
    }
}

static enum rc put_failed(struct buf *out, const struct state_status *s)
{
    struct arena memory;
    enum rc rc = RC_OK;
    arena_init(&memory, FAILED_MEMORY_MAX);
    for (size_t i = 0; rc == RC_OK && i < s->n_first_failed; i++) {
        struct status_failed failed;
        rc = status_failed_read(&s->first_failed[i], &memory, &failed);
        put_label(out, "failed");
        if (failed.id.ptr) {
            put_text(out, failed.id);
            buf_adds(out, ": ");
        }
        put_text(out, failed.error.ptr ? failed.error : s->first_failed[i].summary);
        buf_addc(out, '\n');
    }
    if (s->failures.n > s->n_first_failed)
        buf_addf(out, "          and %" PRIu64 " more failed\n", s->failures.n - s->n_first_failed);
    arena_free(&memory);
    return rc;
}

static enum rc status_text(struct buf *out, const char *path, const struct run_status *s)
{
    enum rc rc = RC_OK;
    put_label(out, "state");
    put_text(out, str_c(path));
    buf_addc(out, '\n');
    put_holder(out, &s->state);
    if (s->state.phase == STATE_EMPTY) {
        put_label(out, "last run");
        buf_adds(out, "none\n");
    } else {
        put_ending(out, s);
        put_times(out, s);
        put_provider(out, s);
        put_list(out, &s->state);
        put_leads(out, s);
        put_sinks(out, s);
        rc = put_failed(out, &s->state);
    }
    if (s->state.n_accepted_by > 0)
        buf_addf(out,
                 "accepted  content of %" PRIu64 " lead%s by %" PRIu64
                 " sink%s, which --changed-only compares with\n",
                 s->state.accepted, s->state.accepted == 1 ? "" : "s", s->state.n_accepted_by,
                 s->state.n_accepted_by == 1 ? "" : "s");
    return rc == RC_OK ? buf_rc(out) : rc;
}

/* ---- the command ------------------------------------------------------------------------------ */

struct status_options {
    bool json;
};

const struct option_spec status_option_specs[] = {
    {
        .name = "json",
        OPTION_AT(struct status_options, FLAG, json),
        .help = "print it as one JSON object",
    },
    {.name = NULL},
};

static enum rc show_state(struct buf *out, const char *path, bool json, struct err *e)
{
    struct run_status status;
    enum rc rc = run_status_read(&status, path, e);
    if (rc != RC_OK)
        return rc;
    if (status.state.is_earlier) {
        run_status_free(&status);
        return err_set(e, RC_USAGE,
                       "%s: was written by an earlier version of leadpipe; the next run with "
                       "--state brings it to the form of this version",
                       path);
    }
    rc = json ? status_json(out, path, &status) : status_text(out, path, &status);
    if (rc != RC_OK)
        (void)err_set(e, rc, "%s: %s", path, rc_text(rc));
    run_status_free(&status);
    return rc;
}

static enum rc show(struct messages *m, const char *what, bool json, struct err *e)
{
    struct buf out;
    buf_init(&out, STATUS_BYTES_MAX);
    enum rc rc = status_names_queue(what) ? status_queue(&out, m, what, json, e)
                                          : show_state(&out, what, json, e);
    if (rc == RC_OK)
        (void)fwrite(out.data, 1, out.len, stdout); /* checked when standard output is closed */
    buf_free(&out);
    return rc;
}

int command_status(struct messages *m, int argc, char *argv[])
{
    struct status_options o = {false};
    struct text_list arguments = {NULL, 0};
    struct arena memory;
    struct err e;
    arena_init(&memory, SIZE_MAX / 2);
    int status = command_read(m, argc, argv, &o, &arguments, 1, &memory);
    if (status == EXIT_STATUS_OK) {
        enum rc rc = secrets_new(&m->secrets) == RC_OK ? show(m, arguments.items[0], o.json, &e)
                                                       : err_nomem(&e);
        if (rc != RC_OK)
            messages_write(m, LOG_LEVEL_ERROR, NULL, e.msg);
        if (rc != RC_OK)
            status = rc == RC_USAGE || rc == RC_BUSY ? EXIT_STATUS_USAGE : EXIT_STATUS_STOPPED;
    }
    secrets_free(m->secrets);
    m->secrets = NULL;
    arena_free(&memory);
    return status;
}
