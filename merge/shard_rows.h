/* Reads the companion of a shard (sinks/rows/rows_format.h): one record for each lead of the shard that has rows. */
#ifndef LEADPIPE_SHARD_ROWS_H
#define LEADPIPE_SHARD_ROWS_H

#include "merge/shard_manifest.h"
#include "sinks/rows/rows_format.h"
#include "sinks/shard_file.h"

struct shard_rows {
    struct shard_file *file;
    uint64_t before;       /* the place of the lead at hand */
    uint64_t place;        /* the highest one so far, which with --order any may be another */
    uint64_t n;            /* leads so far */
    struct rows_lead lead; /* at hand: `rest` has its columns */
    uint32_t rows[PROFILE_TABLES_MAX]; /* of it; lead.n_tables of them */
    size_t record;                     /* bytes of its record, still to be taken */
};

/* Errors as shard_file_open()'s. shard_rows_close() is due after a failure, too. */
enum rc shard_rows_open(struct shard_rows *r, const struct shard_manifest *m, size_t room,
                        struct err *e);
void shard_rows_close(struct shard_rows *r); /* may be all zero */

/* Reads the header; call it first. Its texts live in `a`. RC_SYNTAX: it is not a valid header. */
enum rc shard_rows_header(struct shard_rows *r, struct arena *a, struct rows_header *out,
                          struct err *e);
/* Reads the next lead. RC_END: there are no more, and the file is the one that the manifest describes. RC_SYNTAX: the file
 * is damaged, or not that one; RC_IO, RC_NOMEM. */
enum rc shard_rows_next(struct shard_rows *r, struct err *e);
/* The next lead that has columns; of those before it little more is read than their places. */
enum rc shard_rows_next_columns(struct shard_rows *r, struct err *e);

#endif
