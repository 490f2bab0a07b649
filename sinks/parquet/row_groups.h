/* What the footer will say of the row groups that are written, in their order.
 *
 * With many columns and small row groups that can be more than the rows themselves: what does not fit into a small
 * buffer goes to a temporary file (fd_open_temporary()). One thread at a time. */
#ifndef LEADPIPE_PARQUET_ROW_GROUPS_H
#define LEADPIPE_PARQUET_ROW_GROUPS_H

#include "core/base/buf.h"
#include "sinks/parquet/page.h"

/* A row group as it was written: chunks of the first `n_columns` columns and of the last ones. */
struct row_group {
    uint64_t at; /* of its first byte in the file */
    uint64_t n_rows;
    struct page_sums sums;
    uint64_t n_columns;
    struct buf first, last; /* their "ColumnChunk"s */
};

struct row_groups {
    uint64_t n, bytes;     /* of all row groups in the file */
    struct row_group next; /* row_groups_next() */
    struct buf tail;       /* the latest, behind those in the file */
    const char *path;      /* for messages */
    bool has_file;
    int fd;
    uint64_t file_bytes;
};

/* `path`: of the file with the row groups; the caller's. */
void row_groups_init(struct row_groups *g, const char *path);
void row_groups_free(struct row_groups *g); /* a zeroed one, too */

/* An empty one, to be filled in and then added. */
struct row_group *row_groups_next(struct row_groups *g);
/* RC_NOMEM; RC_USAGE, RC_IO: of the temporary file. */
enum rc row_groups_add(struct row_groups *g, struct err *e);

/* Reads them from the first one on. */
struct row_group_reader {
    const struct row_groups *from;
    uint64_t at;
    struct row_group group;
};

void row_group_reader_init(struct row_group_reader *r, const struct row_groups *from);
void row_group_reader_free(struct row_group_reader *r);
/* The next one is in `group` until the next call. RC_END: there is none; RC_NOMEM, RC_IO. */
enum rc row_group_read(struct row_group_reader *r, struct err *e);

#endif
