#include "cmd/job_command.h"

#include <string.h>

#include "cmd/command_line.h"

#define WORD_BYTES_MAX ((size_t)4 << 20)

/* ---- the command line ---------------------------------------------------------------------- */

static enum rc make_table(struct job_command *c, struct err *e)
{
    size_t n = option_table_size(export_option_specs), own = option_table_size(c->own);
    struct option_spec *table = arena_zalloc(&c->memory, (n + own + 1) * sizeof *table);
    if (!table)
        return err_nomem(e);
    memcpy(table, export_option_specs, n * sizeof *table);
    memcpy(table + n, c->own, own * sizeof *table);
    c->given = (struct option_reader){
        .table = table, .values = c->values, .dashes = "--", .memory = &c->memory};
    return RC_OK;
}

enum rc job_command_read(struct job_command *c, int argc, char *argv[], struct err *e)
{
    arena_init(&c->memory, SIZE_MAX / 2);
    enum rc rc = make_table(c, e);
    if (rc == RC_OK)
        rc = option_begin(&c->given, e);
    return rc == RC_OK ? command_line_read(&c->given, &c->arguments, argc, argv, e) : rc;
}

/* ---- both together ------------------------------------------------------------------------- */

static bool excludes(const struct option_spec *a, const char *b)
{
    return a->excludes && strcmp(a->excludes, b) == 0;
}

/* Does an option on the command line replace this option of the file, or exclude it? `o` is NULL for files of IDs. */
static bool is_beaten(const struct job_command *c, const struct option_spec *o)
{
    static const char *const sources_of_ids[] = {"id", "all", NULL};
    for (size_t i = 0; i < c->given.n_given; i++) {
        const struct option_spec *given = c->given.given[i].spec;
        if (o && (strcmp(given->name, o->name) == 0 || excludes(given, o->name) ||
                  excludes(o, given->name)))
            return true;
        for (size_t k = 0; !o && sources_of_ids[k]; k++) {
            if (strcmp(given->name, sources_of_ids[k]) == 0)
                return true;
        }
    }
    return false;
}

/* Does the option of the file need one that an option on the command line excludes? */
static bool has_lost_its_need(const struct job_command *c, const struct option_spec *o)
{
    const struct option_spec *needed =
        o->needs ? option_named(c->given.table, str_c(o->needs)) : NULL;
    bool is_given = false;
    for (size_t i = 0; needed && i < c->given.n_given; i++)
        is_given |= strcmp(c->given.given[i].spec->name, needed->name) == 0;
    return needed && !is_given && is_beaten(c, needed);
}

static enum rc add_word(struct job_command *c, const char *before, const char *name,
                        const char *value, struct err *e)
{
    struct buf word;
    buf_init(&word, WORD_BYTES_MAX);
    buf_addf(&word, "%s%s%s%s", before, name, value ? "=" : "", value ? value : "");
    char *copy = buf_rc(&word) == RC_OK ? arena_strdup(&c->memory, buf_str(&word)) : NULL;
    bool is_long = buf_rc(&word) == RC_LIMIT;
    buf_free(&word);
    if (is_long)
        return err_set(e, RC_USAGE, "%s%s: the value is too long", before, name);
    if (!copy)
        return err_nomem(e);
    c->argv[c->argc++] = copy;
    return RC_OK;
}

static enum rc add_files(struct job_command *c, bool has_job, struct err *e)
{
    enum rc rc = RC_OK;
    bool any = !has_job && c->arguments.n > 0;
    if (any)
        rc = add_word(c, "--", "", NULL, e);
    for (size_t i = 0; rc == RC_OK && !has_job && i < c->arguments.n; i++)
        rc = add_word(c, "", c->arguments.items[i], NULL, e);
    for (size_t i = 0; rc == RC_OK && i < c->job.n; i++) {
        if (c->job.arguments[i].option || is_beaten(c, NULL))
            continue;
        if (!any)
            rc = add_word(c, "--", "", NULL,
                          e); /* what follows are files, even if they look like options */
        any = true;
        if (rc == RC_OK)
            rc = add_word(c, "", c->job.arguments[i].value, NULL, e);
    }
    return rc;
}

/* The options of the file first, then those of the command line; files of IDs last. */
static enum rc make_argv(struct job_command *c, bool has_job, struct err *e)
{
    c->argv =
        arena_array(&c->memory, c->job.n + c->given.n_given + c->arguments.n + 3, sizeof *c->argv);
    if (!c->argv)
        return err_nomem(e);
    enum rc rc = add_word(c, "", "export", NULL, e);
    for (size_t i = 0; rc == RC_OK && i < c->job.n; i++) {
        const struct job_argument *a = &c->job.arguments[i];
        if (a->option && !is_beaten(c, a->option) && !has_lost_its_need(c, a->option))
            rc = add_word(c, "--", a->option->name, a->value, e);
    }
    for (size_t i = 0; rc == RC_OK && i < c->given.n_given; i++) {
        const struct option_given *g = &c->given.given[i];
        if (!option_named(c->own, str_c(g->spec->name)))
            rc = add_word(c, "--", g->spec->name, g->text, e);
    }
    if (rc == RC_OK)
        rc = add_files(c, has_job, e);
    c->argv[c->argc] = NULL;
    return rc;
}

enum rc job_command_make(struct job_command *c, const char *path, struct err *e)
{
    enum rc rc = path ? job_file_read(&c->job, path, e) : RC_OK;
    if (rc == RC_OK)
        return make_argv(c, path != NULL, e);
    struct err ignored;
    if (rc == RC_USAGE && make_argv(c, true, &ignored) != RC_OK)
        c->argv = NULL;
    return rc;
}

const char *job_command_name(struct job_command *c, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct str name = str_c(slash ? slash + 1 : path);
    const char *dot = memrchr(name.ptr, '.', name.len);
    if (dot > name.ptr)
        name.len = (size_t)(dot - name.ptr);
    bool is_usable =
        name.len > 0 && name.len <= JOB_NAME_BYTES_MAX && utf8_valid(name.ptr, name.len);
    return is_usable ? arena_strdup(&c->memory, name) : JOB_NAME_DEFAULT;
}

void job_command_free(struct job_command *c)
{
    job_file_free(&c->job);
    arena_free(&c->memory);
}
