/* leadpipe run: an export whose options are in a job file. */
#include <stdio.h>
#include <string.h>

#include "cmd/commands.h"
#include "cmd/export.h"
#include "cmd/job_command.h"
#include "cmd/shell_quote.h"

#define LINE_BYTES_MAX ((size_t)64 << 20)
#define CARET_BYTES_MAX 4096

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

static enum rc print(const struct job_command *c, struct err *e)
{
    struct export_options checked;
    struct buf line;
    enum rc rc = options_parse(&checked, c->argc, c->argv, e);
    if (rc != RC_OK)
        return rc;
    options_free(&checked);
    buf_init(&line, LINE_BYTES_MAX);
    buf_adds(&line, "leadpipe");
    for (int i = 0; i < c->argc; i++) {
        buf_addc(&line, ' ');
        shell_quote(&line, c->argv[i]);
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
