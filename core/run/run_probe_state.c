#include "core/run/run_probe_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/run/resume.h"

#define TIME_BYTES 25 /* of clock_format() */

static void report_held(const char *path, const struct run_status *s, const struct findings *f)
{
    char who[64] = "another process";
    if (s->state.holder > 0)
        (void)snprintf(who, sizeof who, "process %ld", (long)s->state.holder);
    findings_add(f, FINDING_FAIL, "state",
                 "%s: in use by %s (another run of leadpipe, with %" PRIu64
                 " leads done), and a second run is refused meanwhile: wait for it, or stop it",
                 path, who, s->state.done);
}

static void report_finished(const char *path, const struct run_status *s, const struct findings *f)
{
    char at[TIME_BYTES];
    const struct ledger_counts *l = &s->result.ledger;
    clock_format(s->result.ended_wall_ms, at);
    findings_add(f, FINDING_OK, "state",
                 "%s: nothing is unfinished; the last run ended %s with exit status %d: %" PRIu64
                 " %s, %" PRIu64 " unchanged, %" PRIu64 " missing, %" PRIu64 " failed",
                 path, at, s->result.exit_status, l->exported,
                 run_result_exported(&s->result, s->n_sinks), l->unchanged, l->missing, l->failed);
}

/* An unfinished run, which this command would resume, or because of which it would be refused. */
static void report_unfinished(const struct run_cfg *cfg, const struct run_status *s,
                              const struct findings *f)
{
    char at[TIME_BYTES];
    bool is_blank = false;
    struct err e;
    const char *path = cfg->state_path;
    clock_format(s->state.run.started_wall_ms, at);
    enum rc rc = RC_OK;
    if (!cfg->fresh)
        rc = resume_may(cfg, s->state.state, &s->state.run, &is_blank, &e);
    if (rc != RC_OK)
        findings_add(f, FINDING_FAIL, "state", "%s (its run of %s has %" PRIu64 " leads done)",
                     e.msg, at, s->state.done);
    else if (cfg->fresh)
        findings_add(f, FINDING_WARN, "state",
                     "%s: holds an unfinished run of %s with %" PRIu64
                     " leads done, which this command would discard (--fresh)",
                     path, at, s->state.done);
    else if (is_blank)
        findings_add(f, FINDING_OK, "state",
                     "%s: the run of %s has done nothing yet; this command begins anew", path, at);
    else if (s->state.phase == STATE_PUBLISHING)
        findings_add(f, FINDING_WARN, "state",
                     "%s: the run of %s is complete, but its outputs were not published: this "
                     "command would only publish them; run it once before the next run is due",
                     path, at);
    else
        findings_add(f, FINDING_WARN, "state",
                     "%s: holds an unfinished run of %s with %" PRIu64
                     " leads done, which this command would resume: they keep the content of that "
                     "time; --fresh would discard them",
                     path, at, s->state.done);
}

static void report(const struct run_cfg *cfg, const struct run_status *s, const struct findings *f)
{
    if (s->state.holder)
        report_held(cfg->state_path, s, f);
    else if (s->state.is_earlier)
        findings_add(f, FINDING_WARN, "state",
                     "%s: was written by an earlier version of leadpipe; the next run brings it to "
                     "the form of this version, or says why it cannot",
                     cfg->state_path);
    else if (s->state.phase == STATE_RUNNING || s->state.phase == STATE_PUBLISHING)
        report_unfinished(cfg, s, f);
    else if (s->state.phase == STATE_FINISHED)
        report_finished(cfg->state_path, s, f);
    else
        findings_add(f, FINDING_OK, "state", "%s: can be used; it has no run yet", cfg->state_path);
}

bool run_probe_state(const struct run_cfg *cfg, struct run_status *out, const struct findings *f)
{
    struct stat st;
    struct err e;
    const char *path = cfg->state_path;
    enum rc rc = state_check(path, &e);
    if (rc == RC_OK && stat(path, &st) != 0 && errno == ENOENT) {
        findings_add(f, FINDING_OK, "state", "%s: does not exist yet; the first run creates it",
                     path);
        return false;
    }
    if (rc == RC_OK)
        rc = run_status_read(out, path, &e);
    if (rc != RC_OK) {
        findings_add(f, FINDING_FAIL, "state", "%s", e.msg);
        return false;
    }
    report(cfg, out, f);
    return true;
}
