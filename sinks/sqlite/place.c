#include "sinks/sqlite/place.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "core/base/rfc3339.h"
#include "core/file/outfile.h"

#define MEMORY_MAX ((size_t)256 << 20)
#define PATHS_BYTES_MAX ((size_t)1 << 20)
#define US_PER_S INT64_C(1000000)
#define S_PER_DAY INT64_C(86400)

/* ---- times ---------------------------------------------------------------------------------- */

/* The civil calendar: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days. */
void sqlite_time_text(int64_t us, char out[SQLITE_TIME_BYTES])
{
    int64_t s = (us - TIME_YEAR_1_US) / US_PER_S;
    int64_t fraction = (us - TIME_YEAR_1_US) % US_PER_S;
    int64_t day = s / S_PER_DAY + 306; /* since 0000-03-01 */
    int64_t second = s % S_PER_DAY;
    int64_t era = day / 146097;
    int64_t of_era = day % 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153; /* from March */
    int64_t date = of_year - (153 * month + 2) / 5 + 1;
    year += era * 400 + (month >= 10);
    month += month < 10 ? 3 : -9;
    (void)snprintf(out, SQLITE_TIME_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", (int)year,
                   (int)month, (int)date, (int)(second / 3600), (int)(second / 60 % 60),
                   (int)(second % 60), (int)fraction);
}

/* ---- the files ------------------------------------------------------------------------------ */

static enum rc keep(struct sqlite_place *p, struct str text, const char **out, struct err *e)
{
    *out = arena_strdup(&p->memory, text);
    return *out ? RC_OK : err_nomem(e);
}

/* Absolute, and without links: what SQLite opens is what was checked. */
static enum rc resolve(struct sqlite_place *p, const char *target, struct err *e)
{
    char *real = realpath(target, NULL);
    if (real) {
        enum rc rc = keep(p, str_c(real), &p->path, e);
        free(real);
        return rc;
    }
    if (errno != ENOENT)
        return err_sys(e, RC_USAGE, errno, "%s", p->spec);
    const char *slash = strrchr(target, '/');
    const char *name = slash ? slash + 1 : target;
    struct buf path;
    buf_init(&path, PATH_MAX);
    buf_add_str(&path, slash ? (struct str){target, (size_t)(slash + 1 - target)} : STR("."));
    real = buf_rc(&path) == RC_OK ? realpath(buf_cstr(&path), NULL) : NULL;
    enum rc rc = RC_OK;
    if (real) {
        buf_clear(&path);
        buf_addf(&path, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name);
        rc = buf_rc(&path) == RC_OK ? keep(p, buf_str(&path), &p->path, e) : err_nomem(e);
    } else {
        rc = err_sys(e, RC_USAGE, errno, "%s: its directory", p->spec);
    }
    free(real);
    buf_free(&path);
    return rc;
}

/* "....leadpipe-part" becomes "....leadpipe-" and `end`. */
static enum rc name_beside(struct sqlite_place *p, const char *part, const char *end,
                           const char **out, struct err *e)
{
    struct buf path;
    buf_init(&path, PATHS_BYTES_MAX);
    buf_addf(&path, "%.*s%s", (int)(strlen(part) - strlen("part")), part, end);
    enum rc rc = buf_rc(&path) == RC_OK ? keep(p, buf_str(&path), out, e) : err_nomem(e);
    buf_free(&path);
    return rc;
}

static enum rc name_shard_files(struct sqlite_place *p, struct err *e)
{
    const char *part = p->staging;
    const char *merged = p->other_fresh;
    char shard[64];
    (void)snprintf(shard, sizeof shard, "shard-%" PRIu32 "-of-%" PRIu32, p->shard->index,
                   p->shard->of);
    const struct {
        const char *end, **out;
    } names[] = {{shard, &p->staging},
                 {"shards", &p->lock},
                 {"shard-", &p->loading},
                 {"loaded-", &p->loaded}};
    enum rc rc = RC_OK;
    p->other_fresh = p->fresh;
    p->fresh = merged;
    for (size_t i = 0; rc == RC_OK && i < sizeof names / sizeof *names; i++)
        rc = name_beside(p, part, names[i].end, names[i].out, e);
    return rc;
}

static enum rc name_files(struct sqlite_place *p, const char *target, struct err *e)
{
    struct buf names;
    if (!*target || !outfile_is_file(target))
        return err_set(e, RC_USAGE, "%s: the target must be a file, such as sqlite:leads.db",
                       p->spec);
    enum rc rc = outfile_check(NULL, target, e);
    if (rc != RC_OK) {
        err_prefix(e, "%s", p->spec);
        return rc;
    }
    rc = resolve(p, target, e);
    buf_init(&names, PATHS_BYTES_MAX);
    if (rc == RC_OK)
        rc = outfile_unfinished(NULL, p->path, &names, e);
    if (rc == RC_OK && buf_rc(&names) != RC_OK)
        rc = err_nomem(e);
    if (rc == RC_OK)
        rc = keep(p, str_c(names.data), &p->staging, e);
    if (rc == RC_OK)
        rc = keep(p, str_c(names.data + strlen(names.data) + 1), &p->fresh, e);
    buf_free(&names);
    if (rc == RC_OK)
        rc = name_beside(p, p->staging, "merged", &p->other_fresh, e);
    return rc == RC_OK && p->shard ? name_shard_files(p, e) : rc;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static enum rc check_tables(const struct sqlite_place *p, struct err *e)
{
    for (size_t i = 0; i < p->relations.n; i++) {
        struct str name = p->relations.items[i].name;
        if (name.len >= 7 && sqlite3_strnicmp(name.ptr, "sqlite_", 7) == 0)
            return err_set(e, RC_USAGE,
                           "%s: a table cannot be called " STR_FMT
                           ": names that begin with sqlite_ "
                           "are SQLite's own",
                           p->spec, STR_ARG(name));
    }
    return RC_OK;
}

enum rc sqlite_place_make(struct sqlite_place *p, const struct sink_cfg *cfg, struct err *e)
{
    const struct sqlite_opts *opts = cfg->opts;
    *p = (struct sqlite_place){.spec = cfg->spec,
                               .log = cfg->log,
                               .shard = cfg->shard,
                               .mode = (enum sql_mode)opts->mode,
                               .deletes = (enum sql_deletes)opts->deletes,
                               .all_text = opts->types == TYPES_TEXT,
                               .max_gone = &cfg->max_gone};
    arena_init(&p->memory, MEMORY_MAX);
    for (size_t i = 0; (p->dialect = sql_dialect(i)) && strcmp(p->dialect->name, "sqlite") != 0;)
        i++;
    enum rc rc = sql_load_options_check(p->mode, p->deletes, p->spec, e);
    if (rc == RC_OK)
        rc = sql_relations_make(&p->relations, &p->memory, p->dialect, cfg->profile, NULL,
                                p->all_text, e);
    if (rc == RC_OK)
        rc = check_tables(p, e);
    if (rc == RC_OK)
        rc = name_files(p, cfg->target, e);
    return rc;
}

enum rc sqlite_place_set_run(struct sqlite_place *p, const struct sink_cfg *cfg, struct str run_id,
                             int64_t started_ms, struct err *e)
{
    struct buf token;
    for (size_t i = 0; i < run_id.len; i++) { /* it stands in SQL */
        if (!memchr("0123456789abcdef", run_id.ptr[i], 16))
            return err_set(e, RC_SYNTAX, "%s: the run's id is malformed", p->spec);
    }
    buf_init(&token, 256);
    buf_addf(&token, STR_FMT "/%u", STR_ARG(run_id), cfg->index);
    enum rc rc = buf_rc(&token) == RC_OK ? keep(p, buf_str(&token), &p->token, e) : err_nomem(e);
    if (rc == RC_OK)
        rc = keep(p, run_id, &p->run_id, e);
    sqlite_time_text(started_ms * 1000, p->started_at);
    buf_free(&token);
    return rc;
}

void sqlite_place_free(struct sqlite_place *p)
{
    arena_free(&p->memory);
}

static enum rc check_length(const struct sqlite_place *p, const char *path, size_t more,
                            struct err *e)
{
    const char *name = strrchr(path, '/') + 1; /* they are absolute */
    if (strlen(name) + more <= NAME_MAX)
        return RC_OK;
    return err_set(e, RC_USAGE,
                   "%s: the name is too long for a database, because the files beside it have "
                   "names %zu bytes longer: %s",
                   p->spec, more, name);
}

/* They are no unfinished files of the database's own name. Not the new database: a run that was killed may have left it as a
 * second name of the database. */
static enum rc put_shard_files(const struct sqlite_place *p, struct buf *out, struct err *e)
{
    const char *const files[] = {p->staging, p->lock};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        buf_add(out, files[i], strlen(files[i]) + 1);
    return check_length(p, p->staging, sizeof "-0123456789abcdef-journal", e);
}

enum rc sqlite_place_beside(const struct sqlite_place *p, struct buf *out, struct err *e)
{
    static const char *const suffixes[] = {"-journal", "-wal", "-shm"};
    const char *const files[] = {p->path, p->staging, p->fresh};
    enum rc rc = p->shard ? put_shard_files(p, out, e) : RC_OK;
    if (rc != RC_OK)
        return rc;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        rc = check_length(p, files[i], strlen(suffixes[0]), e);
        if (rc != RC_OK)
            return rc;
        for (size_t k = 0; k < sizeof suffixes / sizeof *suffixes; k++) {
            buf_adds(out, files[i]);
            buf_add(out, suffixes[k], strlen(suffixes[k]) + 1);
        }
    }
    return buf_rc(out) == RC_OK ? RC_OK : err_nomem(e);
}

void sqlite_put_table(struct buf *b, const struct sqlite_place *p, struct str table)
{
    buf_adds(b, "out.");
    sql_quote(b, p->dialect, table);
}
