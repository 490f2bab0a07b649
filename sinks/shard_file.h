/* A file that a shard has written, read once from its beginning to its end; decompressed where it is gzip.
 *
 * What is handed out is hashed, and shard_file_end() says whether it was the file that the manifest describes: so one that
 * changes while it is read is found, whatever was read of it. All errors name the file and the manifest; those that say
 * that the file is wrong are RC_SYNTAX. One thread at a time. */
#ifndef LEADPIPE_SHARD_FILE_H
#define LEADPIPE_SHARD_FILE_H

#include "core/base/err.h"
#include "core/base/str.h"
#include "core/file/hasher.h"

struct shard_file;

#define SHARD_FILE_SHA256_CHARS DIGEST_CHARS
#define SHARD_FILE_PIECE_MAX ((size_t)1 << 30) /* that can be asked for at once */

struct shard_file_cfg { /* texts live as long as the file */
    const char *path;
    const char *manifest;  /* for messages */
    uint64_t bytes;        /* of the file, as the manifest has it, and ... */
    const char *sha256;    /* ... its digest, hexadecimal */
    size_t room;           /* bytes of its buffer, to begin with */
    struct hasher *hasher; /* that hashes it, and lives longer; NULL: this thread */
};

/* RC_USAGE: it is not there, is no file or cannot be read; RC_SYNTAX: it has another length; RC_NOMEM. */
enum rc shard_file_open(struct shard_file **out, const struct shard_file_cfg *cfg, struct err *e);
void shard_file_close(struct shard_file *f); /* may be NULL */

/* What comes next: at least `n` bytes, or all that is left. Valid until the next call. RC_IO, RC_NOMEM,
 * RC_SYNTAX. */
enum rc shard_file_peek(struct shard_file *f, size_t n, struct str *out, struct err *e);
/* Moves behind `n` bytes of that. */
void shard_file_take(struct shard_file *f, size_t n);

/* Nothing is left, and what was read is what the manifest says. RC_SYNTAX: it is not. */
enum rc shard_file_end(struct shard_file *f, struct err *e);

/* RC_SYNTAX: its content is not what the sink writes. */
enum rc shard_file_damaged(const struct shard_file *f, struct err *e);

/* For what must be read in other places than from the beginning on (parquet): reads all of it once, and compares; from
 * then on shard_file_read() gives what was read then, or says that the file has changed. Instead of peek. */
enum rc shard_file_verify(struct shard_file *f, struct err *e);
uint64_t shard_file_bytes(const struct shard_file *f);
enum rc shard_file_read(struct shard_file *f, uint64_t at, void *p, size_t n, struct err *e);

#endif
