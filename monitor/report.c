#include "monitor/report.h"

#include <inttypes.h>

#include "monitor/report_parts.h"

#define COMMAND_BYTES_MAX 4000

void report_open_section(struct page *p, const char *title)
{
    buf_addf(p->out, "<section>\n<h2>%s</h2>\n", title);
}

void report_close_section(struct page *p)
{
    page_raw(p, "</section>\n");
}

/* ---- how it ended --------------------------------------------------------------------------- */

struct verdict_shown {
    const char *class, *title;
};

static struct verdict_shown verdict_of(const struct report *r)
{
    const struct run_result *run = r->result;
    if (r->exit_status == EXIT_STATUS_OK)
        return (struct verdict_shown){"good", "Succeeded"};
    if (r->exit_status > EXIT_STATUS_SIGNAL)
        return (struct verdict_shown){"bad", "Stopped"};
    if ((run && run->refused) || r->exit_status == EXIT_STATUS_USAGE)
        return (struct verdict_shown){"bad", "Refused"};
    if (!run || r->exit_status != EXIT_STATUS_LEADS)
        return (struct verdict_shown){"bad", "Failed"};
    if (run->withheld)
        return (struct verdict_shown){"bad", "Not published"};
    return (struct verdict_shown){"warn", "Finished, but not complete"};
}

static const char *published_text(const struct run_result *run)
{
    if (!run || run->refused)
        return "Nothing was done, and earlier outputs are unchanged.";
    if (run->published && run->lacks)
        return "The outputs are published, but not every file about the run.";
    if (run->published)
        return "The outputs are published.";
    if (run->in_part)
        return "The run stopped while its outputs were being published: some of them may be new and others "
               "old.";
    switch (run->withheld) {
    case WITHHELD_NONE_FOUND:
        return "Nothing was published, because no lead was found. Earlier outputs are unchanged.";
    case WITHHELD_MISSING:
        return "Nothing was published, because more leads are missing than --max-missing allows. Earlier "
               "outputs are unchanged.";
    case WITHHELD_GONE:
        return "Nothing was published, because more leads are gone than --max-gone allows. Earlier outputs "
               "are unchanged.";
    case WITHHELD_NOTHING_READ:
        return "There was no message to be read. Earlier outputs are unchanged.";
    case WITHHELD_NOT:
        break;
    }
    return "Nothing was published, because the run stopped before its end. Earlier outputs are unchanged.";
}

static void put_reason(struct page *p, const char *text)
{
    page_raw(p, "<p class=\"reason\">");
    page_bdi(p, text, REPORT_TEXT_BYTES);
    page_raw(p, "</p>\n");
}

static void put_reasons(struct page *p, const struct report *r)
{
    const struct run_result *run = r->result;
    if (r->signal)
        buf_addf(p->out, "<p class=\"reason\">Stopped by %s.</p>\n", r->signal);
    if (r->error)
        put_reason(p, r->error);
    if (run && run->error.rc != RC_OK)
        put_reason(p, run->error.msg);
    for (size_t i = 0; run && i < run->n_more_errors; i++)
        put_reason(p, run->more_errors[i].msg);
    if (run && run->error.rc == RC_OK && !run->signal && r->cfg->has_expect &&
        r->cfg->expect != run->ids.expected)
        buf_addf(p->out,
                 "<p class=\"reason\">--expect: %" PRIu64 " unique IDs were expected, but %" PRIu64
                 " were read.</p>\n",
                 r->cfg->expect, run->ids.expected);
    if (run && run->list_may_lack)
        page_raw(p,
                 "<p class=\"reason\">The provider may have more leads than it listed, or listed "
                 "some without a valid ID.</p>\n");
    if (run && run->resumed) {
        page_raw(p, "<p>The run was resumed: ");
        page_counted(p, run->done_before, "lead was", "leads were");
        page_raw(p, " done before. Counts are of the whole run, charts of its last part.</p>\n");
    }
    if (run && run->error.rc != RC_OK && r->cfg->state_path && !run->refused)
        page_raw(p, "<p>The same command resumes it.</p>\n");
}

static double seconds_of(const struct report *r)
{
    return r->result ? r->result->seconds : (double)(r->ended_wall_ms - r->started_wall_ms) / 1000;
}

static void put_when(struct page *p, const struct report *r)
{
    char from[25], to[25];
    clock_format(r->started_wall_ms, from);
    clock_format(r->ended_wall_ms, to);
    bool same_day = memcmp(from, to, 10) == 0;
    buf_addf(p->out,
             "<p class=\"when\"><time datetime=\"%s\">%.10s %.8s</time> &ndash; <time "
             "datetime=\"%s\">%.*s%s%.8s</time> UTC, ",
             from, from, from + 11, to, same_day ? 0 : 10, to, same_day ? "" : " ", to + 11);
    page_seconds(p, seconds_of(r));
    page_raw(p, "</p>\n");
}

static void put_head(struct page *p, const struct report *r)
{
    struct verdict_shown v = verdict_of(r);
    buf_addf(p->out, "<header class=\"%s\">\n<p class=\"job\">", v.class);
    page_bdi(p, r->job, REPORT_NAME_BYTES);
    buf_addf(p->out, "</p>\n<h1>%s</h1>\n", v.title);
    put_when(p, r);
    bool has_sent =
        r->result && !r->result->published && run_result_has_sent(r->result, r->cfg->n_sinks);
    buf_addf(p->out, "<p class=\"published\">%s%s</p>\n", published_text(r->result),
             has_sent ? " But " RUN_SENT_TEXT "." : "");
    put_reasons(p, r);
    page_raw(p, "</header>\n");
}

/* ---- what was run --------------------------------------------------------------------------- */

static bool is_plain_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-_./:=,+@%", c));
}

static bool needs_quotes(const char *word)
{
    for (const char *c = word; *c; c++) {
        if (!is_plain_byte(*c))
            return true;
    }
    return !*word;
}

/* A quote in it ends the quotes, and those behind it begin new ones. */
static void put_quoted(struct page *p, const char *word, size_t max)
{
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    for (const char *c = word; *c; c++) {
        if (*c == '\'')
            buf_adds(&text, "'\\''");
        else
            buf_addc(&text, *c);
    }
    if (buf_rc(&text) != RC_OK)
        p->out->rc = buf_rc(&text);
    page_raw(p, "'");
    page_text(p, buf_cstr(&text), max);
    page_raw(p, "'");
    buf_free(&text);
}

/* Quoted for a shell, with invisible characters escaped. */
static void put_argument(struct page *p, const char *word, size_t *left)
{
    size_t n = strlen(word);
    page_raw(p, " ");
    if (needs_quotes(word))
        put_quoted(p, word, *left);
    else
        page_text(p, word, *left);
    *left -= n < *left ? n : *left;
}

static void put_command(struct page *p, const struct report *r)
{
    size_t left = COMMAND_BYTES_MAX;
    size_t i = 0;
    if (!r->n_arguments)
        return;
    page_raw(p, "<pre class=\"command\"><code>leadpipe");
    for (; i < r->n_arguments && left; i++)
        put_argument(p, r->arguments[i], &left);
    if (i < r->n_arguments)
        page_raw(p, " ...");
    page_raw(p, "</code></pre>\n");
}

static void put_fact(struct page *p, const char *name, const char *text)
{
    if (!text)
        return;
    buf_addf(p->out, "<tr><th scope=\"row\">%s</th><td>", name);
    page_bdi(p, text, REPORT_NAME_BYTES);
    page_raw(p, "</td></tr>\n");
}

static void put_run(struct page *p, const struct report *r)
{
    report_open_section(p, "The run");
    put_command(p, r);
    page_raw(p, "<table class=\"facts\"><tbody>\n");
    put_fact(p, "Job", r->job);
    if (r->cfg) {
        put_fact(p, "Provider", r->cfg->profile->name.ptr);
        put_fact(p, "Server", r->cfg->server);
    }
    if (r->result && r->result->run_id[0])
        put_fact(p, "Run", r->result->run_id);
    buf_addf(p->out, "<tr><th scope=\"row\">Exit status</th><td>%d</td></tr>\n", r->exit_status);
    put_fact(p, "leadpipe", r->version);
    page_raw(p, "</tbody></table>\n");
    report_close_section(p);
}

/* ---- the page ------------------------------------------------------------------------------- */

/* The policy forbids loading or executing anything, whatever is on the page. */
static void put_prologue(struct page *p, const struct report *r)
{
    const struct builtin *style = builtin_at(report_style_builtins, 0);
    page_raw(p, REPORT_BEGIN
             "<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
             "'unsafe-inline'\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<meta name=\"color-scheme\" content=\"light dark\">\n"
             "<meta name=\"referrer\" content=\"no-referrer\">\n<title>");
    page_text(p, r->job, REPORT_NAME_BYTES);
    buf_addf(p->out, ": %s</title>\n<style>\n", verdict_of(r).title);
    buf_add(p->out, style->text, style->len);
    page_raw(p, "</style>\n</head>\n<body>\n<main>\n");
}

void report_put(struct buf *out, const struct report *r)
{
    struct page p = {out, r->secrets};
    put_prologue(&p, r);
    put_head(&p, r);
    if (r->result && !r->result->refused) {
        report_put_outcomes(&p, r);
        report_put_time(&p, r);
        report_put_failures(&p, r);
        report_put_sinks(&p, r);
        report_put_misfits(&p, r);
        report_put_columns(&p, r);
        report_put_requests(&p, r);
    }
    put_run(&p, r);
    page_raw(&p, "</main>\n</body>\n</html>\n");
}
