/* Failed leads by reason, with examples. */
#include <stdio.h>

#include "monitor/report_parts.h"

static const char *stage_name(const char *stage)
{
    static const struct {
        const char *stage, *name;
    } names[] = {
        {"input", "The line is not an ID"},       {"fetch", "The request failed"},
        {"parse", "The response cannot be used"}, {"flatten", "The payload cannot be flattened"},
        {"sink", "The sink did not accept it"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i].stage, stage) == 0)
            return names[i].name;
    }
    return "Failed";
}

static void put_reason(struct page *p, const struct failure_group *g)
{
    page_raw(p, stage_name(g->stage));
    if (g->sink[0]) {
        page_raw(p, ", <bdi class=\"code\">");
        page_text(p, g->sink, sizeof g->sink);
        page_raw(p, "</bdi>");
    }
    if (g->http_status)
        buf_addf(p->out, ", status %d", g->http_status);
    if (g->code[0]) {
        page_raw(p, ", <bdi class=\"code\">");
        page_text(p, g->code, sizeof g->code);
        page_raw(p, "</bdi>");
    }
}

static void put_examples(struct page *p, const struct failure_group *g)
{
    page_raw(p,
             "<table class=\"examples\"><thead class=\"hidden\"><tr><th scope=\"col\">Lead</th><th "
             "scope=\"col\">Error</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < g->n_examples; i++) {
        page_raw(p, "<tr><th scope=\"row\">");
        page_bdi(p, g->examples[i].id, sizeof g->examples[i].id);
        page_raw(p, "</th><td>");
        page_bdi(p, g->examples[i].error, sizeof g->examples[i].error);
        page_raw(p, "</td></tr>\n");
    }
    page_raw(p, "</tbody></table>\n");
    if (g->n > g->n_examples) {
        page_raw(p, "<p class=\"note\">And ");
        page_count(p, g->n - g->n_examples);
        page_raw(p, " more.</p>\n");
    }
}

static void put_group(struct page *p, const struct failure_group *g, bool is_others)
{
    page_raw(p, "<h3><span class=\"count\">");
    page_count(p, g->n);
    page_raw(p, "</span> ");
    if (is_others)
        page_raw(p, "Other reasons");
    else
        put_reason(p, g);
    page_raw(p, "</h3>\n");
    put_examples(p, g);
}

void report_put_failures(struct page *p, const struct report *r)
{
    const struct run_figures *f = r->result->figures;
    const struct failure_group *sorted[FAILURE_GROUPS_MAX];
    if (!f || !f->failures.n)
        return;
    failure_groups_sort(&f->failures, sorted);
    report_open_section(p, "Failed leads");
    for (size_t i = 0; i < f->failures.n; i++)
        put_group(p, sorted[i], false);
    if (f->failures.others.n)
        put_group(p, &f->failures.others, true);
    if (r->cfg->failed_path) {
        page_raw(p, "<p class=\"note\">All of them are in <bdi class=\"code\">");
        page_text(p, r->cfg->failed_path, REPORT_NAME_BYTES);
        page_raw(p, "</bdi>.</p>\n");
    } else {
        page_raw(p,
                 "<p class=\"note\">With <code>--failed FILE</code> all of them are listed.</p>\n");
    }
    report_close_section(p);
}
