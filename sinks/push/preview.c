#include "sinks/push/preview.h"

#include <stdlib.h>

#include "core/base/blob.h"
#include "sinks/stream.h"

#define LINE_BYTES_MAX ((size_t)512 << 20)

struct preview {
    const struct courier *courier;
    const char *path;
    struct stream *file;
    struct buf line, url;
    uint64_t n_requests;
    struct sink_file result;
};

static const char *const method_names[] = {
    [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT",
    [HTTP_PATCH] = "PATCH",
};

enum rc preview_open(struct preview **out, const char *path, const struct sink_cfg *cfg,
                     const struct courier *courier, struct err *e)
{
    struct preview *p = calloc(1, sizeof *p);
    if (!p)
        return err_nomem(e);
    p->courier = courier;
    p->path = path;
    buf_init(&p->line, LINE_BYTES_MAX);
    buf_init(&p->url, LINE_BYTES_MAX);
    const struct stream_cfg file = {
        .places = cfg->places,
        .path = path,
        .want_sha256 = cfg->want_sha256,
        .stop = cfg->stop,
        .mark = STR_NONE,
    };
    enum rc rc = stream_open(&p->file, &file, e);
    if (rc != RC_OK) {
        preview_close(p);
        return rc;
    }
    *out = p;
    return RC_OK;
}

void preview_close(struct preview *p)
{
    if (!p)
        return;
    if (p->file)
        stream_close(p->file, false);
    buf_free(&p->line);
    buf_free(&p->url);
    free(p);
}

/* ---- one request ---------------------------------------------------------------------------- */

/* A URL that depends on the lead or the token: of the latter's answer, which is not known, the name stands in
 * braces. With base-url only its path would count, which it normally does not have. */
static void make_url(struct preview *p, const struct item *item, struct buf *out)
{
    const struct courier *c = p->courier;
    const struct text_template *t = &c->destination->url;
    struct template_fault fault;
    size_t skip = t->has_taken ? 1 : 0;
    const struct text_template rest = {t->parts + skip, t->n_parts - skip, false, false};
    if (skip && !c->config->base) {
        buf_addc(out, '{');
        buf_add_str(out, c->destination->auth.take[t->parts[0].index]);
        buf_addc(out, '}');
    }
    if (item->url.ptr)
        buf_add_str(out, item->url);
    else
        (void)text_template_write(&rest, true, NULL, NULL, out, &fault);
}

static void put_url(struct preview *p, const struct item *item)
{
    const struct courier *c = p->courier;
    struct buf whole;
    buf_init(&whole, LINE_BYTES_MAX);
    buf_clear(&p->url);
    if (c->url) {
        buf_adds(&p->url, c->url);
    } else if (c->destination->url.n_parts == 0) {
        buf_adds(&p->url, "***"); /* the URL itself is the secret */
    } else {
        make_url(p, item, &whole);
        push_url_put(&p->url, c->config->base, buf_str(&whole));
    }
    enum rc rc = buf_rc(&whole) != RC_OK ? buf_rc(&whole) : buf_rc(&p->url);
    if (rc != RC_OK && p->line.rc == RC_OK)
        p->line.rc = rc;
    buf_free(&whole);
    json_write_bytes(&p->line, buf_str(&p->url));
}

static void put_member(struct preview *p, const char *name, struct str value)
{
    if (p->line.data[p->line.len - 1] != '{')
        buf_addc(&p->line, ',');
    json_write_bytes(&p->line, str_c(name));
    buf_addc(&p->line, ':');
    json_write_bytes(&p->line, value);
}

static void put_headers(struct preview *p, const struct item *item)
{
    const struct courier *c = p->courier;
    const struct destination *d = c->destination;
    struct str values = item->headers;
    struct str value;
    buf_addc(&p->line, '{');
    if (buf_rc(&p->line) != RC_OK)
        return;
    for (size_t i = 0; i < c->n_headers; i++)
        put_member(p, c->headers[i].name, str_c(c->headers[i].value));
    for (size_t i = 0; i < d->n_headers; i++) {
        const struct text_template *t = &d->headers[i].value;
        if (t->has_field && counted_take(&values, &value))
            put_member(p, d->headers[i].name, value);
        else if (t->has_taken)
            put_member(p, d->headers[i].name, STR("***"));
    }
    if (push_auth_header(d))
        put_member(p, push_auth_header(d), STR("***"));
    buf_addc(&p->line, '}');
}

static void put_request(struct preview *p, const struct item *items, size_t n)
{
    const struct courier *c = p->courier;
    buf_clear(&p->line);
    buf_addf(&p->line, "{\"method\":\"%s\",\"url\":", method_names[c->destination->method]);
    put_url(p, &items[0]);
    buf_adds(&p->line, ",\"headers\":");
    put_headers(p, &items[0]);
    buf_adds(&p->line, ",\"body\":");
    buf_add_str(&p->line, buf_str(&c->before));
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_addc(&p->line, ',');
        buf_add_str(&p->line, items[i].json);
    }
    buf_add_str(&p->line, buf_str(&c->behind));
    buf_adds(&p->line, "}\n");
}

enum rc preview_write(struct preview *p, struct str batch, struct err *e)
{
    struct arena a;
    struct item *items;
    size_t n = 0;
    arena_init(&a, SIZE_MAX);
    enum rc rc = items_take(&a, batch, p->courier->destination->max_items, &items, &n);
    if (rc == RC_OK) {
        put_request(p, items, n);
        rc = buf_rc(&p->line);
    }
    arena_free(&a);
    if (rc != RC_OK)
        return err_set(e, rc, "%s: %s", p->path, rc_text(rc));
    stream_write(p->file, p->line.data, p->line.len);
    p->n_requests++;
    return stream_rc(p->file, e);
}

/* ---- the end -------------------------------------------------------------------------------- */

enum rc preview_prepare(struct preview *p, struct err *e)
{
    return stream_prepare(p->file, NULL, e);
}

enum rc preview_commit(struct preview *p, struct err *e)
{
    return stream_publish(p->file, e);
}

enum rc preview_abort(struct preview *p, struct err *e)
{
    return stream_abort(p->file, e);
}

void preview_result(struct preview *p, struct sink_result *out)
{
    p->result = (struct sink_file){
        .path = p->path,
        .rows = p->n_requests,
        .bytes = stream_file_bytes(p->file),
    };
    (void)snprintf(p->result.sha256, sizeof p->result.sha256, "%s", stream_sha256(p->file));
    *out = (struct sink_result){
        .files = &p->result, .n_files = 1, .bytes_sent = stream_bytes_sent(p->file)};
}
