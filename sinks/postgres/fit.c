#include "sinks/postgres/fit.h"

#define SQL_BYTES_MAX ((size_t)1 << 20)

/* format_type() of the types of the dialect "postgres". */
static const char *const own_types[COLUMN_TYPES] = {
    [TYPE_TEXT] = "text",
    [TYPE_INTEGER] = "bigint",
    [TYPE_NUMBER] = "numeric",
    [TYPE_BOOLEAN] = "boolean",
    [TYPE_TIMESTAMP] = "timestamp with time zone",
    [TYPE_TIMESTAMP_S] = "timestamp with time zone",
    [TYPE_TIMESTAMP_MS] = "timestamp with time zone",
    [TYPE_JSON] = "jsonb",
};

bool pg_column_is_text(const struct pg_column *c)
{
    return str_eq_c(c->type, "text") || str_eq_c(c->type, "character varying");
}

bool pg_column_is(const struct pg_column *c, enum column_type type)
{
    return str_eq_c(c->type, own_types[type]);
}

static bool is_json(const struct pg_column *c)
{
    return str_eq_c(c->type, "jsonb") || str_eq_c(c->type, "json");
}

enum pg_fit pg_fit_of(const struct pg_column *has, const struct pg_column *from)
{
    if (!has || str_eq(has->type, from->type))
        return PG_FIT_SAME;
    if (pg_column_is_text(has))
        return PG_FIT_TEXT;
    return is_json(has) ? PG_FIT_JSON : PG_FIT_FUNCTION;
}

static void put_text(struct buf *b, const char *staged)
{
    /* The text within a JSON string, and of anything else its JSON, which for scalars is their text. */
    buf_addf(b, "(pg_catalog.to_jsonb(s.%s) operator(pg_catalog.#>>) '{}'::text[])", staged);
}

void pg_fit_put(struct buf *b, enum pg_fit fit, const char *staged, const struct pg_column *has,
                size_t table, unsigned n)
{
    switch (fit) {
    case PG_FIT_SAME:
        buf_addf(b, "s.%s", staged);
        return;
    case PG_FIT_TEXT:
        put_text(b, staged);
        return;
    case PG_FIT_JSON:
        buf_addf(b, "cast(pg_catalog.to_jsonb(s.%s) as " STR_FMT ")", staged, STR_ARG(has->type));
        return;
    case PG_FIT_FUNCTION:
        buf_addf(b, "pg_temp.leadpipe_fit_%zu_%u(", table, n);
        put_text(b, staged);
        buf_addc(b, ')');
        return;
    }
}

#define NUMBER "'^-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?$'"
#define DATE "[0-9]{4}-[0-9]{2}-[0-9]{2}"
#define TIME DATE "[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"

/* Says whether v is written as such a value, and how r is compared with it; NULL: any. */
static void checks_of(const struct pg_column *c, const char **before, const char **after)
{
    *before = *after = NULL;
    bool is_date = str_eq_c(c->base, "date");
    bool is_local = str_eq_c(c->base, "timestamp without time zone");
    bool is_time = str_eq_c(c->base, "timestamp with time zone");
    if (c->category == 'N') {
        *before = "v ~ " NUMBER;
        *after = "r::numeric = v::numeric";
    } else if (c->category == 'B') {
        *before = "v in ('true', 'false')";
    } else if (is_date) {
        *before = "v ~ '^" DATE "$'";
    } else if (is_time || is_local) {
        *before = "v ~ '^" TIME "$'";
        *after = is_time ? "r = v::timestamptz" : "r = v::timestamptz at time zone 'UTC'";
    } else if (c->category == 'S') {
        *after = "r::text = v";
    }
}

enum rc pg_fit_make(struct pg_link *l, const struct pg_column *has, size_t table, unsigned n,
                    struct err *e)
{
    const char *before;
    const char *after;
    struct buf sql;
    checks_of(has, &before, &after);
    bool is_local = str_eq_c(has->base, "timestamp without time zone");
    buf_init(&sql, SQL_BYTES_MAX);
    buf_addf(&sql,
             "create or replace function pg_temp.leadpipe_fit_%zu_%u(v text) returns " STR_FMT
             " language plpgsql stable as $leadpipe$ declare r " STR_FMT
             "; begin if v is null or not (%s) then return null; end if; r := %s; "
             "if %s then return r; end if; return null; "
             "exception when data_exception or integrity_constraint_violation or "
             "syntax_error_or_access_rule_violation then return null; end $leadpipe$",
             table, n, STR_ARG(has->type), STR_ARG(has->type), before ? before : "true",
             is_local ? "v::timestamptz at time zone 'UTC'" : "v", after ? after : "true");
    enum rc rc = pg_run_buf(l, &sql, e);
    buf_free(&sql);
    return rc;
}
