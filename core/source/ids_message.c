#include "core/source/ids_message.h"

#include <stdlib.h>

#include "core/source/ids_item.h"
#include "core/source/ids_object.h"
#include "core/source/ids_text.h"

struct ids_messages {
    struct ids_cfg cfg;
    struct ids_found found;
    struct arena scratch;
    size_t n_params;
};

enum rc ids_messages_new(struct ids_messages **out, const struct ids_cfg *cfg, struct err *e)
{
    struct ids_messages *m = calloc(1, sizeof *m);
    if (!m)
        return err_nomem(e);
    m->cfg = *cfg;
    m->n_params = cfg->profile ? cfg->profile->n_params : 0;
    arena_init(&m->scratch, IDS_SCRATCH_BYTES_MAX);
    m->found.params = calloc(m->n_params + 1, sizeof *m->found.params);
    enum rc rc = m->found.params ? ids_check_defaults(&m->cfg, e) : err_nomem(e);
    if (rc != RC_OK) {
        ids_messages_free(m);
        return rc;
    }
    *out = m;
    return RC_OK;
}

void ids_messages_free(struct ids_messages *m)
{
    if (!m)
        return;
    arena_free(&m->scratch);
    free(m->found.params);
    free(m);
}

static enum rc find(struct ids_messages *m, struct str text, struct err *e)
{
    struct ids_found *f = &m->found;
    f->id = STR_NONE;
    f->line = 0;
    f->bad.rc = RC_OK;
    for (size_t i = 0; i < m->n_params; i++)
        f->params[i] = STR_NONE;
    if (text.len > IDS_LINE_BYTES_MAX) {
        (void)err_set(&f->bad, RC_SYNTAX, "the message is longer than %d bytes",
                      IDS_LINE_BYTES_MAX);
        return RC_OK;
    }
    struct str trimmed = text.len ? ids_trim(text) : STR("");
    if (trimmed.len && *trimmed.ptr == '{')
        return ids_object_read(&m->cfg, &m->scratch, trimmed, f, e);
    f->id = trimmed;
    return RC_OK;
}

enum rc ids_messages_read(struct ids_messages *m, struct str key, struct str value,
                          const char *where, struct arena *a, struct id_item *out, struct err *e)
{
    struct id_item item;
    enum rc rc = find(m, value.len ? value : key, e);
    if (rc != RC_OK)
        return rc;
    bool bad = !ids_found_complete(&m->cfg, &m->found);
    if (bad)
        err_prefix(&m->found.bad, "%s", where);
    if (ids_item_make(&m->cfg, &m->found, bad, NULL, a, &item) != RC_OK)
        return err_nomem(e);
    *out = item;
    return RC_OK;
}
