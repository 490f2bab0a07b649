/* A file that belongs to an object and is never published: it stays on this machine. */
#include <stdlib.h>

#include "core/object/object_spool.h"

struct scratch {
    struct place place; /* first */
    struct object_spool spool;
};

static struct scratch *scratch_of(struct place *p)
{
    return (struct scratch *)p;
}

enum rc object_scratch_open(struct place **out, const struct target *t,
                            const struct outfile_cfg *cfg, struct err *e)
{
    struct scratch *s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(e);
    enum rc rc = object_spool_open(&s->spool, t, cfg->keep_bytes, e);
    if (rc != RC_OK) {
        object_spool_close(&s->spool, cfg->keep_bytes > 0);
        free(s);
        return rc;
    }
    s->place = (struct place){.ops = &place_object_scratch,
                              .target = *t,
                              .label = s->spool.target.part,
                              .back_fd = s->spool.fd};
    *out = &s->place;
    return RC_OK;
}

static enum rc scratch_write(struct place *p, const char *data, size_t n, struct err *e)
{
    return object_spool_write(&scratch_of(p)->spool, data, n, e);
}

static enum rc scratch_sync(struct place *p, struct err *e)
{
    return object_spool_sync(&scratch_of(p)->spool, e);
}

static enum rc scratch_complete(struct place *p, struct err *e)
{
    return err_set(e, RC_INTERNAL, "%s: is never published", p->label);
}

static enum rc scratch_abort(struct place *p, struct err *e)
{
    (void)e;
    object_spool_close(&scratch_of(p)->spool, false);
    p->label = "";
    p->back_fd = -1;
    return RC_OK;
}

static void scratch_close(struct place *p, bool keep)
{
    struct scratch *s = scratch_of(p);
    object_spool_close(&s->spool, keep);
    free(s);
}

const struct place_ops place_object_scratch = {
    .is_replaced = true,
    .write = scratch_write,
    .sync = scratch_sync,
    .complete = scratch_complete,
    .abort = scratch_abort,
    .close = scratch_close,
};
