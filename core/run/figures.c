#include "core/run/figures.h"

#include <stdlib.h>

#include "core/json/json.h"
#include "core/run/run_lead.h"

#define ROW_ARENA_BYTES_MAX ((size_t)16 << 20)
#define ID_SHOWN_BYTES_MAX 2048 /* with its parameters: more than failure_groups.h shows */

enum rc figures_new(struct run_figures **out, struct err *e)
{
    *out = calloc(1, sizeof **out);
    return *out ? RC_OK : err_nomem(e);
}

void figures_free(struct run_figures *f)
{
    if (!f)
        return;
    free(f->before);
    free(f);
}

/* ---- the timeline --------------------------------------------------------------------------- */

static struct timeline_sample sample_of(const struct ledger_counts *ledger,
                                        const struct http_stats *http)
{
    return (struct timeline_sample){
        .counts = {[TIMELINE_EXPORTED] = ledger->exported,
                   [TIMELINE_UNCHANGED] = ledger->unchanged,
                   [TIMELINE_MISSING] = ledger->missing,
                   [TIMELINE_FAILED] = ledger->failed,
                   [TIMELINE_REQUESTS] = http->requests,
                   [TIMELINE_RETRIES] = http->retries},
        .in_flight = http->in_flight,
        .limit = http->limit,
        .is =
            {[TIMELINE_DOWN] = http->down, [TIMELINE_HELD] = http->held_back_ms > 0 && !http->down},
    };
}

void figures_begin(struct run_figures *f, int64_t now_us, const struct ledger_counts *ledger,
                   const struct http_stats *http)
{
    struct timeline_sample sample = sample_of(ledger, http);
    timeline_begin(&f->timeline, now_us, &sample);
}

void figures_sample(struct run_figures *f, int64_t now_us, const struct ledger_counts *ledger,
                    const struct http_stats *http)
{
    struct timeline_sample sample = sample_of(ledger, http);
    timeline_add(&f->timeline, now_us, &sample);
}

/* ---- failures ------------------------------------------------------------------------------- */

static void add_param(struct buf *out, struct str name, struct str value)
{
    if (!value.len)
        return;
    if (out->len)
        buf_addc(out, ' ');
    buf_add_str(out, name);
    buf_addc(out, '=');
    buf_add_str(out, value);
}

void figures_add_failure(struct run_figures *f, const struct profile *p, const struct lead *lead)
{
    const struct failure *why = &lead->run->failure;
    struct buf id;
    buf_init(&id, ID_SHOWN_BYTES_MAX);
    buf_add_str(&id, lead->id);
    for (size_t i = 0; i < p->n_params; i++)
        add_param(&id, p->params[i], lead->params[i]);
    const struct failure_seen seen = {
        .id = buf_str(&id),
        .stage = str_c(stage_text(why->stage)),
        .sink = str_c(why->sink),
        .code = str_c(why->code),
        .error = str_c(why->error),
        .http_status = why->http_status,
    };
    failure_groups_add(&f->failures, &seen);
    buf_free(&id);
}

struct loading {
    struct run_figures *figures;
    const struct profile *profile;
    struct arena arena;
};

static struct str text_member(const cJSON *row, const char *name)
{
    const cJSON *value = json_member(row, name);
    return cJSON_IsString(value) ? json_text(value) : STR_NONE;
}

static struct str param_member(const cJSON *row, struct str name)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, row)
    {
        if (str_eq(json_member_name(member), name))
            return cJSON_IsString(member) ? json_text(member) : STR_NONE;
    }
    return STR_NONE;
}

/* A line of the list of failed leads (ledger.c). */
static enum rc load_row(void *loading, struct str line, struct err *e)
{
    struct loading *l = loading;
    struct json_doc doc;
    struct buf id;
    uint64_t status = 0;
    arena_reset(&l->arena, 0);
    enum rc rc = json_parse(&l->arena, line, JSON_TREE, &doc, e);
    if (rc == RC_SYNTAX)
        return RC_OK; /* not worth an error: the report only shows it */
    if (rc != RC_OK)
        return rc;
    const cJSON *number = json_member(doc.root, "http_status");
    if (cJSON_IsNumber(number))
        (void)units_uint(json_text(number), &status);
    buf_init(&id, ID_SHOWN_BYTES_MAX);
    buf_add_str(&id, text_member(doc.root, "id"));
    for (size_t i = 0; i < l->profile->n_params; i++)
        add_param(&id, l->profile->params[i], param_member(doc.root, l->profile->params[i]));
    const struct failure_seen seen = {
        .id = buf_str(&id),
        .stage = text_member(doc.root, "stage"),
        .sink = text_member(doc.root, "sink"),
        .code = text_member(doc.root, "code"),
        .error = text_member(doc.root, "error"),
        .http_status = status < HTTP_STATUS_MAX ? (int)status : 0,
    };
    failure_groups_add(&l->figures->failures, &seen);
    buf_free(&id);
    return RC_OK;
}

enum rc figures_load_failures(struct run_figures *f, const struct profile *p, struct state *s,
                              struct err *e)
{
    struct loading l = {.figures = f, .profile = p};
    arena_init(&l.arena, ROW_ARENA_BYTES_MAX);
    enum rc rc = state_each_failure(s, load_row, &l, e);
    arena_free(&l.arena);
    return rc;
}

/* ---- columns -------------------------------------------------------------------------------- */

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t hash_of(size_t table, const struct column_origin *origin)
{
    return column_origin_hash(origin, (table + 1) * UINT64_C(0x9E3779B97F4A7C15));
}

enum rc figures_load_columns(struct run_figures *f, struct state *s, struct err *e)
{
    const struct state_column *columns = NULL;
    size_t n = 0;
    enum rc rc = state_last_columns(s, &columns, &n, e);
    if (rc == RC_END)
        return RC_OK;
    if (rc != RC_OK)
        return rc;
    f->before = malloc((n + 1) * sizeof *f->before);
    if (!f->before)
        return err_nomem(e);
    for (size_t i = 0; i < n; i++) {
        const struct column_origin origin = {.scope = columns[i].scope,
                                             .occurrence = columns[i].occurrence,
                                             .key = columns[i].key,
                                             .member = columns[i].member};
        f->before[i] = hash_of(columns[i].table, &origin);
    }
    qsort(f->before, n, sizeof *f->before, compare_hashes);
    f->n_before = n;
    f->knows_columns = true;
    return RC_OK;
}

static void add_column(struct run_figures *f, struct str table, struct str name)
{
    if (f->n_columns == FIGURES_COLUMNS_MAX)
        f->more_columns++;
    else
        f->columns[f->n_columns++] = (struct figures_column){table, name};
}

void figures_compare_columns(struct run_figures *f, const struct profile *p,
                             const struct schema *schema)
{
    for (size_t t = 0; f->knows_columns && t < p->n_tables; t++) {
        for (size_t i = 0; i < schema_columns(schema, t); i++) {
            const struct column *column = schema_column(schema, t, i);
            uint64_t hash = hash_of(t, &column->origin);
            if (!bsearch(&hash, f->before, f->n_before, sizeof hash, compare_hashes))
                add_column(f, p->tables[t].name, column->name);
        }
    }
}
