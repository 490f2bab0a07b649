#include "core/object/object_probe.h"

#include <string.h>

#include "core/base/random_hex.h"
#include "core/object/s3_url.h"

#define PATH_BYTES_MAX ((size_t)8 << 10)
#define KEY_BYTES_MAX ((size_t)2048)

struct probe {
    struct object_client *client;
    struct buf key, path;
};

/* In the same folder, so that rules that allow a beginning of keys apply. */
static enum rc make_key(struct buf *out, struct str key, struct err *e)
{
    char word[RANDOM_HEX_CHARS + 1];
    const char *slash = memrchr(key.ptr, '/', key.len);
    enum rc rc = random_hex(word, e);
    if (rc != RC_OK)
        return rc;
    buf_add(out, key.ptr, slash ? (size_t)(slash - key.ptr) + 1 : 0);
    buf_addf(out, ".leadpipe-check-%s", word);
    return buf_rc(out) == RC_OK ? RC_OK : err_nomem(e);
}

/* *status 0: there was no answer. */
static enum rc call(struct probe *p, enum http_method method, const char *body, int *status,
                    struct err *e)
{
    struct object_call *call = NULL;
    struct object_request r = {.method = method,
                               .path = buf_str(&p->path),
                               .query = STR(""),
                               .cleans_up = method == HTTP_DELETE};
    buf_init(&r.body, KEY_BYTES_MAX);
    if (body)
        buf_adds(&r.body, body);
    enum rc rc = object_call_begin(&call, p->client, &r, e);
    if (rc == RC_OK)
        rc = object_call_wait(call, e);
    *status = call ? object_call_status(call) : 0;
    object_call_free(call);
    return rc;
}

static void put_and_delete(struct probe *p, const char *url, const char *subject,
                           const struct findings *f)
{
    struct err e, ignored;
    int status, deleted;
    if (call(p, HTTP_PUT, "leadpipe check\n", &status, &e) != RC_OK) {
        findings_add(f, FINDING_FAIL, subject, "%s: no object can be written there: %s", url,
                     e.msg);
        if (status == 0) /* it may have been written all the same */
            (void)call(p, HTTP_DELETE, NULL, &deleted, &ignored);
        return;
    }
    if (call(p, HTTP_DELETE, NULL, &deleted, &e) == RC_OK)
        findings_add(f, FINDING_OK, subject, "%s: an object was written beside it, and deleted",
                     url);
    else
        findings_add(
            f, FINDING_WARN, subject,
            "%s: objects can be written, but not deleted (%s): delete the object %s yourself", url,
            e.msg, buf_cstr(&p->key));
}

void object_probe(struct object_store *s, const char *url, const char *subject,
                  const struct findings *f)
{
    struct probe p;
    struct s3_url parsed;
    struct err e;
    buf_init(&p.key, KEY_BYTES_MAX);
    buf_init(&p.path, PATH_BYTES_MAX);
    enum rc rc = s3_url_parse(url, false, &parsed, &e);
    if (rc == RC_OK)
        rc = make_key(&p.key, parsed.key, &e);
    if (rc == RC_OK)
        s3_put_path(&p.path, parsed.bucket, buf_str(&p.key), object_store_cfg(s)->addressing);
    if (rc == RC_OK && buf_rc(&p.path) != RC_OK)
        rc = err_nomem(&e);
    if (rc == RC_OK)
        rc = object_store_client(s, parsed.bucket, &p.client, &e);
    if (rc == RC_OK)
        put_and_delete(&p, url, subject, f);
    else
        findings_add(f, FINDING_FAIL, subject, "%s", e.msg);
    buf_free(&p.key);
    buf_free(&p.path);
}
