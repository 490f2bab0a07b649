#include "core/run/run_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/json/json.h"
#include "core/base/units.h"

#define PATHS_BYTES_MAX ((size_t)16 << 20)

struct figure {
    const char *name;
    size_t offset;
};

#define RESULT(member) offsetof(struct run_result, member)

static const struct figure result_figures[] = {
    {"ids_read", RESULT(ids.read)},
    {"ids_unique", RESULT(ids.unique)},
    {"ids_duplicates", RESULT(ids.duplicates)},
    {"ids_others", RESULT(ids.others)},
    {"ids_expected", RESULT(ids.expected)},
    {"exported", RESULT(ledger.exported)},
    {"unchanged", RESULT(ledger.unchanged)},
    {"missing", RESULT(ledger.missing)},
    {"failed", RESULT(ledger.failed)},
    {"requests", RESULT(http.requests)},
    {"retries", RESULT(http.retries)},
    {"bytes_received", RESULT(http.bytes_received)},
    {"replaced", RESULT(replaced)},
    {"other_ids", RESULT(other_ids)},
    {"codes_beyond", RESULT(beyond.codes)},
    {"members_beyond", RESULT(beyond.members)},
    {"leads_beyond", RESULT(beyond.leads)},
    {"missing_allowed", RESULT(missing_allowed)},
    {NULL, 0},
};

static const struct figure delivery_figures[] = {
    {"deliveries", offsetof(struct sink_result, deliveries)},
    {"delivered", offsetof(struct sink_result, delivered)},
    {"failed", offsetof(struct sink_result, failed)},
    {NULL, 0},
};

static const struct figure database_figures[] = {
    {"inserted", offsetof(struct sink_result, inserted)},
    {"updated", offsetof(struct sink_result, updated)},
    {"deleted", offsetof(struct sink_result, deleted)},
    {"held", offsetof(struct sink_result, held)},
    {"gone", offsetof(struct sink_result, gone)},
    {"gone_allowed", offsetof(struct sink_result, gone_allowed)},
    {NULL, 0},
};

static const struct figure shard_figures[] = {
    {"due", offsetof(struct sink_result, due)},
    {"merged", offsetof(struct sink_result, merged)},
    {NULL, 0},
};

static const struct figure file_figures[] = {
    {"rows", offsetof(struct sink_file, rows)},
    {"bytes", offsetof(struct sink_file, bytes)},
    {NULL, 0},
};

/* ---- writing -------------------------------------------------------------------------------- */

/* Each writer ends with a comma. */
static void write_figures(struct buf *b, const struct figure *figures, const void *of)
{
    for (; figures->name; figures++) {
        uint64_t value;
        memcpy(&value, (const char *)of + figures->offset, sizeof value);
        buf_addf(b, "\"%s\":%" PRIu64 ",", figures->name, value);
    }
}

static void write_files(struct buf *b, const struct sink_result *s)
{
    buf_adds(b, "\"files\":[");
    for (size_t i = 0; i < s->n_files; i++) {
        buf_adds(b, i ? ",{" : "{");
        write_figures(b, file_figures, &s->files[i]);
        buf_adds(b, "\"path\":");
        json_write_bytes(b, str_c(s->files[i].path));
        buf_addc(b, '}');
    }
    buf_addc(b, ']');
}

static void write_misfits(struct buf *b, const struct sink_result *s)
{
    buf_adds(b, ",\"misfits\":[");
    for (size_t i = 0; i < s->n_misfits; i++) {
        buf_adds(b, i ? ",{\"table\":" : "{\"table\":");
        json_write_string(b, str_c(s->misfits[i].table));
        buf_adds(b, ",\"column\":");
        json_write_string(b, str_c(s->misfits[i].column));
        if (s->misfits[i].type) {
            buf_adds(b, ",\"type\":");
            json_write_string(b, str_c(s->misfits[i].type));
        }
        buf_addf(b, ",\"count\":%" PRIu64 "}", s->misfits[i].n);
    }
    buf_addc(b, ']');
}

static void write_shard(struct buf *b, const struct sink_result *s)
{
    buf_adds(b, "\"shard\":{");
    write_figures(b, shard_figures, s);
    buf_adds(b, "\"waits_for\":");
    json_write_bytes(b, str_c(s->waits_for));
    buf_adds(b, "},");
}

void run_record_write(struct buf *out, const struct run_cfg *cfg, const struct run_result *result)
{
    buf_addc(out, '{');
    write_figures(out, result_figures, result);
    buf_addf(out, "\"exit_status\":%d,\"withheld\":%d,\"ended_ms\":%" PRId64 ",\"active_ms\":%.0f,",
             result->exit_status, (int)result->withheld, result->ended_wall_ms,
             result->seconds * 1000);
    buf_adds(out, "\"first_failure\":");
    json_write_bytes(out, str_c(result->first_failure));
    buf_adds(out, ",\"first_beyond\":");
    json_write_bytes(out, str_c(result->beyond.first));
    buf_adds(out, ",\"sinks\":[");
    for (size_t i = 0; i < cfg->n_sinks; i++) {
        const struct sink_result *s = &result->sinks[i];
        buf_adds(out, i ? ",{" : "{");
        write_figures(out, delivery_figures, s);
        buf_addf(out, "\"is_delivery\":%d,", s->is_delivery);
        if (s->is_database) {
            buf_adds(out, "\"database\":{");
            write_figures(out, database_figures, s);
            out->len -= out->len > 0; /* the last comma */
            buf_adds(out, "},");
        }
        if (cfg->sinks[i].cfg.shard)
            write_shard(out, s);
        write_files(out, s);
        if (s->is_typed)
            write_misfits(out, s);
        buf_addc(out, '}');
    }
    buf_adds(out, "]}");
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Far more than any count of a run; so the sum of a few counts cannot overflow. */
#define NUMBER_MAX ((uint64_t)1 << 53)

static bool read_number(const cJSON *object, const char *name, uint64_t *out)
{
    const cJSON *value = json_member(object, name);
    return cJSON_IsNumber(value) && units_uint(json_text(value), out) && *out <= NUMBER_MAX;
}

static bool read_figures(const cJSON *object, const struct figure *figures, void *of)
{
    for (; figures->name; figures++) {
        uint64_t value = 0;
        if (!read_number(object, figures->name, &value))
            return false;
        memcpy((char *)of + figures->offset, &value, sizeof value);
    }
    return true;
}

static bool read_text(const cJSON *object, const char *name, const char **out)
{
    const cJSON *value = json_member(object, name);
    if (!cJSON_IsString(value))
        return false;
    *out = value->valuestring;
    return true;
}

/* The files of a sink are those of its configuration, in the same order: only their figures are taken from the record. */
static bool read_files(const cJSON *files, const struct buf *paths, struct arena *arena,
                       struct sink_result *out)
{
    size_t at = 0;
    const cJSON *file;
    cJSON_ArrayForEach(file, files)
    {
        struct sink_file *f = &out->files[out->n_files++];
        *f = (struct sink_file){0};
        if (at == paths->len || !read_figures(file, file_figures, f))
            return false;
        f->path = arena_strdup(arena, str_c(paths->data + at));
        if (!f->path)
            return false;
        at += strlen(paths->data + at) + 1;
    }
    return at == paths->len;
}

/* Absent if the sink's columns have no types. */
static bool read_misfits(const struct profile *p, const cJSON *list, struct arena *arena,
                         struct sink_result *out)
{
    const cJSON *item;
    out->is_typed = list != NULL;
    if (!list)
        return true;
    if (!cJSON_IsArray(list))
        return false;
    out->misfits = arena_array(arena, (size_t)cJSON_GetArraySize(list) + 1, sizeof *out->misfits);
    if (!out->misfits)
        return false;
    cJSON_ArrayForEach(item, list)
    {
        struct sink_misfits *m = &out->misfits[out->n_misfits++];
        const char *table;
        if (!read_text(item, "table", &table) || !read_text(item, "column", &m->column) ||
            (json_member(item, "type") && !read_text(item, "type", &m->type)) ||
            !read_number(item, "count", &m->n))
            return false;
        int index = profile_table(p, str_c(table));
        if (index < 0)
            return false;
        m->table = p->tables[index].name.ptr;
    }
    return true;
}

/* Deliveries have no files, a database may have some, and all others do. */
static bool has_right_kind(const struct sink_result *s, bool has_files)
{
    return s->is_delivery ? !has_files && !s->is_database : has_files || s->is_database;
}

/* Absent if it is no shard's, or not of a sink in which shards become one. */
static bool read_shard(const cJSON *object, struct sink_result *out)
{
    const char *waits_for;
    if (!object)
        return true;
    if (!read_figures(object, shard_figures, out) || !read_text(object, "waits_for", &waits_for) ||
        strlen(waits_for) >= sizeof out->waits_for)
        return false;
    (void)snprintf(out->waits_for, sizeof out->waits_for, "%s", waits_for);
    return true;
}

/* Reads all but files and misfits, and makes room for those. */
static bool read_sink_figures(const cJSON *object, struct arena *arena, struct sink_result *out)
{
    const cJSON *files = json_member(object, "files");
    const cJSON *database = json_member(object, "database");
    uint64_t is_delivery = 0;
    *out = (struct sink_result){.n_files = 0};
    if (!read_figures(object, delivery_figures, out) || !cJSON_IsArray(files) ||
        !read_number(object, "is_delivery", &is_delivery) || is_delivery > 1)
        return false;
    out->is_delivery = is_delivery;
    out->is_database = database != NULL;
    if ((database && !read_figures(database, database_figures, out)) ||
        !read_shard(json_member(object, "shard"), out))
        return false;
    out->files = arena_array(arena, (size_t)cJSON_GetArraySize(files) + 1, sizeof *out->files);
    return out->files != NULL;
}

static bool read_sink(const struct run_sink_cfg *sink, const cJSON *object, struct arena *arena,
                      struct sink_result *out)
{
    const cJSON *files = json_member(object, "files");
    struct buf paths;
    if (!read_sink_figures(object, arena, out))
        return false;
    buf_init(&paths, PATHS_BYTES_MAX);
    bool good = sink->ops->paths(&sink->cfg, &paths, NULL) == RC_OK &&
                has_right_kind(out, paths.len > 0) && read_files(files, &paths, arena, out) &&
                read_misfits(sink->cfg.profile, json_member(object, "misfits"), arena, out);
    buf_free(&paths);
    return good;
}

/* A run that was published had reached its end: every ID must have an outcome. */
static bool outcomes_add_up(const struct run_result *out)
{
    const struct ledger_counts *l = &out->ledger;
    return l->exported + l->unchanged + l->missing + l->failed == out->ids.unique &&
           out->ids.unique + out->ids.duplicates == out->ids.read;
}

/* Reads all but the sinks. */
static bool read_totals(const cJSON *root, struct run_result *out)
{
    uint64_t exit_status = 0;
    uint64_t withheld = 0;
    uint64_t ended_ms = 0;
    uint64_t active_ms = 0;
    const char *first_beyond = "";
    if (!read_figures(root, result_figures, out) ||
        !read_number(root, "exit_status", &exit_status) ||
        !read_number(root, "withheld", &withheld) || withheld > WITHHELD_GONE ||
        !read_number(root, "ended_ms", &ended_ms) || !read_number(root, "active_ms", &active_ms) ||
        !read_text(root, "first_failure", &out->first_failure) ||
        !read_text(root, "first_beyond", &first_beyond) ||
        !cJSON_IsArray(json_member(root, "sinks")) ||
        (exit_status != EXIT_STATUS_LEADS && (exit_status != EXIT_STATUS_OK || withheld)) ||
        !outcomes_add_up(out))
        return false;
    if (out->beyond.leads && id_check(str_c(first_beyond), NULL) != RC_OK)
        return false;
    (void)snprintf(out->beyond.first, sizeof out->beyond.first, "%s", first_beyond);
    out->exit_status = (int)exit_status;
    out->withheld = (enum withheld)withheld;
    out->ended_wall_ms = (int64_t)ended_ms;
    out->seconds = (double)active_ms / 1000;
    out->ids_ended = true;
    return true;
}

static bool read_result(const struct run_cfg *cfg, const cJSON *root, struct arena *arena,
                        struct sink_result *results, struct run_result *out)
{
    size_t n = 0;
    const cJSON *sink;
    if (!read_totals(root, out))
        return false;
    out->sinks = results;
    cJSON_ArrayForEach(sink, json_member(root, "sinks"))
    {
        if (n == cfg->n_sinks || !read_sink(&cfg->sinks[n], sink, arena, &results[n]))
            return false;
        n++;
    }
    return n == cfg->n_sinks;
}

static enum rc record_damaged(const char *path, struct err *e)
{
    return err_set(e, RC_USAGE,
                   "%s: is damaged: it does not say how its run ended; restore it, or remove it to "
                   "start over",
                   path);
}

enum rc run_record_read(const struct run_cfg *cfg, struct str record, struct arena *arena,
                        struct sink_result *sinks, struct run_result *out, struct err *e)
{
    struct json_doc doc;
    enum rc rc = record.ptr ? json_parse(arena, record, JSON_TREE, &doc, e) : RC_SYNTAX;
    if (rc == RC_NOMEM)
        return rc;
    if (rc == RC_OK && read_result(cfg, doc.root, arena, sinks, out))
        return RC_OK;
    return record_damaged(cfg->state_path, e);
}

/* ---- showing ---------------------------------------------------------------------------------- */

static bool show_sink(const cJSON *object, struct arena *arena, struct sink_result *out)
{
    const cJSON *file;
    if (!read_sink_figures(object, arena, out))
        return false;
    cJSON_ArrayForEach(file, json_member(object, "files"))
    {
        struct sink_file *f = &out->files[out->n_files++];
        *f = (struct sink_file){0};
        if (!read_figures(file, file_figures, f) || !read_text(file, "path", &f->path))
            return false;
    }
    return true;
}

enum rc run_record_show(const char *path, struct str record, struct arena *arena,
                        struct sink_result *sinks, size_t *n_sinks, struct run_result *out,
                        struct err *e)
{
    struct json_doc doc;
    const cJSON *list;
    const cJSON *sink;
    size_t n = 0;
    enum rc rc = json_parse(arena, record, JSON_TREE, &doc, e);
    if (rc == RC_NOMEM)
        return rc;
    bool good = rc == RC_OK && read_totals(doc.root, out);
    list = good ? json_member(doc.root, "sinks") : NULL;
    cJSON_ArrayForEach(sink, list)
    {
        good = good && n < RUN_SINKS_MAX && show_sink(sink, arena, &sinks[n]);
        n += good;
    }
    out->sinks = sinks;
    *n_sinks = n;
    return good ? RC_OK : record_damaged(path, e);
}
