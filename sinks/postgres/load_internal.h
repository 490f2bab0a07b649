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

/* Is it the table of missing leads, which is behind the profile's? */
static inline bool pg_load_is_gone(const struct pg_load *load, size_t table)
{
    return table == load->profile->n_tables;
}

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
