#include "merge/shard_manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/checked.h"
#include "core/base/rfc3339.h"
#include "core/file/fd_io.h"
#include "core/file/folder.h"
#include "core/file/outfile.h"
#include "core/json/json.h"

#define MEMORY_BYTES_MAX ((size_t)1 << 30)
#define SHA256_CHARS 64
#define US_PER_MS 1000
#define READ_BYTES ((size_t)64 << 10)

/* Members are read by a chain of functions; the first one that fails says here what is wrong. */
struct reader {
    struct shard_manifest *to;
    const char *folder; /* of the manifest */
    struct arena tree;
    const char *wrong; /* the member that is missing or wrong */
    bool no_memory;
};

static bool wrong(struct reader *r, const char *what)
{
    if (!r->wrong)
        r->wrong = what;
    return false;
}

static bool no_memory(struct reader *r)
{
    r->no_memory = true;
    return false;
}

/* ---- members --------------------------------------------------------------------------------- */

/* `of` may be NULL, or not an object. */
static const cJSON *member_of(const cJSON *of, const char *name)
{
    return of && json_is_object(of) ? json_member(of, name) : NULL;
}

static bool number(struct reader *r, const cJSON *of, const char *name, uint64_t *out)
{
    const cJSON *member = member_of(of, name);
    bool good =
        member && (member->type & 0xFF) == cJSON_Number && units_uint(json_text(member), out);
    return good || wrong(r, name);
}

static bool text(struct reader *r, const cJSON *of, const char *name, const char **out)
{
    const cJSON *member = member_of(of, name);
    struct str value = member && json_is_string(member) ? json_text(member) : STR_NONE;
    if (!value.ptr || memchr(value.ptr, '\0', value.len))
        return wrong(r, name);
    *out = arena_strdup(&r->to->memory, value);
    return *out || no_memory(r);
}

static bool time_ms(struct reader *r, const cJSON *of, const char *name, int64_t *out)
{
    const cJSON *member = member_of(of, name);
    int64_t us = 0;
    if (!member || !json_is_string(member) || !rfc3339_parse(json_text(member), &us))
        return wrong(r, name);
    *out = us / US_PER_MS;
    return true;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* A path that is not valid UTF-8 is in the manifest as base64, too. */
static bool path_of(struct reader *r, const cJSON *file, struct str *out)
{
    const cJSON *bytes = member_of(file, "path_base64");
    const cJSON *path = member_of(file, "path");
    if (!path || !json_is_string(path))
        return wrong(r, "path");
    *out = json_text(path);
    if (bytes && json_is_string(bytes)) {
        struct str coded = json_text(bytes);
        char *plain = arena_zalloc(&r->tree, coded.len + 1);
        if (!plain)
            return no_memory(r);
        int n = coded.len && coded.len % 4 == 0 && coded.len < INT32_MAX
                    ? EVP_DecodeBlock((unsigned char *)plain, (const unsigned char *)coded.ptr,
                                      (int)coded.len)
                    : -1;
        for (size_t i = coded.len; n > 0 && i > 0 && coded.ptr[i - 1] == '='; i--)
            n--;
        *out = (struct str){plain, n > 0 ? (size_t)n : 0};
    }
    return (out->len > 0 && !memchr(out->ptr, '\0', out->len)) || wrong(r, "path");
}

static bool sha256_is_one(const char *digest)
{
    return strlen(digest) == SHA256_CHARS && strspn(digest, "0123456789abcdef") == SHA256_CHARS;
}

/* A relative path is relative to the manifest's folder. */
static bool named_file(struct reader *r, const cJSON *file, struct named_file *out)
{
    struct str path;
    if (!path_of(r, file, &path) || !number(r, file, "rows", &out->rows) ||
        !number(r, file, "bytes", &out->bytes) || !text(r, file, "sha256", &out->sha256))
        return false;
    if (!sha256_is_one(out->sha256))
        return wrong(r, "sha256");
    char *given = arena_strdup(&r->to->memory, path);
    if (!given)
        return no_memory(r);
    out->path = given;
    if (*given == '/' || outfile_is_url(given) || strcmp(r->folder, ".") == 0)
        return true;
    size_t n = strlen(r->folder);
    char *joined = arena_alloc(&r->to->memory, n + path.len + 2);
    if (!joined)
        return no_memory(r);
    memcpy(joined, r->folder, n);
    joined[n] = '/';
    memcpy(joined + n + 1, given, path.len + 1);
    out->path = joined;
    return true;
}

static bool maybe_file(struct reader *r, const cJSON *of, const char *name, struct named_file *out)
{
    const cJSON *file = member_of(of, name);
    return !file || (json_is_object(file) ? named_file(r, file, out) : wrong(r, name));
}

/* ---- sinks ----------------------------------------------------------------------------------- */

static bool list_of(struct reader *r, const cJSON *of, const char *name, size_t bytes, void *list,
                    size_t *n)
{
    const cJSON *array = member_of(of, name);
    void **out = list;
    *n = 0;
    if (!array)
        return true;
    if (!json_is_array(array))
        return wrong(r, name);
    size_t count = (size_t)cJSON_GetArraySize(array);
    *out = arena_array(&r->to->memory, count + 1, bytes);
    *n = count;
    return *out || no_memory(r);
}

static bool misfits(struct reader *r, const cJSON *of, struct shard_sink *out)
{
    const cJSON *one = NULL;
    size_t i = 0;
    if (!list_of(r, of, "misfits", sizeof *out->misfits, &out->misfits, &out->n_misfits))
        return false;
    const cJSON *list = member_of(of, "misfits");
    cJSON_ArrayForEach(one, list)
    {
        struct sink_misfits *m = &out->misfits[i++];
        if (!text(r, one, "table", &m->table) || !text(r, one, "column", &m->column) ||
            !number(r, one, "count", &m->n))
            return false;
    }
    return true;
}

static bool sinks(struct reader *r, const cJSON *root)
{
    struct shard_manifest *to = r->to;
    const cJSON *sink = NULL;
    const cJSON *file = NULL;
    size_t i = 0;
    if (!member_of(root, "sinks"))
        return wrong(r, "sinks");
    if (!list_of(r, root, "sinks", sizeof *to->sinks, &to->sinks, &to->n_sinks))
        return false;
    const cJSON *list = member_of(root, "sinks");
    cJSON_ArrayForEach(sink, list)
    {
        struct shard_sink *s = &to->sinks[i++];
        size_t k = 0;
        if (!list_of(r, sink, "files", sizeof *s->files, &s->files, &s->n_files) ||
            !misfits(r, sink, s))
            return false;
        const cJSON *files = member_of(sink, "files");
        cJSON_ArrayForEach(file, files)
        {
            if (!named_file(r, file, &s->files[k++]))
                return false;
        }
    }
    return true;
}

/* ---- counts ---------------------------------------------------------------------------------- */

static bool statuses(struct reader *r, const cJSON *requests, struct http_stats *out)
{
    const cJSON *member = NULL;
    const cJSON *list = member_of(requests, "statuses");
    cJSON_ArrayForEach(member, list)
    {
        uint64_t status = 0;
        if (!units_uint(json_member_name(member), &status) || status >= HTTP_STATUS_MAX ||
            !units_uint(json_text(member), &out->statuses[status]))
            return wrong(r, "statuses");
    }
    return true;
}

/* A run that has published knows the outcome of every lead. */
static bool check_outcomes(struct reader *r, const struct run_result *counts)
{
    const struct ledger_counts *l = &counts->ledger;
    uint64_t n = l->exported;
    bool fits = u64_add(n, l->unchanged, &n) && u64_add(n, l->missing, &n) &&
                u64_add(n, l->failed, &n) && n == counts->ids.unique;
    return l->pending == 0 ? fits || wrong(r, "ledger") : wrong(r, "pending");
}

static bool latency(struct reader *r, const cJSON *requests, double *out)
{
    const cJSON *max = member_of(member_of(requests, "latency_ms"), "max");
    if (max && (max->type & 0xFF) == cJSON_Number)
        *out = strtod(max->valuestring, NULL);
    return (isfinite(*out) && *out >= 0) || wrong(r, "latency_ms");
}

static bool counts(struct reader *r, const cJSON *root)
{
    struct run_result *out = &r->to->counts;
    const cJSON *ids = member_of(root, "ids");
    const cJSON *ledger = member_of(root, "ledger");
    const cJSON *requests = member_of(root, "requests");
    uint64_t status = 0;
    const char *run_id = NULL;
    if (!number(r, root, "exit_status", &status) || !text(r, root, "run_id", &run_id) ||
        !time_ms(r, root, "started_at", &out->started_wall_ms) ||
        !time_ms(r, root, "ended_at", &out->ended_wall_ms) ||
        !number(r, ids, "read", &out->ids.read) || !number(r, ids, "unique", &out->ids.unique) ||
        !number(r, ids, "duplicates", &out->ids.duplicates) ||
        !number(r, ledger, "exported", &out->ledger.exported) ||
        !number(r, ledger, "unchanged", &out->ledger.unchanged) ||
        !number(r, ledger, "missing", &out->ledger.missing) ||
        !number(r, ledger, "failed", &out->ledger.failed) ||
        !number(r, ledger, "pending", &out->ledger.pending) ||
        !number(r, requests, "total", &out->http.requests) ||
        !number(r, requests, "retries", &out->http.retries) || !statuses(r, requests, &out->http))
        return false;
    if (status != EXIT_STATUS_OK && status != EXIT_STATUS_LEADS)
        return wrong(r, "exit_status");
    out->exit_status = (int)status;
    if (!run_id || strlen(run_id) >= sizeof out->run_id)
        return wrong(r, "run_id");
    memcpy(out->run_id, run_id, strlen(run_id) + 1);
    if (!check_outcomes(r, out) || !latency(r, requests, &out->http.latency_max_ms))
        return false;
    const cJSON *beyond = member_of(root, "beyond_max_columns");
    return !beyond || number(r, beyond, "leads", &out->beyond.leads);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static enum rc refuse(const struct shard_manifest *m, const char *why, struct err *e)
{
    return err_set(e, RC_USAGE, "%s: %s", m->path, why);
}

static enum rc read_root(struct reader *r, const cJSON *root, struct err *e)
{
    struct shard_manifest *m = r->to;
    uint64_t index = 0;
    uint64_t of = 0;
    const cJSON *shard = json_is_object(root) ? member_of(root, "shard") : NULL;
    if (!shard || !json_is_object(shard) || !number(r, shard, "index", &index) ||
        !number(r, shard, "of", &of) || of == 0 || of > SHARDS_MAX || index >= of)
        return refuse(
            m,
            "is not the manifest of a shard; give the manifests that the runs with --shard "
            "have written (--manifest)",
            e);
    m->shard = (struct shard){(uint32_t)index, (uint32_t)of};
    const cJSON *published = member_of(root, "published");
    if (!published || (published->type & 0xFF) != cJSON_True)
        return err_set(e, RC_USAGE, "%s: shard %u/%u has published nothing; run it again first",
                       m->path, m->shard.index, m->shard.of);
    if (!member_of(shard, "leads"))
        return refuse(m, "names no MANIFEST.rows.gz, which merge needs; run the shard again", e);
    const cJSON *server = member_of(root, "server");
    if (server && json_is_string(server) && !text(r, root, "server", &m->server))
        return r->no_memory ? err_nomem(e) : refuse(m, "is damaged: \"server\" is wrong", e);
    if (text(r, shard, "list", &m->list) && maybe_file(r, shard, "leads", &m->leads) &&
        maybe_file(r, shard, "failed", &m->failed) &&
        maybe_file(r, shard, "missing", &m->missing) && sinks(r, root) && counts(r, root))
        return RC_OK;
    if (r->no_memory)
        return err_nomem(e);
    return err_set(e, RC_USAGE, "%s: is damaged: \"%s\" is missing or wrong", m->path, r->wrong);
}

static enum rc parse(struct reader *r, struct str json, struct err *e)
{
    struct json_doc doc;
    enum rc rc = json_parse(&r->tree, json, JSON_TREE, &doc, e);
    if (rc == RC_NOMEM)
        return rc;
    if (rc != RC_OK) {
        err_prefix(e, "%s: is not a manifest", r->to->path);
        return e->rc = RC_USAGE;
    }
    return read_root(r, doc.root, e);
}

static enum rc read_file(struct buf *out, const char *path, struct err *e)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return err_sys(e, fd_open_rc(errno), errno, "%s", path);
    enum rc rc = RC_OK;
    if (fstat(fd, &st) != 0)
        rc = err_sys(e, RC_IO, errno, "%s", path);
    else if (!S_ISREG(st.st_mode))
        rc = err_set(e, RC_USAGE, "%s: is not a manifest: it is not a regular file", path);
    for (size_t got = 1; rc == RC_OK && got > 0;) {
        char *to = buf_reserve(out, READ_BYTES);
        if (!to && buf_rc(out) == RC_LIMIT)
            rc = err_set(e, RC_USAGE, "%s: is not a manifest: it is too large", path);
        else if (!to)
            rc = err_nomem(e);
        else
            rc = fd_read_at(fd, path, out->len, to, READ_BYTES, &got, e);
        out->len += rc == RC_OK ? got : 0;
    }
    (void)close(fd); /* it was only read */
    return rc;
}

enum rc shard_manifest_read(struct shard_manifest *m, const char *path, struct err *e)
{
    *m = (struct shard_manifest){.path = path};
    arena_init(&m->memory, MEMORY_BYTES_MAX);
    struct reader r = {.to = m};
    struct buf content;
    char *folder = folder_of(path);
    if (!folder)
        return err_nomem(e);
    r.folder = folder;
    buf_init(&content, SHARD_MANIFEST_BYTES_MAX);
    arena_init(&r.tree, MEMORY_BYTES_MAX);
    enum rc rc = read_file(&content, path, e);
    if (rc == RC_OK)
        rc = parse(&r, buf_str(&content), e);
    arena_free(&r.tree);
    buf_free(&content);
    free(folder);
    return rc;
}

void shard_manifest_free(struct shard_manifest *m)
{
    arena_free(&m->memory);
    *m = (struct shard_manifest){0};
}
