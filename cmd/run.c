/* leadpipe run: an export whose options are in a job file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/commands.h"
#include "cmd/export.h"
#include "cmd/job_command.h"
#include "core/base/shell_quote.h"

#define LINE_BYTES_MAX ((size_t)64 << 20)
#define CARET_BYTES_MAX 4096
#define NAME_BYTES_MAX 4096 /* of a variable; no shell sets one with a longer name */

/* The options of export, and --print. */
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

/* ---- printing ------------------------------------------------------------------------------ */

/* Appends a word with the contents of the variables whose references were kept, as options are checked with these. */
static void put_contents(struct buf *out, const char *word)
{
    char name[NAME_BYTES_MAX];
    while (*word) {
        size_t n = strcspn(word, "\1");
        buf_add(out, word, n);
        word += n;
        if (!*word)
            return;
        n = strcspn(++word, "\2");
        (void)snprintf(name, sizeof name, "%.*s", (int)n, word);
        const char *value = getenv(name);
        buf_adds(out, value ? value : "");
        word += n + (word[n] != '\0');
    }
}

/* Checks the command line as a run would. Sinks have been checked with their variables' names, which need no escapes. */
static enum rc check(struct job_command *c, struct err *e)
{
    static const char to[] = "--to=";
    struct export_options checked;
    char **argv = arena_array(&c->memory, (size_t)c->argc + 1, sizeof *argv);
    if (!argv)
        return err_nomem(e);
    for (int i = 0; i < c->argc; i++) {
        struct buf word;
        buf_init(&word, LINE_BYTES_MAX);
        put_contents(&word, c->argv[i]);
        bool is_same = !strchr(c->argv[i], '\1') || strncmp(c->argv[i], to, sizeof to - 1) == 0;
        argv[i] = is_same ? c->argv[i] : arena_strdup(&c->memory, buf_str(&word));
        buf_free(&word);
        if (!argv[i])
            return err_nomem(e);
    }
    argv[c->argc] = NULL;
    enum rc rc = options_parse(&checked, c->argc, argv, e);
    if (rc == RC_OK)
        options_free(&checked);
    else if (rc == RC_USAGE)
        err_prefix(e, "%s", c->arguments.items[0]);
    return rc;
}

/* A word of the command line, in which \1NAME\2 becomes "${NAME}", which the shell expands. */
static void put_word(struct buf *out, const char *word)
{
    if (!*word)
        shell_quote(out, STR(""));
    while (*word) {
        size_t n = strcspn(word, "\1");
        size_t name = word[n] ? strcspn(word + n + 1, "\2") : 0;
        if (n > 0)
            shell_quote(out, (struct str){word, n});
        if (!word[n])
            return;
        buf_addf(out, "\"${%.*s}\"", (int)name, word + n + 1);
        word += n + 1 + name;
        word += *word == '\2';
    }
}

static enum rc print(struct job_command *c, struct err *e)
{
    struct buf line;
    enum rc rc = check(c, e);
    if (rc != RC_OK)
        return rc;
    buf_init(&line, LINE_BYTES_MAX);
    buf_adds(&line, "leadpipe");
    for (int i = 0; i < c->argc; i++) {
        buf_addc(&line, ' ');
        put_word(&line, c->argv[i]);
    }
    buf_addc(&line, '\n');
    rc = buf_rc(&line);
    if (rc == RC_OK)
        (void)fwrite(line.data, 1, line.len, stdout); /* checked when standard output is closed */
    buf_free(&line);
    return rc == RC_OK ? RC_OK : err_nomem(e);
}

/* ---- the command --------------------------------------------------------------------------- */

/* With --print nothing is run, so no one is notified. */
static int fail(struct messages *m, struct job_command *c, bool prints, int argc, char *argv[],
                const struct err *e)
{
    struct buf caret;
    int status = e->rc == RC_USAGE ? EXIT_STATUS_USAGE : EXIT_STATUS_STOPPED;
    const char *name =
        c->arguments.n == 1 ? job_command_name(c, c->arguments.items[0]) : JOB_NAME_DEFAULT;
    bool has_both = c->argv != NULL; /* the options of file and command line are combined in it */
    if (has_both && export_wants_json(c->argc, c->argv))
        m->format = MESSAGES_JSON;
    buf_init(&caret, CARET_BYTES_MAX);
    if (m->format != MESSAGES_JSON) /* in JSON every line is an object, so there is no caret */
        job_text_put_caret(&c->job.text, &caret);
    struct str below = buf_rc(&caret) == RC_OK ? buf_str(&caret) : STR_NONE;
    if (!prints && name) {
        status = export_refuse_job(m, name, has_both ? c->argc : argc, has_both ? c->argv : argv, e,
                                   below);
    } else {
        messages_write(m, LOG_LEVEL_ERROR, NULL, e->msg);
        if (below.len)
            messages_block(m, below);
    }
    buf_free(&caret);
    return status;
}

static enum rc read_command_line(struct job_command *c, int argc, char *argv[], struct err *e)
{
    enum rc rc = job_command_read(c, argc, argv, e);
    if (rc != RC_OK)
        return rc;
    if (c->arguments.n == 0)
        return err_set(e, RC_USAGE,
                       "run: missing argument; usage: leadpipe run JOB.yaml [OPTIONS]");
    if (c->arguments.n > 1)
        return err_set(e, RC_USAGE,
                       "run: unexpected argument %s; usage: leadpipe run JOB.yaml [OPTIONS]",
                       c->arguments.items[1]);
    return RC_OK;
}

static int run_job(struct messages *m, struct job_command *c, const bool *prints, int argc,
                   char *argv[])
{
    struct err e;
    enum rc rc = read_command_line(c, argc, argv, &e);
    c->job.keeps_references = *prints;
    if (rc == RC_OK)
        rc = job_command_make(c, c->arguments.items[0], &e);
    if (rc == RC_OK && *prints)
        rc = print(c, &e);
    if (rc != RC_OK)
        return fail(m, c, *prints, argc, argv, &e);
    if (*prints)
        return EXIT_STATUS_OK;
    const char *name = job_command_name(c, c->arguments.items[0]);
    if (!name) {
        (void)err_nomem(&e);
        return fail(m, c, true, argc, argv, &e);
    }
    return export_job(m, name, c->arguments.items[0], c->argc, c->argv);
}

int command_run(struct messages *m, int argc, char *argv[])
{
    struct run_options options = {.print = false};
    struct job_command c = {.own = run_option_specs, .values = &options};
    if (export_wants_json(argc, argv))
        m->format = MESSAGES_JSON;
    int status = run_job(m, &c, &options.print, argc, argv);
    job_command_free(&c);
    return status;
}
