#include "core/object/upload_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/random_hex.h"
#include "core/base/units.h"
#include "core/base/url.h"
#include "core/object/xml_leaves.h"

#define ID_BYTES_MAX 2048

static const char name_chars[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%";

/* ---- requests ------------------------------------------------------------------------------- */

enum rc upload_call_with(struct upload *u, struct object_request *r, struct object_call **out,
                         struct err *e)
{
    *out = NULL;
    enum rc rc = object_call_begin(out, u->client, r, e);
    if (rc == RC_OK)
        rc = object_call_wait(*out, e);
    if (rc != RC_OK)
        err_prefix(e, "%s", u->url);
    return rc;
}

/* About the object itself. */
static enum rc call(struct upload *u, enum http_method method, const char *query, struct buf *body,
                    struct object_call **out, struct err *e)
{
    struct object_request r = {.method = method,
                               .path = buf_str(&u->path),
                               .query = str_c(query),
                               .cleans_up = method == HTTP_DELETE};
    if (body)
        r.body = *body;
    return upload_call_with(u, &r, out, e);
}

static bool is_code(const struct object_call *c, const char *code)
{
    return c && strcmp(object_call_code(c), code) == 0;
}

enum rc upload_bad_answer(const struct upload *u, struct err *e)
{
    return err_set(e, RC_IO, "%s: the server's response is not an S3 response", u->url);
}

static enum rc out_of_memory(const struct upload *u, struct err *e)
{
    (void)err_nomem(e);
    err_prefix(e, "%s", u->url);
    return RC_NOMEM;
}

/* ---- making --------------------------------------------------------------------------------- */

enum rc upload_new(struct upload **out, struct object_store *s, const char *url, struct err *e)
{
    struct s3_url parsed;
    enum rc rc = s3_url_parse(url, false, &parsed, e);
    if (rc != RC_OK)
        return rc;
    struct upload *u = calloc(1, sizeof *u);
    if (!u || pthread_mutex_init(&u->lock, NULL)) {
        free(u);
        (void)err_nomem(e);
        return RC_NOMEM;
    }
    u->store = s;
    buf_init(&u->path, PATH_BYTES_MAX);
    buf_init(&u->id, ID_BYTES_MAX);
    buf_init(&u->list, LIST_BYTES_MAX);
    u->url = strdup(url);
    s3_put_path(&u->path, parsed.bucket, parsed.key, object_store_cfg(s)->addressing);
    rc = u->url && buf_rc(&u->path) == RC_OK ? RC_OK : err_nomem(e);
    if (rc == RC_OK)
        rc = object_store_client(s, parsed.bucket, &u->client, e);
    if (rc == RC_OK)
        *out = u;
    else
        upload_free(u);
    return rc;
}

void upload_free(struct upload *u)
{
    if (!u)
        return;
    if (u->id.len)
        object_store_forget(u->store, buf_cstr(&u->id));
    object_call_free(u->part);
    object_call_free(u->completion);
    pthread_mutex_destroy(&u->lock);
    buf_free(&u->path);
    buf_free(&u->id);
    buf_free(&u->list);
    free(u->url);
    free(u);
}

static enum rc note(struct upload *u, struct err *e)
{
    if (object_store_note(u->store, buf_cstr(&u->id)) == RC_OK)
        return RC_OK;
    return out_of_memory(u, e);
}

static enum rc on_begun(void *id, const char *path, struct str text)
{
    if (strcmp(path, "InitiateMultipartUploadResult/UploadId") == 0)
        url_encode(id, text);
    return RC_OK;
}

static void put_id(struct buf *query, struct str id)
{
    buf_adds(query, "uploadId=");
    buf_add_str(query, id);
}

/* What a request about the upload and not about the object has: without it a DELETE would be of the object itself.
 * `before`: what comes first; "". RC_NOMEM. */
static enum rc query_of(const struct upload *u, const char *before, struct buf *query,
                        struct err *e)
{
    buf_init(query, QUERY_BYTES_MAX);
    buf_adds(query, before);
    put_id(query, buf_str(&u->id));
    if (buf_rc(query) == RC_OK && buf_rc(&u->id) == RC_OK && u->id.len > 0)
        (void)buf_cstr(query);
    else
        query->rc = RC_NOMEM;
    return buf_rc(query) == RC_OK ? RC_OK : out_of_memory(u, e);
}

/* Of an upload that nobody waited for. */
static enum rc undo_begin(struct str answer, struct buf *query)
{
    struct buf id;
    buf_init(&id, ID_BYTES_MAX);
    enum rc rc = xml_leaves(answer, on_begun, &id);
    if (rc == RC_OK && id.len == 0)
        rc = RC_SYNTAX;
    put_id(query, buf_str(&id));
    rc = rc == RC_OK ? buf_rc(&id) : rc;
    buf_free(&id);
    return rc;
}

/* The id that the server gave it, ready to be used as a text. */
static enum rc take_id(struct upload *u, struct str answer)
{
    buf_clear(&u->id);
    enum rc rc = xml_leaves(answer, on_begun, &u->id);
    if (rc == RC_OK && u->id.len > 0)
        (void)buf_cstr(&u->id);
    if (rc == RC_OK)
        rc = buf_rc(&u->id);
    return rc == RC_OK && u->id.len == 0 ? RC_SYNTAX : rc;
}

/* It is at the server, and will not be used. With what memory there is by now. */
static void take_back(struct upload *u, struct str answer)
{
    struct err ignored;
    if (take_id(u, answer) == RC_OK)
        (void)upload_abort(u, &ignored);
    buf_clear(&u->id);
}

static enum rc take(struct upload *u, struct str answer, struct err *e)
{
    enum rc rc = take_id(u, answer);
    if (rc == RC_OK)
        rc = note(u, e);
    else
        rc = rc == RC_NOMEM ? out_of_memory(u, e) : upload_bad_answer(u, e);
    if (rc == RC_NOMEM)
        take_back(u, answer);
    return rc;
}

static enum rc begin(struct upload *u, struct err *e)
{
    struct object_request r = {.method = HTTP_POST,
                               .path = buf_str(&u->path),
                               .query = STR("uploads="),
                               .upload = u->token,
                               .undo = undo_begin};
    struct object_call *c = NULL;
    enum rc rc = upload_call_with(u, &r, &c, e);
    if (rc == RC_OK)
        rc = take(u, object_call_answer(c), e);
    object_call_free(c);
    return rc;
}

enum rc upload_begin(struct upload **out, struct object_store *s, const char *url, struct err *e)
{
    struct upload *u = NULL;
    enum rc rc = upload_new(&u, s, url, e);
    if (rc != RC_OK)
        return rc;
    rc = random_hex(u->token, e);
    if (rc == RC_OK)
        rc = begin(u, e);
    if (rc == RC_OK)
        *out = u;
    else
        upload_free(u);
    return rc;
}

static bool is_name(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!text.ptr[i] || !strchr(name_chars, text.ptr[i]))
            return false;
    }
    return text.len > 0 && text.len < ID_BYTES_MAX;
}

enum rc upload_resume(struct upload **out, struct object_store *s, const char *url,
                      const struct upload_name *name, unsigned parts, struct err *e)
{
    struct upload *u = NULL;
    if (!is_name(name->id) || !is_name(str_c(name->token)) || parts > UPLOAD_PARTS_MAX)
        return err_set(e, RC_SYNTAX, "%s: what the state says of its upload is damaged", url);
    enum rc rc = upload_new(&u, s, url, e);
    if (rc != RC_OK)
        return rc;
    memcpy(u->token, name->token, sizeof u->token);
    buf_add_str(&u->id, name->id);
    (void)buf_cstr(&u->id);
    u->parts = parts;
    rc = buf_rc(&u->id) == RC_OK ? note(u, e) : out_of_memory(u, e);
    if (rc == RC_OK)
        *out = u;
    else
        upload_free(u);
    return rc;
}

struct upload_name upload_name(const struct upload *u)
{
    struct upload_name name = {.id = buf_str(&u->id)};
    memcpy(name.token, u->token, sizeof name.token);
    return name;
}

unsigned upload_parts(const struct upload *u)
{
    return u->parts;
}

/* ---- parts ---------------------------------------------------------------------------------- */

/* Under the lock. */
static enum rc settle(struct upload *u, struct err *e)
{
    if (u->part && object_call_wait(u->part, &u->failed) != RC_OK)
        err_prefix(&u->failed, "%s", u->url);
    object_call_free(u->part);
    u->part = NULL;
    return u->failed.rc == RC_OK ? RC_OK : err_set(e, u->failed.rc, "%s", u->failed.msg);
}

enum rc upload_settle(struct upload *u, struct err *e)
{
    pthread_mutex_lock(&u->lock);
    enum rc rc = settle(u, e);
    pthread_mutex_unlock(&u->lock);
    return rc;
}

struct buf upload_part_memory(struct upload *u)
{
    struct buf part = object_client_take_spare(u->client);
    part.max = UPLOAD_PART_BYTES;
    return part;
}

/* Under the lock. */
static enum rc send_part(struct upload *u, struct buf *part, struct err *e)
{
    struct buf query;
    char number[32];
    (void)snprintf(number, sizeof number, "partNumber=%u&", u->parts + 1);
    enum rc rc = query_of(u, number, &query, e);
    if (rc == RC_OK) {
        struct object_request r = {
            .method = HTTP_PUT, .path = buf_str(&u->path), .query = buf_str(&query), .body = *part};
        buf_init(part, UPLOAD_PART_BYTES);
        rc = object_call_begin(&u->part, u->client, &r, e);
        if (rc == RC_OK)
            u->parts++;
        else
            err_prefix(e, "%s", u->url);
    }
    buf_free(&query);
    return rc;
}

enum rc upload_put(struct upload *u, struct buf *part, struct err *e)
{
    if (u->parts == UPLOAD_PARTS_MAX)
        return err_set(e, RC_IO,
                       "%s: would be larger than %d parts of %zu MiB, which is the most that an "
                       "object can have here; compress it (gzip), or write fewer leads to it",
                       u->url, UPLOAD_PARTS_MAX, UPLOAD_PART_BYTES >> 20);
    pthread_mutex_lock(&u->lock);
    enum rc rc = settle(u, e);
    if (rc == RC_OK)
        rc = send_part(u, part, e);
    pthread_mutex_unlock(&u->lock);
    return rc;
}

/* ---- what the server has --------------------------------------------------------------------- */

struct listing {
    struct upload *u;
    unsigned parts; /* of ours, so far */
    uint64_t bytes, number, size;
    char etag[256];
    bool is_truncated;
    char marker[16];
};

static bool is_plain(struct str etag, size_t size)
{
    for (size_t i = 0; i < etag.len; i++) {
        if (etag.ptr[i] <= ' ' || etag.ptr[i] > '~' || strchr("<>&", etag.ptr[i]))
            return false;
    }
    return etag.len > 0 && etag.len < size;
}

/* The end of one part. Those beyond ours are of an earlier run that had come further. */
static enum rc take_part(struct listing *l)
{
    struct upload *u = l->u;
    if (l->number > u->parts)
        return RC_OK;
    bool is_last = l->number == u->parts;
    if (l->number != l->parts + 1 || !l->etag[0] ||
        (is_last ? l->size > UPLOAD_PART_BYTES : l->size != UPLOAD_PART_BYTES))
        return RC_SYNTAX;
    l->parts++;
    l->bytes += l->size;
    buf_addf(&u->list, "<Part><PartNumber>%u</PartNumber><ETag>%s</ETag></Part>", l->parts,
             l->etag);
    return buf_rc(&u->list);
}

static enum rc on_part(void *listing, const char *path, struct str text)
{
    static const char root[] = "ListPartsResult/";
    struct listing *l = listing;
    if (strncmp(path, root, sizeof root - 1) != 0)
        return RC_OK;
    path += sizeof root - 1;
    if (strcmp(path, "Part/PartNumber") == 0)
        return units_uint(text, &l->number) ? RC_OK : RC_SYNTAX;
    if (strcmp(path, "Part/Size") == 0)
        return units_uint(text, &l->size) ? RC_OK : RC_SYNTAX;
    if (strcmp(path, "Part/ETag") == 0 && is_plain(text, sizeof l->etag))
        (void)snprintf(l->etag, sizeof l->etag, STR_FMT, STR_ARG(text));
    if (strcmp(path, "IsTruncated") == 0)
        l->is_truncated = str_eq(text, STR("true"));
    uint64_t marker;
    if (strcmp(path, "NextPartNumberMarker") == 0 && units_uint(text, &marker))
        (void)snprintf(l->marker, sizeof l->marker, "%u", (unsigned)(marker & 0xffff));
    return strcmp(path, "Part") == 0 ? take_part(l) : RC_OK;
}

static enum rc list_page(struct listing *l, struct err *e)
{
    struct upload *u = l->u;
    struct object_call *c = NULL;
    struct buf query;
    char marker[48] = "";
    if (l->marker[0])
        (void)snprintf(marker, sizeof marker, "part-number-marker=%s&", l->marker);
    l->is_truncated = false;
    l->marker[0] = '\0';
    enum rc rc = query_of(u, marker, &query, e);
    if (rc == RC_OK)
        rc = call(u, HTTP_GET, buf_cstr(&query), NULL, &c, e);
    if (rc != RC_OK && is_code(c, "NoSuchUpload"))
        rc = RC_END;
    else if (rc == RC_OK)
        rc = xml_leaves(object_call_answer(c), on_part, l);
    if (rc == RC_NOMEM || rc == RC_LIMIT)
        rc = out_of_memory(u, e);
    if (rc == RC_SYNTAX)
        rc = err_set(e, RC_IO, "%s: the server does not have the parts that were sent to it",
                     u->url);
    object_call_free(c);
    buf_free(&query);
    return rc;
}

enum rc upload_verify(struct upload *u, uint64_t bytes, struct err *e)
{
    struct listing l = {.u = u, .is_truncated = true};
    buf_clear(&u->list);
    buf_adds(&u->list, "<CompleteMultipartUpload "
                       "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    enum rc rc = RC_OK;
    for (int page = 0; rc == RC_OK && l.is_truncated && page < PAGES_MAX; page++)
        rc = list_page(&l, e);
    buf_adds(&u->list, "</CompleteMultipartUpload>");
    if (rc == RC_OK && (l.parts != u->parts || l.bytes != bytes))
        rc = err_set(e, RC_IO,
                     "%s: the server has %u parts with %llu bytes of the upload, but %u with %llu "
                     "were sent to it",
                     u->url, l.parts, (unsigned long long)l.bytes, u->parts,
                     (unsigned long long)bytes);
    return rc == RC_OK && buf_rc(&u->list) != RC_OK ? out_of_memory(u, e) : rc;
}

/* ---- the end -------------------------------------------------------------------------------- */

enum rc upload_is_published(struct upload *u, struct err *e)
{
    struct object_call *c = NULL;
    enum rc rc = call(u, HTTP_HEAD, "", NULL, &c, e);
    if (rc == RC_OK && strcmp(object_call_upload(c), u->token) != 0)
        rc = RC_END;
    else if (c && object_call_status(c) == 404)
        rc = RC_END;
    object_call_free(c);
    return rc;
}

static enum rc begin_completion(struct upload *u, struct err *e)
{
    struct buf query;
    struct object_request r = {.method = HTTP_POST, .path = buf_str(&u->path)};
    buf_init(&r.body, LIST_BYTES_MAX);
    buf_add_str(&r.body, buf_str(&u->list));
    enum rc rc = query_of(u, "", &query, e);
    if (rc == RC_OK && buf_rc(&r.body) != RC_OK)
        rc = out_of_memory(u, e);
    if (rc == RC_OK) {
        r.query = buf_str(&query);
        rc = object_call_begin(&u->completion, u->client, &r, e);
        if (rc != RC_OK)
            err_prefix(e, "%s", u->url);
    }
    buf_free(&r.body);
    buf_free(&query);
    return rc;
}

void upload_begin_completion(struct upload *u)
{
    struct err ignored;
    if (!u->completion)
        (void)begin_completion(u, &ignored);
}

static enum rc on_completed(void *is_result, const char *path, struct str text)
{
    (void)text;
    if (strcmp(path, "CompleteMultipartUploadResult") == 0)
        *(bool *)is_result = true;
    return RC_OK;
}

/* The server may send the 200 before the object is there, so only its text says that it is. An empty or incomplete one, or
 * that of a proxy, says nothing: the object itself is asked for. */
static enum rc read_result(struct upload *u, struct err *e)
{
    bool is_result = false;
    enum rc rc = xml_leaves(object_call_answer(u->completion), on_completed, &is_result);
    if (rc == RC_NOMEM)
        return out_of_memory(u, e);
    if (rc == RC_OK && is_result)
        return RC_OK;
    struct err other = {.msg = ""};
    rc = upload_is_published(u, &other);
    if (rc == RC_OK || rc == RC_NOMEM || rc == RC_STOPPED) {
        *e = other;
        return rc;
    }
    if (rc == RC_END)
        return err_set(
            e, RC_IO,
            "%s: the upload was not completed: the server's response to the request for that "
            "(HTTP %d) is not an S3 response, and the object is not there",
            u->url, object_call_status(u->completion));
    return err_set(
        e, RC_IO,
        "%s: whether the upload was completed is not known: the server's response to the request for that "
        "(HTTP %d) is not an S3 response, and the object could not be looked for (%s)",
        u->url, object_call_status(u->completion), other.msg);
}

enum rc upload_complete(struct upload *u, struct err *e)
{
    enum rc rc = u->completion ? RC_OK : begin_completion(u, e);
    if (rc != RC_OK)
        return rc;
    rc = object_call_wait(u->completion, e);
    if (rc == RC_OK)
        rc = read_result(u, e);
    else
        err_prefix(e, "%s", u->url);
    bool is_gone =
        is_code(u->completion, "NoSuchUpload"); /* the answer to an earlier try was lost? */
    object_call_free(u->completion);
    u->completion = NULL;
    struct err other;
    if (rc != RC_OK && is_gone && upload_is_published(u, &other) == RC_OK)
        rc = RC_OK;
    return rc;
}

enum rc upload_abort(struct upload *u, struct err *e)
{
    struct object_call *c = NULL;
    struct buf query;
    struct err ignored;
    (void)upload_settle(u, &ignored); /* a part that arrives later would stay */
    if (u->completion && upload_complete(u, &ignored) == RC_OK)
        return RC_OK; /* there is nothing to abort */
    enum rc rc = query_of(u, "", &query, e);
    if (rc == RC_OK)
        rc = call(u, HTTP_DELETE, buf_cstr(&query), NULL, &c, e);
    if (rc != RC_OK && (is_code(c, "NoSuchUpload") || (c && object_call_status(c) == 404)))
        rc = RC_OK;
    object_call_free(c);
    buf_free(&query);
    return rc;
}
