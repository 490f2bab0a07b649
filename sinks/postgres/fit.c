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
    return str_eq_c(c->base, "jsonb") || str_eq_c(c->base, "json");
}

enum pg_fit pg_fit_of(const struct pg_column *has, const struct pg_column *from)
{
    if (!has || str_eq(has->type, from->type))
        return PG_FIT_SAME;
    if (pg_column_is_text(has))
        return PG_FIT_TEXT;
    if (!is_json(has))
        return PG_FIT_FUNCTION;
    if (pg_column_is_text(from))
        return PG_FIT_PARSED;
    return has->is_domain ? PG_FIT_FUNCTION : PG_FIT_JSON;
}

static void put_text(struct buf *b, const char *staged)
{
    /* The text within a JSON string, and of anything else its JSON, which for scalars is their text. */
    buf_addf(b, "(pg_catalog.to_jsonb(s.%s) operator(pg_catalog.#>>) '{}'::text[])", staged);
}

bool pg_fit_may_refuse(enum pg_fit fit, const struct pg_column *has)
{
    return fit == PG_FIT_FUNCTION || (fit == PG_FIT_PARSED && has->is_domain);
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

#define MATCHES "v operator(pg_catalog.~) "
#define IS " operator(pg_catalog.=) "
#define NUMBER MATCHES "'^-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?$'"
#define DATE "[0-9]{4}-[0-9]{2}-[0-9]{2}"
#define HOUR "([01][0-9]|2[0-3]):[0-5][0-9]"
#define SECOND ":[0-5][0-9](\\.[0-9]{1,6}0*)?" /* of what is stored in microseconds */
#define ZONE "(Z|[+-][0-9]{2}:[0-9]{2})"
#define TIME DATE "[T ]" HOUR SECOND ZONE
#define LOCAL "v::pg_catalog.timestamptz at time zone 'UTC'"
#define TEXT_IS(of) "r::pg_catalog.text" IS of

/* Of the server's own types, and those of extensions: what their columns take, written in SQL. `before` says whether v is
 * written as such a value; `value` is what becomes of v, and `after` says whether that, r, is still the same. NULL: any;
 * v; any. Without a limit, words such as "now" and "allballs" would be times, and a fraction would be rounded. */
static const struct check {
    const char *base, *before, *value, *after;
} checks[] = {
    {"smallint", NUMBER, "v::numeric", "r::numeric" IS "v::numeric"},
    {"integer", NUMBER, "v::numeric", "r::numeric" IS "v::numeric"},
    {"bigint", NUMBER, "v::numeric", "r::numeric" IS "v::numeric"},
    /* The shortest decimal of the number; as numeric it would have 15 digits. */
    {"real", NUMBER, NULL, "r::pg_catalog.text::numeric" IS "v::numeric"},
    {"double precision", NUMBER, NULL, "r::pg_catalog.text::numeric" IS "v::numeric"},
    {"date", MATCHES "'^" DATE "$'", NULL, NULL},
    {"timestamp with time zone", MATCHES "'^" TIME "$'", NULL, "r" IS "v::pg_catalog.timestamptz"},
    {"timestamp without time zone", MATCHES "'^" TIME "$'", LOCAL, "r" IS "(" LOCAL ")"},
    {"time without time zone", MATCHES "'^" HOUR "(" SECOND ")?$'", NULL, "r" IS "v::time"},
    {"time with time zone", MATCHES "'^" HOUR "(" SECOND ")?" ZONE "$'", NULL,
     "r" IS "v::pg_catalog.timetz"},
    {"interval", "v operator(pg_catalog.!~*) '[.,]|[0-9]e[-+0-9]'", NULL,
     TEXT_IS("v::interval::pg_catalog.text")},
    {"bytea", "(v operator(pg_catalog.!~) '\\\\' or " MATCHES "'^\\\\x([0-9a-fA-F]{2})*$')", NULL,
     NULL},
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
    static const struct check number = {NULL, NUMBER, NULL, "r::numeric" IS "v::numeric"};
    static const struct check boolean = {NULL, "v" IS "any ('{true,false}'::pg_catalog.text[])",
                                         NULL, NULL};
    static const struct check text = {NULL, NULL, NULL, TEXT_IS("v")};
    static const struct check any = {NULL, NULL, NULL, NULL};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        if (str_eq_c(c->base, checks[i].base))
            return checks[i];
    }
    if (c->category == 'N')
        return number;
    if (c->category == 'B')
        return boolean;
    bool has_parts = c->category == 'A' || c->category == 'C'; /* arrays and composite types */
    return c->category == 'S' || has_parts || c->is_builtin ? text : any;
}

/* A domain may not allow null, so r has a value from the beginning. Only a cast makes a row of a text. */
static void put_exact(struct buf *b, const struct pg_column *has)
{
    const struct check check = check_of(has);
    buf_addf(b, "if not (%s) then return null; end if; declare r " STR_FMT " := ",
             check.before ? check.before : "true", STR_ARG(has->type));
    if (has->category == 'C')
        buf_addf(b, "v::" STR_FMT, STR_ARG(has->type));
    else
        buf_adds(b, check.value ? check.value : "v");
    buf_addf(b, "; begin if %s then return r; end if; end; return null; ",
             check.after ? check.after : "true");
}

/* Of whatever a type's input, or a domain's check, says of a value; other errors are of the server: a transaction that is to be
 * repeated, no room, a stop, a damage. A stop by a signal is not among them (query_canceled). */
#define REFUSED                                                                                     \
    "exception when others then if sqlstate operator(pg_catalog.~) '^(40|53|57|58|XX00[12])' then " \
    "raise; end if; "

/* What cannot be taken apart is a string all the same: nothing is lost. */
static void put_parsed(struct buf *b, const struct pg_column *has)
{
    buf_addf(b,
             "if " MATCHES "'^[[{]' then begin return v::" STR_FMT "; " REFUSED
             "end; end if; return pg_catalog.to_jsonb(v)::" STR_FMT "; ",
             STR_ARG(has->type), STR_ARG(has->type));
}

enum rc pg_fit_make(struct pg_link *l, enum pg_fit fit, const struct pg_column *has, size_t table,
                    unsigned n, struct err *e)
{
    struct buf sql;
    if (fit != PG_FIT_FUNCTION && fit != PG_FIT_PARSED)
        return RC_OK;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_addf(
        &sql,
        "create or replace function pg_temp.leadpipe_fit_%zu_%u(v pg_catalog.text) returns " STR_FMT
        " language plpgsql stable as $leadpipe$ begin if v is null then return null; end if; ",
        table, n, STR_ARG(has->type));
    if (fit == PG_FIT_PARSED)
        put_parsed(&sql, has);
    else
        put_exact(&sql, has);
    buf_adds(&sql, REFUSED "return null; end $leadpipe$");
    enum rc rc = pg_run_buf(l, &sql, e);
    buf_free(&sql);
    return rc;
}
