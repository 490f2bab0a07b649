#include "sinks/postgres/place.h"

#include <stdio.h>

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

void pg_put_staged(struct buf *b, const struct pg_place *p, size_t table)
{
    char what[24];
    (void)snprintf(what, sizeof what, "%zu", table);
    put_own(b, p, what);
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

const char *pg_type(const struct pg_place *p, enum column_type type)
{
    return p->dialect->types[type];
}
