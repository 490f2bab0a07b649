/* A column chunk in the file: its pages, and what the footer says of it.
 *
 * Data pages are of version 1, with definition levels of one bit; one has about PAGE_BYTES of values. A
 * dictionary's page comes before them. */
#ifndef LEADPIPE_PARQUET_PAGE_H
#define LEADPIPE_PARQUET_PAGE_H

#include "sinks/parquet/chunk.h"
#include "sinks/parquet/codec.h"
#include "sinks/parquet/rle.h"
#include "sinks/stream.h"

#define PAGE_BYTES ((size_t)1 << 20)
#define PAGE_INDEXES ((size_t)1 << 18)

/* What pages are made with; one for all files of a sink. */
struct page_writer {
    struct codec *codec;
    struct buf page, compressed, header;
    struct rle rle;
};

/* RC_NOMEM. page_writer_free() is due after a failure, too. */
enum rc page_writer_init(struct page_writer *w, enum compression compression);
void page_writer_free(struct page_writer *w);

/* The column as the footer names it. */
struct page_column {
    struct str name;
    enum physical_type type;
};

/* Bytes of chunks: without compression and with it, headers included. */
struct page_sums {
    uint64_t plain_bytes, bytes;
};

/* Writes a chunk that was settled and has `n_rows` rows to `to`, and appends its "ColumnChunk" to `out`.
 * One without values is a page of nulls. RC_NOMEM, RC_INTERNAL; errors of the stream stick in it. */
enum rc page_write_chunk(struct page_writer *w, const struct chunk *c, struct page_column column,
                         uint64_t n_rows, struct stream *to, struct buf *out,
                         struct page_sums *sums);

/* The page of a column that has nothing but null in `n_rows` rows, into w->header and w->compressed:
 * the same for every type. */
enum rc page_make_null(struct page_writer *w, uint64_t n_rows, struct page_sums *sums);
/* Writes it. */
void page_write_null(struct page_writer *w, struct stream *to);
/* Appends the "ColumnChunk" of a column that has that page `at` in the file. */
void page_put_null_chunk(struct page_writer *w, struct page_column column, uint64_t n_rows,
                         uint64_t at, struct page_sums sums, struct buf *out);

#endif
