/* What the files of load.h share. Private to load.c, load_part.c and load_flush.c. */
#ifndef LEADPIPE_SINKS_POSTGRES_LOAD_INTERNAL_H
#define LEADPIPE_SINKS_POSTGRES_LOAD_INTERNAL_H

#include "sinks/postgres/encode.h"
#include "sinks/postgres/load.h"
#include "sinks/postgres/row_width.h"

#define SQL_BYTES_MAX ((size_t)64 << 20)

static inline const struct sql_relation *pg_load_relation(const struct pg_load *load, size_t table)
{
    return &load->place->relations.items[table];
}

/* Behind the profile's tables: which leads are missing; which fingerprints leads have, those that are missing none; and which leads
 * were not loaded again. */
enum { PG_LOAD_GONE, PG_LOAD_FINGERPRINTS, PG_LOAD_SAME, PG_LOAD_OWN };

static inline bool pg_load_is(const struct pg_load *load, size_t table, unsigned own)
{
    return table == load->profile->n_tables + own;
}

static inline struct pg_load_table *pg_load_own(const struct pg_load *load, unsigned own)
{
    return &load->tables[load->profile->n_tables + own];
}

/* Rows are of leads. */
static inline bool pg_load_has_rows(const struct pg_load *load, size_t table)
{
    return table < load->profile->n_tables;
}

/* A table's rows begin with a few bytes. */
static inline void pg_load_begin_rows(struct pg_load_table *t)
{
    if (t->rows.len == 0)
        pg_put_begin(&t->rows);
}

/* load_rows.c */

/* Append a lead's keys to a row; and a row with its fingerprint and that of its rows, NULL: it has none. */
void pg_load_put_keys(const struct pg_load *load, struct buf *b, const struct lead *lead);
struct pg_fingerprint pg_load_put_fingerprint(struct pg_load *load, const struct lead *lead,
                                              const struct pg_fingerprint *rows);

/* load_same.c */

void pg_same_free(struct pg_same *s);
/* Around the rows of a lead. */
enum rc pg_same_begin(struct pg_load *load, struct err *e);
enum rc pg_same_end(struct pg_load *load, const struct lead *lead, struct err *e);
/* Takes the rows out of those leads that were loaded before. */
enum rc pg_same_decide(struct pg_load *load, struct err *e);

/* How many columns the table has from the profile; those that were found in the data are behind them. */
static inline size_t pg_load_fixed(const struct pg_load *load, size_t table)
{
    return pg_load_relation(load, table)->n_columns;
}

/* Appends the name of the i-th column in the staging table. */
void pg_load_put_column(struct buf *b, const struct pg_load *load, size_t table, size_t i);

/* Sends all rows that were gathered, as the part that `run` counts. */
enum rc pg_load_send_part(struct pg_load *load, const struct pg_run *run, struct err *e);

/* The same in pieces: begin, rows of a table (in the format of COPY, with `n_columns`), ..., end. */
enum rc pg_load_begin_part(struct pg_load *load, struct err *e);
enum rc pg_load_send_rows(struct pg_load *load, size_t table, size_t n_columns, struct str rows,
                          struct err *e);
enum rc pg_load_end_part(struct pg_load *load, const struct pg_run *run, struct err *e);

#endif
