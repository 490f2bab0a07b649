/* What each sink received; misfits; new columns. */
#include <ctype.h>
#include <inttypes.h>

#include "monitor/report_parts.h"

static void put_number_cell(struct page *p, uint64_t n)
{
    page_raw(p, "<td class=\"n\">");
    page_count(p, n);
    page_raw(p, "</td>");
}

/* Opens a row, with `name` as its heading cell. */
static void open_row(struct page *p, const char *name)
{
    page_raw(p, "<tr><th scope=\"row\">");
    page_bdi(p, name, REPORT_NAME_BYTES);
    page_raw(p, "</th>");
}

static void open_table(struct page *p, const char *const *names)
{
    page_raw(p, "<table><thead><tr>");
    for (size_t i = 0; names[i]; i++)
        buf_addf(p->out, "<th scope=\"col\"%s>%s</th>", i ? " class=\"n\"" : "", names[i]);
    page_raw(p, "</tr></thead><tbody>\n");
}

static void close_table(struct page *p)
{
    page_raw(p, "</tbody></table>\n");
}

/* ---- sinks ---------------------------------------------------------------------------------- */

/* Files beyond REPORT_ROWS_MAX are only in the sum. */
static void put_files(struct page *p, const struct sink_result *s)
{
    static const char *const names[] = {"File", "Rows", "Bytes", NULL};
    uint64_t rows = 0;
    uint64_t bytes = 0;
    size_t n = 0;
    open_table(p, names);
    for (size_t i = 0; i < s->n_files; i++) {
        const struct sink_file *f = &s->files[i];
        rows += f->rows;
        bytes += f->bytes;
        if (n++ >= REPORT_ROWS_MAX)
            continue;
        open_row(p, strcmp(f->path, "-") == 0 ? "standard output" : f->path);
        put_number_cell(p, f->rows);
        put_number_cell(p, f->bytes);
        page_raw(p, "</tr>\n");
    }
    if (s->n_files < 2) {
        close_table(p);
        return;
    }
    page_raw(p, "</tbody><tfoot><tr><th scope=\"row\">All ");
    page_counted(p, s->n_files, "file", "files");
    page_raw(p, "</th>");
    put_number_cell(p, rows);
    put_number_cell(p, bytes);
    page_raw(p, "</tr></tfoot></table>\n");
}

struct count_shown {
    const char *name;
    uint64_t n;
};

static void put_counts(struct page *p, const char *heading, const struct count_shown counts[3])
{
    const char *const names[] = {heading, "Number", NULL};
    open_table(p, names);
    for (size_t i = 0; i < 3; i++) {
        open_row(p, counts[i].name);
        put_number_cell(p, counts[i].n);
        page_raw(p, "</tr>\n");
    }
    close_table(p);
}

static void put_rows_of_database(struct page *p, const struct sink_result *s)
{
    if (s->due) {
        page_raw(p, "<p>");
        run_result_put_due(p->out, s);
        page_raw(p, ".</p>\n");
        return;
    }
    const struct count_shown counts[3] = {
        {"inserted", s->inserted}, {"updated", s->updated}, {"deleted", s->deleted}};
    put_counts(p, "Rows", counts);
}

static void put_deliveries(struct page *p, const struct sink_result *s)
{
    const struct count_shown counts[3] = {
        {"sent", s->deliveries}, {"delivered", s->delivered}, {"failed", s->failed}};
    put_counts(p, "Deliveries", counts);
}

static void put_unpublished(struct page *p, const struct run_result *run,
                            const struct sink_result *s)
{
    size_t at;
    page_raw(p, "<p>");
    at = p->out->len;
    run_result_put_unpublished(p->out, run, s);
    if (p->out->len > at)
        p->out->data[at] = (char)toupper((unsigned char)p->out->data[at]);
    page_raw(p, ".</p>\n");
}

static void put_sink(struct page *p, const char *spec, const struct sink_result *s,
                     const struct run_result *run)
{
    page_raw(p, "<h3>");
    page_bdi(p, spec, REPORT_NAME_BYTES);
    page_raw(p, "</h3>\n");
    if (s->is_delivery)
        put_deliveries(p, s);
    else if (!run->published)
        put_unpublished(p, run, s);
    else if (s->is_database)
        put_rows_of_database(p, s);
    else
        put_files(p, s);
}

void report_put_sinks(struct page *p, const struct report *r)
{
    report_open_section(p, "Sinks");
    for (size_t i = 0; i < r->cfg->n_sinks; i++) {
        if (!run_sink_is_companion(&r->cfg->sinks[i]))
            put_sink(p, r->cfg->sinks[i].cfg.spec, &r->result->sinks[i], r->result);
    }
    report_close_section(p);
}

/* ---- misfits -------------------------------------------------------------------------------- */

struct misfits_shown {
    size_t rows, more;
    uint64_t more_values;
};

static void put_misfit(struct page *p, const char *sink, const struct sink_misfits *m,
                       struct misfits_shown *shown)
{
    if (shown->rows == REPORT_ROWS_MAX) {
        shown->more++;
        shown->more_values += m->n;
        return;
    }
    shown->rows++;
    page_raw(p, "<tr><th scope=\"row\"><bdi>");
    page_text(p, m->table, REPORT_NAME_BYTES);
    page_raw(p, ".");
    page_text(p, m->column, REPORT_NAME_BYTES);
    page_raw(p, "</bdi></th><td>");
    page_bdi(p, m->type ? m->type : "", REPORT_NAME_BYTES);
    page_raw(p, "</td><td>");
    page_bdi(p, sink, REPORT_NAME_BYTES);
    page_raw(p, "</td>");
    put_number_cell(p, m->n);
    page_raw(p, "</tr>\n");
}

void report_put_misfits(struct page *p, const struct report *r)
{
    struct misfits_shown shown = {0};
    size_t n = 0;
    for (size_t i = 0; i < r->cfg->n_sinks; i++)
        n += r->result->sinks[i].n_misfits;
    if (!n)
        return;
    report_open_section(p, "Values that do not fit their column");
    page_raw(
        p,
        "<p class=\"note\">They are in the column <code>_misfits</code> of their rows.</p>\n"
        "<table><thead><tr><th scope=\"col\">Column</th><th scope=\"col\">Type</th><th "
        "scope=\"col\">Sink</th><th scope=\"col\" class=\"n\">Values</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < r->cfg->n_sinks; i++) {
        const struct sink_result *s = &r->result->sinks[i];
        for (size_t k = 0; k < s->n_misfits; k++)
            put_misfit(p, r->cfg->sinks[i].cfg.spec, &s->misfits[k], &shown);
    }
    close_table(p);
    if (shown.more) {
        page_raw(p, "<p class=\"note\">And ");
        page_counted(p, shown.more_values, "value", "values");
        page_raw(p, " of ");
        page_counted(p, shown.more, "more column", "more columns");
        page_raw(p, ".</p>\n");
    }
    report_close_section(p);
}

/* ---- new columns ---------------------------------------------------------------------------- */

void report_put_columns(struct page *p, const struct report *r)
{
    const struct run_figures *f = r->result->figures;
    if (!f || !f->n_columns)
        return;
    report_open_section(p, "New columns");
    page_raw(p, "<p class=\"note\">Columns that the last run with this state did not have.</p>\n"
                "<ul class=\"columns\">\n");
    for (size_t i = 0; i < f->n_columns; i++) {
        page_raw(p, "<li><bdi>");
        page_text(p, f->columns[i].table.ptr, REPORT_NAME_BYTES);
        page_raw(p, ".");
        page_text(p, f->columns[i].name.ptr, REPORT_NAME_BYTES);
        page_raw(p, "</bdi></li>\n");
    }
    page_raw(p, "</ul>\n");
    if (f->more_columns) {
        page_raw(p, "<p class=\"note\">And ");
        page_counted(p, f->more_columns, "more", "more");
        page_raw(p, ".</p>\n");
    }
    report_close_section(p);
}
