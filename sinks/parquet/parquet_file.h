/* One Parquet file: the rows of one table, in row groups, under a schema that stands at the end.
 *
 * The rows of the row group at hand are in memory, column by column, and written when they are many
 * enough or take enough bytes; what has been written is never changed. The schema has all columns that
 * appeared, and every row group must have a chunk for each: the row groups before a column's first value
 * get theirs, one page of nulls, behind the last row group. So the final bytes depend on the rows and the
 * settings alone, not on how rows came in batches, nor on marks.
 *
 * A mark keeps what is in memory in a file beside the unfinished one (parquet_mark.h). One thread at a
 * time. */
#ifndef LEADPIPE_PARQUET_FILE_H
#define LEADPIPE_PARQUET_FILE_H

#include "core/file/outfile.h"
#include "sinks/column_names.h"
#include "sinks/parquet/footer.h"
#include "sinks/parquet/page.h"
#include "sinks/typed_rows.h"

/* What all files of a sink have in common. */
struct parquet_settings {
    const struct profile *profile;
    bool as_text; /* all columns are text */
    bool json_as_string;
    bool run_columns;
    const char *run_id;
    int64_t started_ms;
    uint64_t group_rows_max; /* of a row group */
    size_t group_bytes_max;  /* in memory */
    struct page_writer *pages;
    bool want_sha256;
    const struct stop_timer *stop;
    const struct places *places;
};

/* A cell of the row at hand on its way into its chunk. */
struct parquet_cell {
    size_t column;
    struct str
        bytes; /* as chunk_put() takes them; of one in `scratch` the length alone, from `at` on */
    size_t at;
    bool is_in_scratch;
    uint32_t hash;
    char fixed[sizeof(uint64_t)]; /* where the bytes of a number are */
};

#define PARQUET_SPOOLS 2
#define PARQUET_LAST_MAX 3 /* of typed_row.last */

struct parquet_file {
    const struct parquet_settings *settings;
    const char *path;
    struct typed_table_cfg table_cfg;
    struct typed_table *table;
    struct stream *stream;
    struct chunk *chunks; /* of typed_table_column(), and ... */
    size_t n_chunks, cap_chunks;
    struct chunk last[PARQUET_LAST_MAX]; /* ... of typed_table_last_column() */
    size_t n_last;
    struct chunk_memory memory; /* of all of them */
    uint64_t group_rows;        /* in memory */
    uint64_t n_rows;            /* those, too */
    struct row_groups groups;
    struct column_names names;  /* after parquet_file_prepare() */
    struct parquet_cell *cells; /* room for n_chunks, or PARQUET_LAST_MAX where that is more */
    size_t cap_cells;
    struct buf scratch; /* of the row's cells, those that had to be written as JSON first */
    /* Those of the last two marks in turn: the one before is needed until the last is committed. */
    struct outfile *spools[PARQUET_SPOOLS];
    unsigned spool;       /* of the last mark */
    uint64_t spool_bytes; /* 0: there is none */
    uint32_t spool_crc;
    uint64_t spool_rows; /* n_rows then */
};

/* `mark` is what parquet_file_mark() gave in an earlier run, or absent. RC_SYNTAX: it is damaged; else
 * as stream_open(). `settings` and `path` must outlive the file. parquet_file_close() is due after a
 * failure, too. */
enum rc parquet_file_open(struct parquet_file *f, const struct parquet_settings *settings,
                          size_t table, const char *path, struct str mark, struct err *e);

enum rc parquet_file_put(struct parquet_file *f, const struct lead *lead, const struct row *row,
                         struct err *e);

/* A value that is not null. */
struct parquet_value {
    size_t column;    /* of typed_table_column(), or ... */
    bool is_last;     /* ... of typed_table_last_column() */
    struct str bytes; /* as chunk_put() takes them */
};

/* A row of such values, of columns that there are (typed_table_add(), parquet_file_grow()). */
enum rc parquet_file_put_values(struct parquet_file *f, const struct parquet_value *values,
                                size_t n, struct err *e);

/* Writes the row group at hand, if it has rows. Its memory stays for the next one. */
enum rc parquet_file_end_group(struct parquet_file *f, struct err *e);
/* Gives back memory that is not in use. */
void parquet_file_trim(struct parquet_file *f);
/* The column that has most of it. NULL: there is none. */
struct chunk *parquet_file_idlest(struct parquet_file *f);

/* What was put is in the file and the spool that the text names, which is appended to `out`: one line,
 * and its end. */
enum rc parquet_file_mark(struct parquet_file *f, struct buf *out, struct err *e);
/* What the last mark covers is on disk; as stream_sync(). */
enum rc parquet_file_sync(struct parquet_file *f, struct err *e);

/* As struct sink_ops's functions of these names. */
enum rc parquet_file_prepare(struct parquet_file *f, struct buf *text, struct err *e);
void parquet_file_begin_commit(struct parquet_file *f); /* as stream_begin_publish() */
enum rc parquet_file_commit(struct parquet_file *f, struct err *e);
enum rc parquet_file_abort(struct parquet_file *f, struct err *e);
/* Drops what was not committed; `keep` leaves what a mark needs. */
void parquet_file_close(struct parquet_file *f, bool keep);

/* Removes what marks of a run that was cut off left beside `path`. */
void parquet_file_clear(const struct places *places, const char *path);

/* Chunks for all columns that the table has by now. RC_NOMEM. */
enum rc parquet_file_grow(struct parquet_file *f);

#endif
