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
    if (!is_json(has))
        return PG_FIT_FUNCTION;
    return pg_column_is_text(from) ? PG_FIT_PARSED : PG_FIT_JSON;
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
    case PG_FIT_PARSED:
    case PG_FIT_FUNCTION:
        buf_addf(b, "pg_temp.leadpipe_fit_%zu_%u(", table, n);
        put_text(b, staged);
        buf_addc(b, ')');
        return;
    }
}

#define NUMBER "'^-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?$'"
#define DATE "[0-9]{4}-[0-9]{2}-[0-9]{2}"
#define HOUR "([01][0-9]|2[0-3]):[0-5][0-9]"
#define SECOND ":[0-5][0-9](\\.[0-9]{1,6}0*)?" /* of what is stored in microseconds */
#define ZONE "(Z|[+-][0-9]{2}:[0-9]{2})"
#define TIME DATE "[T ]" HOUR SECOND ZONE

/* Of the server's own types, and those of extensions: what their columns take, written in SQL. `before` says whether v is
 * written as such a value; `value` is what becomes of v, and `after` says whether that, r, is still the same. NULL: any;
 * v; any. Without a limit, words such as "now" and "allballs" would be times, and a fraction would be rounded. */
static const struct check {
    const char *base, *before, *value, *after;
} checks[] = {
    {"smallint", "v ~ " NUMBER, "v::numeric", "r::numeric = v::numeric"},
    {"integer", "v ~ " NUMBER, "v::numeric", "r::numeric = v::numeric"},
    {"bigint", "v ~ " NUMBER, "v::numeric", "r::numeric = v::numeric"},
    {"date", "v ~ '^" DATE "$'", NULL, NULL},
    {"timestamp with time zone", "v ~ '^" TIME "$'", NULL, "r = v::timestamptz"},
    {"timestamp without time zone", "v ~ '^" TIME "$'", "v::timestamptz at time zone 'UTC'",
     "r = v::timestamptz at time zone 'UTC'"},
    {"time without time zone", "v ~ '^" HOUR "(" SECOND ")?$'", NULL, "r = v::time"},
    {"time with time zone", "v ~ '^" HOUR "(" SECOND ")?" ZONE "$'", NULL, "r = v::timetz"},
    {"interval", "v !~* '[.,]|[0-9]e[-+0-9]'", NULL, "r::text = v::interval::text"},
    {"bytea", "v !~ '\\\\' or v ~ '^\\\\x([0-9a-fA-F]{2})*$'", NULL, NULL},
    /* Written in several ways, of which the server has one. */
    {"uuid", NULL, NULL, NULL},
    {"inet", NULL, NULL, NULL},
    {"cidr", NULL, NULL, NULL},
    {"macaddr", NULL, NULL, NULL},
    {"macaddr8", NULL, NULL, NULL},
    {"xml", NULL, NULL, NULL},
    {"json", NULL, NULL, NULL}, /* of a domain */
    {"jsonb", NULL, NULL, NULL},
};

static struct check check_of(const struct pg_column *c)
{
    static const struct check number = {NULL, "v ~ " NUMBER, NULL, "r::numeric = v::numeric"};
    static const struct check boolean = {NULL, "v in ('true', 'false')", NULL, NULL};
    static const struct check text = {NULL, NULL, NULL, "r::text = v"};
    static const struct check any = {NULL, NULL, NULL, NULL};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        if (str_eq_c(c->base, checks[i].base))
            return checks[i];
    }
    if (c->category == 'N')
        return number;
    if (c->category == 'B')
        return boolean;
    return c->category == 'S' || c->is_builtin ? text : any;
}

static void put_exact(struct buf *b, const struct pg_column *has)
{
    const struct check check = check_of(has);
    buf_addf(b,
             "begin if v is null or not (%s) then return null; end if; r := %s; "
             "if %s then return r; end if; return null; ",
             check.before ? check.before : "true", check.value ? check.value : "v",
             check.after ? check.after : "true");
}

/* What the server cannot take apart is a string all the same: nothing is lost. */
static void put_parsed(struct buf *b, const struct pg_column *has)
{
    buf_addf(
        b,
        "begin if v is null then return null; end if; if v ~ '^[[{]' then begin return v::" STR_FMT
        "; exception when data_exception or program_limit_exceeded then null; end; end if; "
        "return pg_catalog.to_jsonb(v)::" STR_FMT "; ",
        STR_ARG(has->type), STR_ARG(has->type));
}

enum rc pg_fit_make(struct pg_link *l, enum pg_fit fit, const struct pg_column *has, size_t table,
                    unsigned n, struct err *e)
{
    struct buf sql;
    if (fit != PG_FIT_FUNCTION && fit != PG_FIT_PARSED)
        return RC_OK;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_addf(&sql,
             "create or replace function pg_temp.leadpipe_fit_%zu_%u(v text) returns " STR_FMT
             " language plpgsql stable as $leadpipe$ declare r " STR_FMT "; ",
             table, n, STR_ARG(has->type), STR_ARG(has->type));
    if (fit == PG_FIT_PARSED)
        put_parsed(&sql, has);
    else
        put_exact(&sql, has);
    buf_adds(&sql, fit == PG_FIT_PARSED
                       ? "end $leadpipe$"
                       : "exception when data_exception or integrity_constraint_violation or "
                         "syntax_error_or_access_rule_violation then return null; end $leadpipe$");
    enum rc rc = pg_run_buf(l, &sql, e);
    buf_free(&sql);
    return rc;
}
