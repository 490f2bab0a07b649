#include "sinks/stream.h"

#include "core/base/option.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <zlib.h>

#include "core/file/outfile_recover.h"
#include "core/sink.h"
#include "core/base/blob.h"

#define REPLAY_BYTES ((size_t)256 * 1024)
#define PATHS_BYTES_MAX ((size_t)16 << 20)
#define WINDOW_GZIP (MAX_WBITS + 16) /* zlib's way of asking for gzip's header and trailer */

struct stream {
    struct outfile *file;
    unsigned level;
    uint64_t bytes;    /* before compression */
    struct buf member; /* of gzip: the input that was not compressed yet */
    bool watching, cut_found;
    uint64_t watch_bytes;
    struct stream_cut cut;
    struct err err; /* the first error that is not the file's */
};

bool stream_is_gz(const char *path)
{
    size_t n = strlen(path);
    return n > 3 && strcmp(path + n - 3, ".gz") == 0;
}

unsigned stream_level(int64_t option, const char *path)
{
    if (option != OPTION_AUTO)
        return (unsigned)option;
    return stream_is_gz(path) ? STREAM_LEVEL_DEFAULT : 0;
}

enum rc stream_rc(const struct stream *s, struct err *e)
{
    return s->err.rc == RC_OK ? outfile_rc(s->file, e) : err_set(e, s->err.rc, "%s", s->err.msg);
}

static bool stream_failed(const struct stream *s)
{
    return s->err.rc != RC_OK || outfile_rc(s->file, NULL) != RC_OK;
}

uint64_t stream_bytes(const struct stream *s)
{
    return s->bytes;
}

uint64_t stream_file_bytes(const struct stream *s)
{
    return outfile_bytes(s->file);
}

uint64_t stream_bytes_sent(const struct stream *s)
{
    return outfile_bytes_sent(s->file);
}

const char *stream_sha256(const struct stream *s)
{
    return outfile_sha256(s->file);
}

/* ---- writing -------------------------------------------------------------------------------- */

/* The whole member in one go: what is made of it cannot depend on how it was split. libdeflate, which
 * knows no other way, needs half to three quarters of zlib's time. Its memory, the size of a member
 * and more, is had for that moment only: a sink may have many files. */
static void member_compress(struct stream *s)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor((int)s->level);
    size_t out_bytes = c ? libdeflate_gzip_compress_bound(c, s->member.len) : 0;
    char *out = c ? malloc(out_bytes) : NULL;
    if (out) {
        const char *in = s->member.len ? s->member.data : "";
        size_t n = libdeflate_gzip_compress(c, in, s->member.len, out, out_bytes);
        if (n == 0)
            (void)err_set(&s->err, RC_INTERNAL, "compression failed");
        outfile_write(s->file, out, n);
    } else {
        (void)err_nomem(&s->err);
    }
    free(out);
    libdeflate_free_compressor(c);
}

static void member_write(struct stream *s)
{
    if (stream_failed(s))
        return;
    member_compress(s);
    buf_clear(&s->member);
    if (s->watching && !s->cut_found && s->bytes >= s->watch_bytes) {
        s->cut = (struct stream_cut){s->bytes, outfile_bytes(s->file)};
        s->cut_found = true;
    }
}

void stream_end_member(struct stream *s)
{
    if (s->member.len > 0)
        member_write(s);
}

static void stream_write_gzip(struct stream *s, const char *p, size_t n)
{
    while (n > 0) {
        size_t room = STREAM_MEMBER_BYTES - s->member.len;
        size_t take = n < room ? n : room;
        buf_add(&s->member, p, take);
        if (buf_rc(&s->member) != RC_OK) {
            (void)err_nomem(&s->err);
            return;
        }
        s->bytes += take;
        p += take;
        n -= take;
        if (s->member.len == STREAM_MEMBER_BYTES)
            member_write(s);
        if (stream_failed(s))
            return;
    }
}

void stream_write(struct stream *s, const void *p, size_t n)
{
    if (s->err.rc != RC_OK)
        return;
    if (s->level > 0) {
        stream_write_gzip(s, p, n);
    } else {
        outfile_write(s->file, p, n);
        s->bytes += n;
    }
}

/* ---- marks ----------------------------------------------------------------------------------
 *
 * LEVEL:BYTES:FILE_BYTES:WATCH: and, for gzip, CUT_BYTES:CUT_FILE_BYTES: and a blob with the member
 * at hand; then, where the file has something to say, "@" and that. WATCH and the cut are one higher than they are, or 0 for none. */

static unsigned long long mark_number(bool is_there, uint64_t n)
{
    return is_there ? n + 1 : 0;
}

enum rc stream_mark(struct stream *s, struct buf *out, struct err *e)
{
    enum rc rc = stream_rc(s, e);
    if (rc == RC_OK)
        rc = outfile_flush(s->file, e);
    if (rc != RC_OK)
        return rc;
    size_t len = out->len;
    buf_addf(out, "%u:%llu:%llu:", s->level, (unsigned long long)s->bytes,
             (unsigned long long)outfile_bytes(s->file));
    buf_addf(out, "%llu:", mark_number(s->watching, s->watch_bytes));
    if (s->level > 0) {
        buf_addf(out, "%llu:%llu:", mark_number(s->cut_found, s->cut.bytes),
                 mark_number(s->cut_found, s->cut.file_bytes));
        blob_put(out, s->member.data, s->member.len);
    }
    size_t without = out->len;
    buf_addc(out, '@');
    rc = outfile_mark(s->file, out, e);
    if (rc == RC_OK && out->len == without + 1)
        out->len = without;
    if (rc == RC_OK && buf_rc(out) != RC_OK)
        rc = err_set(e, buf_rc(out), "%s", rc_text(buf_rc(out)));
    if (rc != RC_OK)
        out->len = len;
    return rc;
}

static bool mark_read_gzip(struct stream *s, struct str text, uint64_t keep_bytes)
{
    uint64_t bytes = 0;
    uint64_t file_bytes = 0;
    if (!text_take_uint(&text, ':', &bytes) || !text_take_uint(&text, ':', &file_bytes))
        return false;
    if ((bytes == 0) != (file_bytes == 0) || bytes > s->bytes + 1 || file_bytes > keep_bytes + 1 ||
        (bytes > 0 &&
         (!s->watching || bytes - 1 < s->watch_bytes || (bytes - 1) % STREAM_MEMBER_BYTES != 0)))
        return false;
    s->cut_found = bytes > 0;
    if (s->cut_found)
        s->cut = (struct stream_cut){bytes - 1, file_bytes - 1};
    enum rc rc = blob_take(text, &s->member);
    if (rc == RC_NOMEM)
        (void)err_nomem(&s->err);
    /* What is in the file are whole members. */
    return rc == RC_OK && s->member.len == s->bytes % STREAM_MEMBER_BYTES &&
           (s->bytes < STREAM_MEMBER_BYTES) == (keep_bytes == 0);
}

/* No file is larger, and no sum of two such numbers overflows. */
#define MARK_NUMBER_MAX ((uint64_t)1 << 61)

/* Reads a mark into `s`; *keep_bytes is how much of the file it covers. */
static bool mark_read(struct stream *s, struct str text, uint64_t *keep_bytes)
{
    uint64_t level = 0;
    uint64_t watch = 0;
    if (!text_take_uint(&text, ':', &level) || !text_take_uint(&text, ':', &s->bytes) ||
        !text_take_uint(&text, ':', keep_bytes) || !text_take_uint(&text, ':', &watch) ||
        level != s->level || s->bytes > MARK_NUMBER_MAX || *keep_bytes > MARK_NUMBER_MAX ||
        watch > s->bytes + 1)
        return false;
    if (watch)
        stream_watch(s, watch - 1);
    if (level > 0)
        return mark_read_gzip(s, text, *keep_bytes);
    return text.len == 0 && s->bytes == *keep_bytes;
}

/* ---- opening and ending --------------------------------------------------------------------- */

enum rc stream_open(struct stream **out, const struct stream_cfg *cfg, struct err *e)
{
    struct stream *s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(e);
    s->level = cfg->level;
    buf_init(&s->member, STREAM_MEMBER_BYTES + 1);
    uint64_t keep_bytes = 0;
    enum rc rc = RC_OK;
    struct str mark = cfg->mark, files = STR_NONE;
    const char *at = mark.ptr ? memchr(mark.ptr, '@', mark.len) : NULL;
    if (at) {
        files = (struct str){at + 1, mark.len - (size_t)(at + 1 - mark.ptr)};
        mark.len = (size_t)(at - mark.ptr);
    }
    if (mark.ptr && !mark_read(s, mark, &keep_bytes))
        rc = s->err.rc == RC_NOMEM
                 ? err_nomem(e)
                 : err_set(e, RC_SYNTAX, "%s: the mark in the state is damaged", cfg->path);
    if (rc == RC_OK) {
        const struct outfile_cfg file = {.places = cfg->places,
                                         .path = cfg->path,
                                         .keep_bytes = keep_bytes,
                                         .mark = files,
                                         .reads_back = cfg->reads_back,
                                         .want_sha256 = cfg->want_sha256,
                                         .suffix = cfg->suffix,
                                         .spool = cfg->spool,
                                         .stop = cfg->stop};
        rc = outfile_open_cfg(&s->file, &file, e);
    }
    if (rc != RC_OK) {
        buf_free(&s->member);
        free(s);
        return rc;
    }
    *out = s;
    return RC_OK;
}

enum rc stream_prepare(struct stream *s, struct buf *text, struct err *e)
{
    stream_end_member(s);
    /* No bytes at all would be no gzip file. */
    if (s->level > 0 && outfile_bytes(s->file) == 0)
        member_write(s);
    /* Many files may wait to be published: they need no buffer for that. */
    buf_free(&s->member);
    enum rc rc = stream_rc(s, e);
    return rc == RC_OK ? outfile_prepare(s->file, text, e) : rc;
}

enum rc stream_sync(struct stream *s, struct err *e)
{
    return outfile_sync(s->file, e);
}

void stream_prepare_removal(struct stream *s, struct buf *text)
{
    outfile_prepare_removal(s->file, text);
}

enum rc stream_publish(struct stream *s, struct err *e)
{
    return outfile_publish(s->file, e);
}

void stream_begin_publish(struct stream *s)
{
    outfile_begin_publish(s->file);
}

enum rc stream_abort(struct stream *s, struct err *e)
{
    return outfile_abort(s->file, e);
}

void stream_close(struct stream *s, bool keep)
{
    if (!s)
        return;
    outfile_close(s->file, keep);
    buf_free(&s->member);
    free(s);
}

enum rc stream_recover(enum rc (*paths)(const struct sink_cfg *cfg, struct buf *out, struct err *e),
                       const struct sink_cfg *cfg, const struct sink_recovery *r, struct err *e)
{
    struct buf names;
    buf_init(&names, PATHS_BYTES_MAX);
    enum rc rc = paths(cfg, &names, e);
    if (rc == RC_OK && buf_rc(&names) != RC_OK)
        rc = err_nomem(e);
    if (rc == RC_OK) {
        const struct outfile_recovery files = {
            .places = cfg->places,
            .subject = cfg->spec,
            .advice = "run it in the same directory again, or give --fresh to discard that run",
            .paths = buf_str(&names),
            .text = r->text,
            .takes_back = r->takes_back,
            .only_check = r->only_check,
        };
        rc = outfile_recover(&files, e);
    }
    buf_free(&names);
    return rc;
}

/* ---- copying without inflating -------------------------------------------------------------- */

void stream_watch(struct stream *s, uint64_t bytes)
{
    s->watching = s->cut_found = true;
    s->watch_bytes = bytes;
    if (s->level == 0)
        s->cut = (struct stream_cut){bytes, bytes};
    else if (s->file && s->member.len == 0 && s->bytes >= bytes)
        s->cut = (struct stream_cut){bytes, outfile_bytes(s->file)};
    else
        s->cut_found = false;
}

struct stream_cut stream_cut(const struct stream *s)
{
    if (s->cut_found && s->cut.bytes <= s->bytes)
        return s->cut;
    return (struct stream_cut){s->bytes, outfile_bytes(s->file)};
}

typedef enum rc replay_fn(void *ctx, const char *p, size_t n, struct err *e);

struct replay {
    struct stream *s;
    struct stream_cut until;
    uint64_t at; /* in the file */
    uint64_t given;
    replay_fn *fn;
    void *ctx;
    char *in, *out; /* REPLAY_BYTES each; `out` with gzip only */
    z_stream z;
};

static enum rc replay_give(struct replay *r, const char *p, size_t n, struct err *e)
{
    r->given += n;
    return n > 0 ? r->fn(r->ctx, p, n, e) : RC_OK;
}

static enum rc replay_damaged(struct err *e)
{
    return err_set(e, RC_IO, "the unfinished file does not contain what was written to it");
}

/* Inflates one piece of the file, through the members' ends. */
static enum rc replay_inflate(struct replay *r, size_t n, struct err *e)
{
    r->z.next_in = (unsigned char *)r->in;
    r->z.avail_in = (uInt)n;
    do {
        r->z.next_out = (unsigned char *)r->out;
        r->z.avail_out = (uInt)REPLAY_BYTES;
        int z = inflate(&r->z, Z_NO_FLUSH);
        if (z == Z_MEM_ERROR)
            return err_nomem(e);
        if (z != Z_OK && z != Z_STREAM_END && z != Z_BUF_ERROR)
            return replay_damaged(e);
        enum rc rc = replay_give(r, r->out, REPLAY_BYTES - r->z.avail_out, e);
        if (rc != RC_OK)
            return rc;
        if (z == Z_STREAM_END && inflateReset(&r->z) != Z_OK)
            return replay_damaged(e);
    } while (r->z.avail_in > 0 || r->z.avail_out == 0);
    return RC_OK;
}

static enum rc replay_run(struct replay *r, struct err *e)
{
    while (r->at < r->until.file_bytes) {
        uint64_t left = r->until.file_bytes - r->at;
        size_t got = 0;
        enum rc rc = outfile_read(r->s->file, r->at, r->in,
                                  left < REPLAY_BYTES ? (size_t)left : REPLAY_BYTES, &got, e);
        if (rc == RC_OK && got == 0)
            return replay_damaged(e);
        if (rc == RC_OK)
            rc = r->out ? replay_inflate(r, got, e) : replay_give(r, r->in, got, e);
        if (rc != RC_OK)
            return rc;
        r->at += got;
    }
    return r->given == r->until.bytes ? RC_OK : replay_damaged(e);
}

enum rc stream_replay(struct stream *s, struct stream_cut until, replay_fn *fn, void *ctx,
                      struct err *e)
{
    struct replay r = {.s = s, .until = until, .fn = fn, .ctx = ctx};
    enum rc rc = stream_rc(s, e);
    if (rc != RC_OK)
        return rc;
    r.in = malloc(s->level ? 2 * REPLAY_BYTES : REPLAY_BYTES);
    if (!r.in)
        return err_nomem(e);
    if (s->level) {
        r.out = r.in + REPLAY_BYTES;
        if (inflateInit2(&r.z, WINDOW_GZIP) != Z_OK) {
            rc = err_nomem(e);
            goto out;
        }
    }
    rc = replay_run(&r, e);
    if (s->level)
        (void)inflateEnd(&r.z);
out:
    free(r.in);
    return rc;
}

void stream_append(struct stream *s, struct stream *from, struct stream_cut after)
{
    stream_end_member(s);
    if (stream_failed(s))
        return;
    if (from->err.rc != RC_OK) {
        s->err = from->err;
        return;
    }
    outfile_copy(s->file, from->file, after.file_bytes,
                 outfile_bytes(from->file) - after.file_bytes);
    s->bytes += from->bytes - after.bytes;
}
