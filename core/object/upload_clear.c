/* Uploads of an object that earlier runs left. */
#include <string.h>

#include "core/base/url.h"
#include "core/object/s3_url.h"
#include "core/object/upload_internal.h"
#include "core/object/xml_leaves.h"

struct left {
    struct upload *u;
    struct str key;
    struct buf ids; /* percent-encoded, a NUL behind each */
    bool is_same;   /* the upload at hand is of that key */
    char id[XML_TEXT_BYTES_MAX + 1];
    bool is_truncated;
    struct buf key_marker, id_marker; /* percent-encoded */
};

static enum rc on_left(void *left, const char *path, struct str text)
{
    static const char root[] = "ListMultipartUploadsResult/";
    struct left *l = left;
    if (strncmp(path, root, sizeof root - 1) != 0)
        return RC_OK;
    path += sizeof root - 1;
    if (strcmp(path, "Upload/Key") == 0) {
        l->is_same = str_eq(text, l->key);
    } else if (strcmp(path, "Upload/UploadId") == 0) {
        memcpy(l->id, text.ptr, text.len);
        l->id[text.len] = '\0';
    } else if (strcmp(path, "Upload") == 0) {
        if (l->is_same && l->id[0]) {
            url_encode(&l->ids, str_c(l->id));
            buf_addc(&l->ids, '\0');
        }
        l->is_same = false;
        l->id[0] = '\0';
    } else if (strcmp(path, "IsTruncated") == 0) {
        l->is_truncated = str_eq(text, STR("true"));
    } else if (strcmp(path, "NextKeyMarker") == 0) {
        url_encode(&l->key_marker, text);
    } else if (strcmp(path, "NextUploadIdMarker") == 0) {
        url_encode(&l->id_marker, text);
    }
    return buf_rc(&l->ids);
}

/* A list of the bucket's uploads whose key begins with ours. */
static enum rc list_left(struct left *l, const struct buf *bucket_path, struct err *e)
{
    struct buf query;
    struct object_call *c = NULL;
    buf_init(&query, QUERY_BYTES_MAX);
    if (l->key_marker.len)
        buf_addf(&query, "key-marker=%s&", buf_cstr(&l->key_marker));
    buf_adds(&query, "prefix=");
    url_encode(&query, l->key);
    if (l->id_marker.len)
        buf_addf(&query, "&upload-id-marker=%s", buf_cstr(&l->id_marker));
    buf_adds(&query, "&uploads=");
    buf_clear(&l->key_marker);
    buf_clear(&l->id_marker);
    l->is_truncated = false;
    struct object_request r = {
        .method = HTTP_GET, .path = buf_str(bucket_path), .query = str_c(buf_cstr(&query))};
    enum rc rc = buf_rc(&query) == RC_OK ? upload_call_with(l->u, &r, &c, e) : err_nomem(e);
    if (rc == RC_OK && xml_leaves(object_call_answer(c), on_left, l) != RC_OK)
        rc = upload_bad_answer(l->u, e);
    object_call_free(c);
    buf_free(&query);
    return rc;
}

static enum rc abort_left(struct left *l, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t at = 0; rc == RC_OK && at < l->ids.len; at += strlen(l->ids.data + at) + 1) {
        const char *id = l->ids.data + at;
        if (object_store_has(l->u->store, id))
            continue;
        buf_clear(&l->u->id);
        buf_adds(&l->u->id, id);
        rc = upload_abort(l->u, e);
    }
    buf_clear(&l->u->id); /* none of them is this run's */
    return rc;
}

enum rc upload_clear(struct object_store *s, const char *url, struct err *e)
{
    struct s3_url parsed;
    struct buf bucket_path;
    struct left l = {.is_truncated = true};
    enum rc rc = upload_new(&l.u, s, url, e);
    if (rc != RC_OK)
        return rc;
    (void)s3_url_parse(url, false, &parsed, NULL); /* it was parsed just now */
    l.key = parsed.key;
    buf_init(&bucket_path, PATH_BYTES_MAX);
    buf_init(&l.ids, LIST_BYTES_MAX);
    buf_init(&l.key_marker, PATH_BYTES_MAX);
    buf_init(&l.id_marker, PATH_BYTES_MAX);
    s3_put_path(&bucket_path, parsed.bucket, STR_NONE, object_store_cfg(s)->addressing);
    for (int page = 0; rc == RC_OK && l.is_truncated && page < PAGES_MAX; page++) {
        rc = list_left(&l, &bucket_path, e);
        l.is_truncated &= l.key_marker.len > 0;
    }
    if (rc == RC_OK)
        rc = abort_left(&l, e);
    buf_free(&bucket_path);
    buf_free(&l.ids);
    buf_free(&l.key_marker);
    buf_free(&l.id_marker);
    upload_free(l.u);
    return rc;
}
