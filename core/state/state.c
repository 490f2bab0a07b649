#include "core/state/state_internal.h"

#include <stdlib.h>
#include <string.h>

void state_free(struct state *s)
{
    arena_free(&s->loaded);
    state_commit_destroy(s);
    free(s->path);
    free(s->file);
    free(s);
}

struct state *state_new(const struct state_cfg *cfg)
{
    struct state *s = calloc(1, sizeof *s);
    if (!s || !state_commit_init(s)) {
        free(s);
        return NULL;
    }
    s->on_failed = cfg->failed;
    s->ctx = cfg->ctx;
    s->forgets = cfg->forgets;
    arena_init(&s->loaded, SIZE_MAX);
    s->path = strdup(cfg->path);
    if (s->path)
        return s;
    state_free(s);
    return NULL;
}

enum rc state_open(struct state **out, const struct state_cfg *cfg, struct err *e)
{
    struct state_file file;
    enum rc rc = state_file_make(cfg->path, &file, e);
    if (rc != RC_OK)
        return rc;
    struct state *s = state_new(cfg);
    if (!s) {
        free(file.real);
        return err_nomem(e);
    }
    s->file = file.real;
    rc = state_db_open(s, e);
    if (rc == RC_OK)
        rc = state_read_phase(s, e);
    if (rc == RC_OK)
        rc = state_read_next_delivery(s, e);
    if (rc == RC_OK)
        rc = state_read_list(s, e);
    if (rc != RC_OK) {
        state_db_close(s, true);
        state_free(s);
        return rc;
    }
    s->opened = true;
    *out = s;
    return RC_OK;
}

void state_close(struct state *s)
{
    if (!s)
        return;
    state_commit_stop(s);
    state_hold(s);
    bool good = s->failed.rc == RC_OK && state_commit(s, NULL) == RC_OK;
    if (good) {
        /* Closing does this, too, but does not say whether it could. */
        int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        if (rc != SQLITE_OK)
            good = state_sql_failed(s, rc, NULL) == RC_OK;
    }
    state_db_close(s, !good);
    state_release(s);
    state_free(s);
}
