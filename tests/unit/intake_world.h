/* An intake whose source follows a script. Include once in a test
 * program. */
#ifndef LEADPIPE_TESTS_INTAKE_WORLD_H
#define LEADPIPE_TESTS_INTAKE_WORLD_H

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/run/intake.h"
#include "core/run/progress.h"
#include "core/source/ids.h"
#include "run_world.h"

#define ITEMS_MAX 2048

/* What a source gives, one after the other. Of all zero: the end. */
struct step {
    enum { AN_END, AN_ID, AN_ID_ONCE_MORE, A_BAD_LINE, AN_ERROR, A_STOP, A_PAUSE, A_WAIT } what;
    const char *id;    /* or why it is none, or the error's text */
    const char *param; /* of an intake with parameters */
    const char *file;  /* line: its number among the steps, from 1 */
    enum rc rc;
};

/* A source that follows a script. */
struct script {
    struct id_source source; /* the first member */
    struct intake *intake;
    const struct step *steps;
    size_t at;
    struct str params[1];
    unsigned closed;
    bool is_taken;  /* the intake's answer about the last ID of those once more */
    unsigned taken; /* of them */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool paused, may_continue; /* at A_PAUSE and A_WAIT */
};

struct intake_world {
    struct run_world w;
    struct intake in;
    struct script script;
    struct progress before_progress; /* of the earlier part of the run */
    struct state_checkpoint before;
    struct buf got; /* the leads that were taken: "SEQ:ID", "!" behind a bad line's number */
};

/* ---- the source ------------------------------------------------------------------------------- */

static inline void pause_script(struct script *s)
{
    pthread_mutex_lock(&s->lock);
    s->paused = true;
    pthread_cond_broadcast(&s->changed);
    while (!s->may_continue)
        pthread_cond_wait(&s->changed, &s->lock);
    s->may_continue = false;
    pthread_mutex_unlock(&s->lock);
}

static inline void wait_for_pause(struct script *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->paused)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

static inline void resume_script(struct script *s)
{
    pthread_mutex_lock(&s->lock);
    s->may_continue = true;
    s->paused = false; /* the next one is another */
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static inline enum rc script_next(struct id_source *source, struct arena *a, struct id_item *out,
                                  struct err *e)
{
    struct script *s = (struct script *)source;
    const struct step *step = &s->steps[s->at++];
    s->taken += s->is_taken;
    s->is_taken = false;
    while (step->what == A_PAUSE || step->what == A_WAIT || step->what == A_STOP) {
        struct source_wait wait = intake_wait(s->intake);
        if (step->what == A_STOP)
            control_stop(s->intake->control, 15);
        else if (step->what == A_WAIT)
            wait.before(wait.ctx);
        if (step->what != A_STOP)
            pause_script(s);
        step = &s->steps[s->at++];
    }
    if (step->what == AN_END)
        return RC_END;
    if (step->what == AN_ERROR)
        return err_set(e, step->rc, "%s", step->id);
    bool is_bad = step->what == A_BAD_LINE;
    s->params[0] = str_c(step->param);
    const char *copy = arena_strdup(a, str_c(step->id)); /* as every source: gone with the arena */
    assert_non_null(copy);
    *out = (struct id_item){.id = is_bad ? STR_NONE : str_c(copy),
                            .params = s->intake->n_params ? s->params : NULL,
                            .bad = is_bad ? copy : NULL,
                            .file = step->file,
                            .line = s->at,
                            .once_more = step->what == AN_ID_ONCE_MORE ? &s->is_taken : NULL};
    return RC_OK;
}

static inline void script_close(struct id_source *source)
{
    ((struct script *)source)->closed++;
}

static const struct id_source_ops script_ops = {.next = script_next, .close = script_close};

/* ---- the intake ------------------------------------------------------------------------------- */

static inline void world_open(struct intake_world *w, const struct step *steps, size_t n_params)
{
    struct err e = {0};
    memset(w, 0, sizeof *w);
    run_world_init(&w->w, NULL);
    buf_init(&w->got, 1 << 20);
    w->script = (struct script){.source.ops = &script_ops, .intake = &w->in, .steps = steps};
    assert_int_equal(pthread_mutex_init(&w->script.lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&w->script.changed, NULL), 0);
    w->in.control = &w->w.control;
    w->in.n_params = n_params;
    w->in.resume.state_path = "the.state";
    if (intake_open(&w->in, &e) != RC_OK)
        fail_msg("%s", e.msg);
    w->in.source = &w->script.source;
}

static inline void world_close(struct intake_world *w)
{
    intake_free(&w->in);
    assert_int_equal(w->script.closed, 1);
    progress_free(&w->before_progress);
    buf_free(&w->got);
    pthread_cond_destroy(&w->script.changed);
    pthread_mutex_destroy(&w->script.lock);
    run_world_free(&w->w);
}

static inline void start(struct intake_world *w)
{
    assert_int_equal(intake_start(&w->in), RC_OK);
}

static inline void take_all(struct intake_world *w)
{
    for (struct lead *lead; (lead = intake_take(&w->in)); lead_free(lead)) {
        bool is_bad = lead->run->outcome == OUTCOME_FAILED;
        buf_addf(&w->got, "%s%llu:%s%s", w->got.len ? " " : "", (unsigned long long)lead->seq,
                 lead->id.ptr, is_bad ? "!" : "");
    }
}

/* All is read and taken, on this thread. */
static inline void run(struct intake_world *w)
{
    start(w);
    intake_join(&w->in);
    take_all(w);
}

static inline void expect_leads(struct intake_world *w, const char *want)
{
    assert_string_equal(buf_cstr(&w->got), want);
}

static inline void expect_ids(struct intake_world *w, uint64_t read, uint64_t unique)
{
    struct ids_counts counts = intake_counts(&w->in), progress = intake_progress(&w->in);
    if (counts.read != read || counts.unique != unique || counts.duplicates != read - unique ||
        memcmp(&counts, &progress, sizeof counts) != 0)
        fail_msg("%llu read, %llu unique, %llu duplicates; in progress %llu, %llu; wanted %llu, "
                 "%llu",
                 (unsigned long long)counts.read, (unsigned long long)counts.unique,
                 (unsigned long long)counts.duplicates, (unsigned long long)progress.read,
                 (unsigned long long)progress.unique, (unsigned long long)read,
                 (unsigned long long)unique);
}

#define ID(text)                                                                                   \
    {                                                                                              \
        .what = AN_ID, .id = (text)                                                                \
    }
#define BAD(text)                                                                                  \
    {                                                                                              \
        .what = A_BAD_LINE, .id = (text), .file = "f.txt"                                          \
    }
#define STEP(kind)                                                                                 \
    {                                                                                              \
        .what = (kind)                                                                             \
    }
#define ERROR(status, text)                                                                        \
    {                                                                                              \
        .what = AN_ERROR, .id = (text), .rc = (status)                                             \
    }

#endif
