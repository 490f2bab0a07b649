#include "sinks/table_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/file/outfile.h"

bool table_files_in_folder(const char *target)
{
    size_t n = strlen(target);
    return n > 0 && target[n - 1] == '/';
}

void table_files_free(struct table_files *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->items[i].path);
    free(t->items);
    *t = (struct table_files){0};
}

static enum rc unknown_table(const struct profile *p, const char *name, struct err *e)
{
    struct buf names;
    buf_init(&names, 1024);
    for (size_t i = 0; i < p->n_tables; i++) {
        buf_adds(&names, i ? ", " : "");
        buf_add_str(&names, p->tables[i].name);
    }
    buf_addc(&names, '\0');
    enum rc rc = err_set(e, RC_USAGE, "table=%s: unknown table; the tables are: %s", name,
                         buf_rc(&names) == RC_OK ? names.data : "(many)");
    buf_free(&names);
    return rc;
}

static enum rc make_file(struct table_file *f, const struct table_files_cfg *cfg, size_t table,
                         struct err *e)
{
    const char *target = cfg->sink->target;
    const char *name = cfg->sink->profile->tables[table].name.ptr;
    bool in_folder = table_files_in_folder(target);
    if (in_folder && strchr(name, '/')) {
        (void)err_set(e, RC_USAGE, "the table name %s cannot be used as a file name", name);
        return RC_USAGE;
    }
    size_t bytes = strlen(target) + strlen(name) + strlen(cfg->suffix) + 1;
    f->table = table;
    f->name = in_folder || !cfg->all_in_one ? name : NULL;
    f->path = malloc(bytes);
    if (!f->path) {
        (void)err_nomem(e);
        return RC_NOMEM;
    }
    (void)snprintf(f->path, bytes, "%s%s%s", target, in_folder ? name : "",
                   in_folder ? cfg->suffix : "");
    return RC_OK;
}

enum rc table_files_make(struct table_files *out, const struct table_files_cfg *cfg, struct err *e)
{
    const struct profile *p = cfg->sink->profile;
    int first = cfg->table ? profile_table(p, str_c(cfg->table)) : 0;
    if (first < 0)
        return unknown_table(p, cfg->table, e);
    size_t n = table_files_in_folder(cfg->sink->target) ? p->n_tables : 1;
    struct table_files t = {.items = calloc(n, sizeof *t.items), .n = n};
    if (!t.items)
        return err_nomem(e);
    for (size_t i = 0; i < n; i++) {
        enum rc rc = make_file(&t.items[i], cfg, (size_t)first + i, e);
        if (rc != RC_OK) {
            table_files_free(&t);
            return rc;
        }
    }
    *out = t;
    return RC_OK;
}

static enum rc check_options(const struct table_files_cfg *cfg, struct err *e)
{
    const char *target = cfg->sink->target;
    if (*target == '\0')
        return err_set(e, RC_USAGE,
                       "the target after the colon must be a file, a directory that "
                       "ends in /, or -");
    if (cfg->table && table_files_in_folder(target))
        return err_set(e, RC_USAGE, "table= applies only to a single file; %s gets all tables",
                       target);
    return RC_OK;
}

static enum rc check_paths(const struct table_files_cfg *cfg, const struct table_files *t,
                           struct err *e)
{
    struct stat st;
    const char *target = cfg->sink->target;
    const struct places *places = cfg->sink->places;
    bool is_url = outfile_is_url(target);
    bool there = !is_url && stat(target, &st) == 0;
    bool in_folder = table_files_in_folder(target);
    if (!in_folder && there && S_ISDIR(st.st_mode))
        return err_set(e, RC_USAGE, "%s: is a directory; write %s/ for one file per table in it",
                       cfg->sink->spec, cfg->sink->spec);
    if (in_folder) {
        enum rc rc = outfile_check_dirs(places, target, e);
        if (rc != RC_OK || (!there && !is_url))
            return rc;
    }
    for (size_t i = 0; i < t->n; i++) {
        const char *path = t->items[i].path;
        enum rc rc = cfg->sink->makes_folder ? outfile_check_new(places, path, e)
                                             : outfile_check(places, path, e);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

enum rc table_files_check(const struct table_files_cfg *cfg, struct err *e)
{
    struct table_files t = {0};
    enum rc rc = check_options(cfg, e);
    if (rc == RC_OK)
        rc = table_files_make(&t, cfg, e);
    if (rc != RC_OK)
        err_prefix(e, "%s", cfg->sink->spec);
    else
        rc = check_paths(cfg, &t, e);
    table_files_free(&t);
    return rc;
}

enum rc table_files_paths(const struct table_files_cfg *cfg, struct buf *out, struct err *e)
{
    struct table_files t = {0};
    enum rc rc = table_files_make(&t, cfg, e);
    if (rc != RC_OK)
        return rc;
    for (size_t i = 0; i < t.n; i++)
        buf_add(out, t.items[i].path, strlen(t.items[i].path) + 1);
    table_files_free(&t);
    return buf_rc(out) == RC_OK ? RC_OK : err_nomem(e);
}

static bool has_extension(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    return *name && strchr(name + 1, '.');
}

void table_files_probe(const struct table_files_cfg *cfg, const char *sink,
                       const struct findings *f)
{
    const struct sink_cfg *s = cfg->sink;
    bool is_wanted = cfg->table || cfg->all_in_one || s->profile->n_tables == 1;
    if (is_wanted || table_files_in_folder(s->target) || !outfile_is_file(s->target))
        return;
    if (has_extension(s->target))
        findings_add(f, FINDING_OK, sink,
                     "%s: the table %s only; a directory, with a / at its end, gets all %zu tables",
                     s->spec, s->profile->tables[0].name.ptr, s->profile->n_tables);
    else
        findings_add(f, FINDING_WARN, sink,
                     "%s: the table %s only; \"%s/\" writes all %zu tables, each to a file in that "
                     "directory",
                     s->spec, s->profile->tables[0].name.ptr, s->spec, s->profile->n_tables);
}
