/* What was sent to the server, on this machine's disk, for a server that loses it: staging tables are
 * emptied by a crash. A file without a name in TMPDIR (or /var/tmp), in pieces:
 *
 *     table, columns, rows, bytes: 8 bytes each; then the data
 *
 * A disk that is full ends the spool, not the run: then a crash of the server does. */
#ifndef LEADPIPE_SINKS_POSTGRES_SPOOL_H
#define LEADPIPE_SINKS_POSTGRES_SPOOL_H

#include "core/base/buf.h"

struct pg_spool_piece {
    uint64_t table, n_columns, n_rows, bytes;
};

struct pg_spool {
    int fd;        /* -1: none */
    uint64_t end;  /* bytes of complete parts */
    char why[160]; /* there is none */
};

void pg_spool_open(struct pg_spool *s);
void pg_spool_close(struct pg_spool *s);

void pg_spool_add(struct pg_spool *s, const struct pg_spool_piece *piece, struct str data);

/* The piece at *at, which moves behind it; its data is in `out`. RC_END: there are no more; RC_IO. */
enum rc pg_spool_read(const struct pg_spool *s, uint64_t *at, struct pg_spool_piece *piece,
                      struct buf *out, struct err *e);

#endif
