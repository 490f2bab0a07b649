#include <stdlib.h>

#include "core/base/blob.h"
#include "core/base/units.h"
#include "core/file/fd_io.h"
#include "core/file/folder.h"
#include "core/file/place.h"
#include "core/object/object_probe.h"
#include "core/object/object_recover.h"
#include "core/object/object_spool.h"
#include "core/object/upload.h"

struct object {
    struct place place; /* first */
    struct object_store *store;
    struct upload *upload;
    uint64_t bytes;
    struct buf part; /* what no part has yet; not spooled: there it is in the file */
    /* A local file with the whole, where it must be read back. */
    struct object_spool spool;
    bool handed_over; /* a text says how to finish it */
    bool aborted;
};

static struct object *object_of(struct place *p)
{
    return (struct object *)p;
}

static bool is_spooled(const struct object *o)
{
    return o->spool.fd >= 0;
}

/* It could be written when the run began: the command is not to blame. */
static enum rc io(enum rc rc, struct err *e)
{
    return rc == RC_USAGE || rc == RC_END ? (e->rc = RC_IO) : rc;
}

/* ---- targets -------------------------------------------------------------------------------- */

static enum rc object_check(const struct target *t, struct err *e)
{
    struct s3_url url;
    return s3_url_parse(t->path, false, &url, e);
}

static enum rc object_check_spool(const struct target *t, struct err *e)
{
    const struct object_store_cfg *cfg = object_store_cfg(t->ctx);
    enum rc rc = folder_check(cfg->spool_dir_source, cfg->spool_dir, e);
    if (rc != RC_OK)
        err_prefix(e, "%s: needs a local file, too", t->path);
    return rc;
}

static void object_probe_target(const struct target *t, const char *subject,
                                const struct findings *f)
{
    object_probe(t->ctx, t->final, subject, f);
}

/* A role that may write may not be allowed to list: what stays then is for a rule of the bucket. */
static void clear(struct object_store *s, const char *url)
{
    struct err e;
    if (upload_clear(s, url, &e) != RC_OK)
        log_msg(object_store_cfg(s)->http.log, LOG_LEVEL_INFO, NULL,
                "unfinished uploads of earlier runs could not be listed: %s", e.msg);
}

static void object_clear(const struct target *t)
{
    if (t->suffix >= OUTFILE_SCRATCH)
        object_spool_clear(t->ctx, t->final, t->suffix);
    /* What an earlier run has left of an upload was aborted when this one began. */
}

static void object_discard(const struct target *t)
{
    clear(t->ctx, t->final);
    for (int i = 0; i < OUTFILE_SUFFIXES; i++)
        object_spool_clear(t->ctx, t->final, (enum outfile_suffix)i);
}

/* ---- parts ---------------------------------------------------------------------------------- */

static uint64_t sent_bytes(const struct object *o)
{
    return (uint64_t)upload_parts(o->upload) * UPLOAD_PART_BYTES;
}

/* Sends the next `n` bytes of the spooled file. */
static enum rc send_spooled(struct object *o, size_t n, struct err *e)
{
    struct buf part = upload_part_memory(o->upload);
    size_t got = 0;
    char *room = buf_reserve(&part, n);
    enum rc rc = n && !room ? err_nomem(e) : RC_OK;
    if (rc == RC_OK && n)
        rc = fd_read_at(o->spool.fd, o->spool.target.part, sent_bytes(o), room, n, &got, e);
    if (rc == RC_OK && got < n)
        rc = err_set(e, RC_IO, "%s: is shorter than what was written to it", o->spool.target.part);
    if (rc == RC_OK) {
        part.len = n;
        rc = upload_put(o->upload, &part, e);
    }
    buf_free(&part);
    return rc;
}

static enum rc send_whole_parts(struct object *o, struct err *e)
{
    enum rc rc = RC_OK;
    while (rc == RC_OK && o->bytes - sent_bytes(o) >= UPLOAD_PART_BYTES)
        rc = send_spooled(o, UPLOAD_PART_BYTES, e);
    return rc;
}

static enum rc write_spooled(struct object *o, const char *data, size_t n, struct err *e)
{
    enum rc rc = object_spool_write(&o->spool, data, n, e);
    if (rc != RC_OK)
        return rc;
    o->bytes += n;
    return send_whole_parts(o, e);
}

static enum rc object_write(struct place *p, const char *data, size_t n, struct err *e)
{
    struct object *o = object_of(p);
    if (is_spooled(o))
        return io(write_spooled(o, data, n, e), e);
    enum rc rc = RC_OK;
    while (rc == RC_OK && n > 0) {
        /* One that was large enough for a part will have another that is large. */
        if (!o->part.cap && upload_parts(o->upload))
            o->part = upload_part_memory(o->upload);
        size_t room = UPLOAD_PART_BYTES - o->part.len;
        size_t take = n < room ? n : room;
        buf_add(&o->part, data, take);
        if (buf_rc(&o->part) != RC_OK)
            return err_nomem(e);
        o->bytes += take;
        data += take;
        n -= take;
        if (o->part.len == UPLOAD_PART_BYTES)
            rc = upload_put(o->upload, &o->part, e);
    }
    return io(rc, e);
}

/* ---- marks ---------------------------------------------------------------------------------- */

/* TOKEN:ID:PARTS: and a blob with what is behind the last part; nothing of what is spooled. */
static enum rc object_mark(struct place *p, struct buf *text, struct err *e)
{
    struct object *o = object_of(p);
    struct upload_name name = upload_name(o->upload);
    buf_addf(text, "%s:" STR_FMT ":%u:", name.token, STR_ARG(name.id), upload_parts(o->upload));
    blob_put(text, o->part.data, o->part.len);
    return buf_rc(text) == RC_OK
               ? RC_OK
               : err_set(e, buf_rc(text), "%s: %s", p->label, rc_text(buf_rc(text)));
}

static enum rc object_sync(struct place *p, struct err *e)
{
    struct object *o = object_of(p);
    enum rc rc = is_spooled(o) ? object_spool_sync(&o->spool, e) : RC_OK;
    return rc == RC_OK ? io(upload_settle(o->upload, e), e) : rc;
}

struct mark {
    struct upload_name name;
    unsigned parts;
};

static enum rc take_mark(struct object *o, const struct outfile_cfg *cfg, struct mark *m,
                         struct err *e)
{
    struct str text = cfg->mark, token;
    uint64_t parts = 0;
    enum rc rc = RC_SYNTAX;
    if (text_take(&text, ':', &token) && token.len == UPLOAD_TOKEN_CHARS &&
        text_take(&text, ':', &m->name.id) && text_take_uint(&text, ':', &parts) &&
        parts <= UPLOAD_PARTS_MAX)
        rc = blob_take(text, &o->part);
    if (rc == RC_NOMEM)
        return err_nomem(e);
    uint64_t sent = parts * UPLOAD_PART_BYTES;
    bool fits = is_spooled(o) ? sent <= cfg->keep_bytes && o->part.len == 0
                              : sent + o->part.len == cfg->keep_bytes;
    if (rc != RC_OK || !fits)
        return err_set(e, RC_SYNTAX, "%s: the mark in the state is damaged", cfg->path);
    memcpy(m->name.token, token.ptr, token.len);
    m->parts = (unsigned)parts;
    return RC_OK;
}

/* ---- opening -------------------------------------------------------------------------------- */

static enum rc begin_upload(struct object *o, struct err *e)
{
    return upload_begin(&o->upload, o->store, o->place.target.final, e);
}

/* The upload of an earlier run. Where it is gone, what is spooled can be sent again. */
static enum rc resume_upload(struct object *o, const struct outfile_cfg *cfg, struct err *e)
{
    struct mark m = {.parts = 0}; /* the token with a NUL behind it */
    enum rc rc = take_mark(o, cfg, &m, e);
    if (rc == RC_OK)
        rc = upload_resume(&o->upload, o->store, o->place.target.final, &m.name, m.parts, e);
    if (rc == RC_OK)
        rc = upload_verify(o->upload, sent_bytes(o), e);
    if (rc == RC_END && is_spooled(o)) {
        upload_free(o->upload);
        o->upload = NULL;
        rc = begin_upload(o, e);
    }
    if (rc == RC_END)
        rc = e->rc = RC_USAGE;
    return rc;
}

static enum rc open_all(struct object *o, const struct outfile_cfg *cfg, struct err *e)
{
    bool resumes = cfg->mark.ptr != NULL;
    if (!resumes && cfg->keep_bytes > 0)
        return err_set(e, RC_SYNTAX, "%s: the mark in the state is damaged", cfg->path);
    enum rc rc = cfg->reads_back
                     ? object_spool_open(&o->spool, &o->place.target, cfg->keep_bytes, e)
                     : RC_OK;
    if (rc == RC_OK)
        rc = resumes ? resume_upload(o, cfg, e) : begin_upload(o, e);
    if (rc == RC_OK && object_store_cfg(o->store)->owns_keys)
        clear(o->store, o->place.target.final);
    o->bytes = cfg->keep_bytes;
    return rc;
}

/* `keeps`: what a mark needs stays. */
static void object_free(struct object *o, bool keeps)
{
    object_spool_close(&o->spool, keeps);
    upload_free(o->upload);
    buf_free(&o->part);
    free(o);
}

static enum rc object_open(struct place **out, const struct target *t,
                           const struct outfile_cfg *cfg, struct err *e)
{
    if (cfg->suffix >= OUTFILE_SCRATCH)
        return object_scratch_open(out, t, cfg, e);
    struct object *o = calloc(1, sizeof *o);
    if (!o)
        return err_nomem(e);
    o->place = (struct place){.ops = &place_object, .target = *t, .label = t->path, .back_fd = -1};
    o->store = t->ctx;
    o->spool = (struct object_spool){.fd = -1, .target = {.fd = -1}};
    buf_init(&o->part, UPLOAD_PART_BYTES);
    enum rc rc = open_all(o, cfg, e);
    if (rc != RC_OK) {
        object_free(o, cfg->mark.ptr != NULL);
        return rc;
    }
    o->place.back_fd = o->spool.fd;
    *out = &o->place;
    return RC_OK;
}

/* ---- ending --------------------------------------------------------------------------------- */

static enum rc complete(struct object *o, struct err *e)
{
    enum rc rc = is_spooled(o) ? send_whole_parts(o, e) : RC_OK;
    /* An object without a byte has a part without one. */
    if (rc != RC_OK)
        return rc;
    if (o->bytes > sent_bytes(o) || upload_parts(o->upload) == 0)
        rc = is_spooled(o) ? send_spooled(o, (size_t)(o->bytes - sent_bytes(o)), e)
                           : upload_put(o->upload, &o->part, e);
    if (rc == RC_OK)
        rc = upload_settle(o->upload, e);
    return rc == RC_OK ? upload_verify(o->upload, o->bytes, e) : rc;
}

static enum rc object_complete(struct place *p, struct err *e)
{
    return io(complete(object_of(p), e), e);
}

static enum rc object_prepare(struct place *p, struct buf *text, struct err *e)
{
    struct object *o = object_of(p);
    struct upload_name name = upload_name(o->upload);
    (void)e;
    object_put_upload(text, p->target.final, &name, upload_parts(o->upload), o->bytes);
    o->handed_over = true;
    return RC_OK;
}

static void object_prepare_removal(const struct place *p, struct buf *text)
{
    const struct object *o = (const struct object *)p;
    struct upload_name name = upload_name(o->upload);
    object_put_removal(text, p->target.final, &name);
}

static void object_begin_commit(struct place *p)
{
    upload_begin_completion(object_of(p)->upload);
}

static enum rc object_commit(struct place *p, struct err *e)
{
    struct object *o = object_of(p);
    enum rc rc = upload_complete(o->upload, e);
    p->published = rc == RC_OK;
    /* Giving back the space of a large file takes a while, in which the server may complete other objects. */
    if (p->published) {
        object_spool_close(&o->spool, false);
        p->back_fd = -1;
    }
    return io(rc, e);
}

static enum rc object_abort(struct place *p, struct err *e)
{
    struct object *o = object_of(p);
    if (o->aborted)
        return RC_OK;
    enum rc rc = upload_abort(o->upload, e);
    o->aborted = rc == RC_OK;
    return io(rc, e);
}

static void object_close(struct place *p, bool keep)
{
    struct object *o = object_of(p);
    struct err e;
    bool drops = !p->published && !keep && !o->handed_over && !o->aborted;
    if (drops && upload_abort(o->upload, &e) != RC_OK)
        log_msg(object_store_cfg(o->store)->http.log, LOG_LEVEL_WARN, NULL,
                "an unfinished upload remains on the server: %s", e.msg);
    object_free(o, keep && !p->published && !o->aborted);
}

const struct place_ops place_object = {
    .is_replaced = true,
    .check = object_check,
    .check_spool = object_check_spool,
    .probe = object_probe_target,
    .unfinished = object_spool_names,
    .clear = object_clear,
    .discard = object_discard,
    .open = object_open,
    .write = object_write,
    .mark = object_mark,
    .sync = object_sync,
    .complete = object_complete,
    .prepare = object_prepare,
    .prepare_removal = object_prepare_removal,
    .begin_commit = object_begin_commit,
    .commit = object_commit,
    .abort = object_abort,
    .close = object_close,
    .recover = object_recover,
};
