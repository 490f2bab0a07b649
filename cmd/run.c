/* leadpipe run: an export whose options are in a job file. */
#include <stdio.h>
#include <string.h>

#include "cmd/command_line.h"
#include "cmd/commands.h"
#include "cmd/export.h"
#include "cmd/job_file.h"
#include "cmd/shell_quote.h"

#define WORD_BYTES_MAX ((size_t)4 << 20)
#define LINE_BYTES_MAX ((size_t)64 << 20)

/* The options of export, and one more. */
struct run_options {
    struct export_options export;
    bool print;
};

const struct option_spec run_option_specs[] = {
    {
        .name = "print",
        OPTION_AT(struct run_options, FLAG, print),
        .help =
            "print the command line that the job file stands for, quoted for a shell, and do not "
            "run it",
    },
    {.name = NULL},
};

struct run_command {
    struct messages *messages;
    struct arena memory;
    struct run_options options;
    struct option_reader given; /* on the command line */
    struct text_list arguments; /* of the command line, which should be the job file alone */
    struct job_file job;
    char **argv; /* of export */
    int argc;
};

/* ---- the command line ---------------------------------------------------------------------- */

static enum rc make_table(struct run_command *r, struct err *e)
{
    size_t n = option_table_size(export_option_specs), own = option_table_size(run_option_specs);
    struct option_spec *table = arena_zalloc(&r->memory, (n + own + 1) * sizeof *table);
    if (!table)
        return err_nomem(e);
    memcpy(table, export_option_specs, n * sizeof *table);
    memcpy(table + n, run_option_specs, own * sizeof *table);
    r->given = (struct option_reader){
        .table = table, .values = &r->options, .dashes = "--", .memory = &r->memory};
    return RC_OK;
}

static enum rc read_command_line(struct run_command *r, int argc, char *argv[], struct err *e)
{
    enum rc rc = make_table(r, e);
    if (rc == RC_OK)
        rc = option_begin(&r->given, e);
    if (rc == RC_OK)
        rc = command_line_read(&r->given, &r->arguments, argc, argv, e);
    if (rc != RC_OK)
        return rc;
    if (r->arguments.n == 0)
        return err_set(e, RC_USAGE,
                       "run: missing argument; usage: leadpipe run JOB.yaml [OPTIONS]");
    if (r->arguments.n > 1)
        return err_set(e, RC_USAGE,
                       "run: unexpected argument %s; usage: leadpipe run JOB.yaml [OPTIONS]",
                       r->arguments.items[1]);
    r->job.keeps_references = r->options.print;
    return RC_OK;
}

/* ---- both together ------------------------------------------------------------------------- */

static bool excludes(const struct option_spec *a, const char *b)
{
    return a->excludes && strcmp(a->excludes, b) == 0;
}

/* Is there an option on the command line that takes the place of one of the file, or cannot be used with
 * it? `o` is NULL for files of IDs. */
static bool is_beaten(const struct run_command *r, const struct option_spec *o)
{
    static const char *const sources_of_ids[] = {"id", "all", NULL};
    for (size_t i = 0; i < r->given.n_given; i++) {
        const struct option_spec *given = r->given.given[i].spec;
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

static enum rc add_word(struct run_command *r, const char *before, const char *name,
                        const char *value, struct err *e)
{
    struct buf word;
    buf_init(&word, WORD_BYTES_MAX);
    buf_addf(&word, "%s%s%s%s", before, name, value ? "=" : "", value ? value : "");
    char *copy = buf_rc(&word) == RC_OK ? arena_strdup(&r->memory, buf_str(&word)) : NULL;
    bool is_long = buf_rc(&word) == RC_LIMIT;
    buf_free(&word);
    if (is_long)
        return err_set(e, RC_USAGE, "%s%s: the value is too long", before, name);
    if (!copy)
        return err_nomem(e);
    r->argv[r->argc++] = copy;
    return RC_OK;
}

static enum rc add_files(struct run_command *r, struct err *e)
{
    enum rc rc = RC_OK;
    bool any = false;
    for (size_t i = 0; rc == RC_OK && i < r->job.n; i++) {
        if (r->job.arguments[i].option || is_beaten(r, NULL))
            continue;
        if (!any)
            rc = add_word(r, "--", "", NULL,
                          e); /* what follows is no option, whatever it is called */
        any = true;
        if (rc == RC_OK)
            rc = add_word(r, "", r->job.arguments[i].value, NULL, e);
    }
    return rc;
}

/* What is in the file first, then what was given; the files of IDs last. */
static enum rc make_argv(struct run_command *r, struct err *e)
{
    r->argv = arena_array(&r->memory, r->job.n + r->given.n_given + 3, sizeof *r->argv);
    if (!r->argv)
        return err_nomem(e);
    enum rc rc = add_word(r, "", "export", NULL, e);
    for (size_t i = 0; rc == RC_OK && i < r->job.n; i++) {
        const struct job_argument *a = &r->job.arguments[i];
        if (a->option && !is_beaten(r, a->option))
            rc = add_word(r, "--", a->option->name, a->value, e);
    }
    for (size_t i = 0; rc == RC_OK && i < r->given.n_given; i++) {
        const struct option_given *g = &r->given.given[i];
        if (strcmp(g->spec->name, run_option_specs[0].name) != 0)
            rc = add_word(r, "--", g->spec->name, g->text, e);
    }
    if (rc == RC_OK)
        rc = add_files(r, e);
    r->argv[r->argc] = NULL;
    return rc;
}

/* ---- printing ------------------------------------------------------------------------------ */

static enum rc print(const struct run_command *r, struct err *e)
{
    struct export_options checked;
    struct buf line;
    enum rc rc = options_parse(&checked, r->argc, r->argv, e);
    if (rc != RC_OK)
        return rc;
    options_free(&checked);
    buf_init(&line, LINE_BYTES_MAX);
    buf_adds(&line, "leadpipe");
    for (int i = 0; i < r->argc; i++) {
        buf_addc(&line, ' ');
        shell_quote(&line, r->argv[i]);
    }
    buf_addc(&line, '\n');
    rc = buf_rc(&line);
    if (rc == RC_OK)
        (void)fwrite(line.data, 1, line.len, stdout); /* checked when standard output is closed */
    buf_free(&line);
    return rc == RC_OK ? RC_OK : err_nomem(e);
}

/* ---- the command --------------------------------------------------------------------------- */

/* In JSON every line is an object: there the line and column must do. */
static void report(struct messages *m, const struct job_file *j, const struct err *e)
{
    struct buf caret;
    messages_write(m, LOG_LEVEL_ERROR, NULL, e->msg);
    if (m->format == MESSAGES_JSON)
        return;
    buf_init(&caret, 4096);
    job_text_put_caret(&j->text, &caret);
    if (buf_rc(&caret) == RC_OK && caret.len)
        messages_block(m, buf_str(&caret));
    buf_free(&caret);
}

/* The job is called as its file: "nightly" for /etc/leadpipe/nightly.yaml. */
static int run_named(struct run_command *r, struct err *e)
{
    const char *path = r->arguments.items[0], *slash = strrchr(path, '/');
    struct str name = str_c(slash ? slash + 1 : path);
    const char *dot = memrchr(name.ptr, '.', name.len);
    if (dot > name.ptr)
        name.len = (size_t)(dot - name.ptr);
    bool is_usable =
        name.len > 0 && name.len <= JOB_NAME_BYTES_MAX && utf8_valid(name.ptr, name.len);
    const char *job = is_usable ? arena_strdup(&r->memory, name) : JOB_NAME_DEFAULT;
    if (!job) {
        (void)err_nomem(e);
        report(r->messages, &r->job, e);
        return EXIT_STATUS_STOPPED;
    }
    return export_job(r->messages, job, r->argc, r->argv);
}

static int run_job(struct run_command *r, int argc, char *argv[])
{
    struct err e;
    enum rc rc = read_command_line(r, argc, argv, &e);
    if (rc == RC_OK)
        rc = job_file_read(&r->job, r->arguments.items[0], &e);
    if (rc == RC_OK)
        rc = make_argv(r, &e);
    if (rc == RC_OK && !r->options.print)
        return run_named(r, &e);
    if (rc == RC_OK)
        rc = print(r, &e);
    if (rc == RC_OK)
        return EXIT_STATUS_OK;
    report(r->messages, &r->job, &e);
    return rc == RC_USAGE ? EXIT_STATUS_USAGE : EXIT_STATUS_STOPPED;
}

int command_run(struct messages *m, int argc, char *argv[])
{
    struct run_command r = {.messages = m};
    arena_init(&r.memory, SIZE_MAX / 2);
    if (export_wants_json(argc, argv))
        m->format = MESSAGES_JSON;
    int status = run_job(&r, argc, argv);
    job_file_free(&r.job);
    arena_free(&r.memory);
    return status;
}
