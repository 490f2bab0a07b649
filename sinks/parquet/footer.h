/* The end of a Parquet file: the schema, where every chunk is, and what the file was made by. */
#ifndef LEADPIPE_PARQUET_FOOTER_H
#define LEADPIPE_PARQUET_FOOTER_H

#include "core/provider/column_type.h"
#include "sinks/parquet/page.h"
#include "sinks/parquet/row_groups.h"

#define PARQUET_MAGIC STR("PAR1")

struct footer_column {
    struct str name;
    enum column_type type;
};

/* The column with that number, from 0; those that rows end with come last. */
typedef struct footer_column footer_column_fn(const void *ctx, size_t i);

struct footer {
    const struct row_groups *groups;
    uint64_t n_rows;
    size_t n_columns, n_last; /* the last ones are among them */
    footer_column_fn *column;
    const void *ctx;
    bool json_as_string;
};

enum physical_type physical_type_of(enum column_type type);

/* Writes the chunks that row groups lack, and the footer. RC_LIMIT: it would be too large for the format;
 * RC_NOMEM, RC_INTERNAL; RC_IO, with *e: as row_group_read(). Errors of the stream stick in it. */
enum rc footer_write(struct page_writer *w, const struct footer *f, struct stream *to,
                     struct err *e);

#endif
