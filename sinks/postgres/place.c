#include "sinks/postgres/place.h"

#include <stdio.h>
#include <string.h>

bool pg_is_token(const char *text)
{
    return strlen(text) == PG_TOKEN_BYTES - 1 && strspn(text, "0123456789abcdef") == strlen(text);
}

void pg_put_column(struct buf *b, const struct pg_place *p, struct str name)
{
    sql_quote(b, p->dialect, name);
}

void pg_put_name(struct buf *b, const struct pg_place *p, struct str name)
{
    sql_quote(b, p->dialect, p->schema);
    buf_addc(b, '.');
    sql_quote(b, p->dialect, name);
}

/* The token is hexadecimal. */
static void put_own(struct buf *b, const struct pg_place *p, const char *what)
{
    sql_quote(b, p->dialect, p->schema);
    buf_addf(b, ".\"_leadpipe_%s_%s\"", p->token, what);
}

static void put_own_of(struct buf *b, const struct pg_place *p, size_t table, const char *what)
{
    char text[48];
    (void)snprintf(text, sizeof text, "%zu%s", table, what);
    put_own(b, p, text);
}

void pg_put_staged(struct buf *b, const struct pg_place *p, size_t table)
{
    put_own_of(b, p, table, "");
}

void pg_put_changed(struct buf *b, const struct pg_place *p, size_t table)
{
    put_own_of(b, p, table, "_changed");
}

void pg_put_surplus(struct buf *b, const struct pg_place *p, size_t table)
{
    put_own_of(b, p, table, "_surplus");
}

void pg_put_parts(struct buf *b, const struct pg_place *p)
{
    put_own(b, p, "parts");
}

void pg_put_described(struct buf *b, const struct pg_place *p)
{
    put_own(b, p, "columns");
}

void pg_put_gone(struct buf *b, const struct pg_place *p)
{
    put_own(b, p, "gone");
}

void pg_put_fingerprints(struct buf *b, const struct pg_place *p)
{
    put_own(b, p, "fingerprints");
}

void pg_put_same(struct buf *b, const struct pg_place *p)
{
    put_own(b, p, "same");
}

void pg_put_loaded(struct buf *b, const struct pg_place *p)
{
    sql_quote(b, p->dialect, p->schema);
    buf_addf(b, ".\"" PG_TABLE_LOADED "_%s\"", p->loaded);
}

void pg_put_origins(struct buf *b, const struct pg_place *p)
{
    put_own(b, p, "origins");
}

const char *pg_type(const struct pg_place *p, enum column_type type)
{
    return p->dialect->types[type];
}
