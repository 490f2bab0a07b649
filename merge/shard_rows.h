/* Reads the companion of a shard (sinks/rows/rows_format.h): one record for each lead of the shard that has rows. */
#ifndef LEADPIPE_SHARD_ROWS_H
#define LEADPIPE_SHARD_ROWS_H

#include "merge/shard_manifest.h"
#include "sinks/rows/rows_format.h"
#include "sinks/shard_file.h"

struct shard_rows {
    struct shard_file *file;
    uint64_t before;       /* place of the current lead in the list */
    uint64_t place;        /* the highest place so far; with --order any it may be another lead's */
    uint64_t n;            /* leads so far */
    struct rows_lead lead; /* the current one; `rest` has its columns */
    uint32_t rows[PROFILE_TABLES_MAX]; /* its rows in each of lead.n_tables tables */
    size_t record;                     /* bytes of its record; taken by the next call */
};

/* `room`: initial size of the buffer, in bytes. Errors as from shard_file_open(). Call shard_rows_close() even after a
 * failure. */
enum rc shard_rows_open(struct shard_rows *r, const struct shard_manifest *m, size_t room,
                        const atomic_int *signal, struct err *e);
void shard_rows_close(struct shard_rows *r); /* may be all zero */

/* Reads the header; call it first. Its texts live in `a`. RC_SYNTAX: it is not a valid header. */
enum rc shard_rows_header(struct shard_rows *r, struct arena *a, struct rows_header *out,
                          struct err *e);
/* Reads the next lead. RC_END: there are no more, and the file is the one that the manifest describes. RC_SYNTAX: the file
 * is damaged, or not that one; RC_IO, RC_NOMEM. */
enum rc shard_rows_next(struct shard_rows *r, struct err *e);
/* Reads the next lead with columns. Of the leads before it, little more than the places is read. Results as above. */
enum rc shard_rows_next_columns(struct shard_rows *r, struct err *e);

#endif
