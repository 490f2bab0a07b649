/* A file that a shard has written, read once from beginning to end, and decompressed if it is gzip.
 *
 * It is hashed as it is read, and shard_file_end() says whether it is the file that the manifest describes. So a file that
 * changes while it is read is detected. All errors name the file and the manifest; RC_SYNTAX: the file is not the one
 * described. All functions that read may return RC_STOPPED. One thread at a time. */
#ifndef LEADPIPE_SHARD_FILE_H
#define LEADPIPE_SHARD_FILE_H

#include <stdatomic.h>

#include "core/base/err.h"
#include "core/base/str.h"
#include "core/file/hasher.h"

struct shard_file;

#define SHARD_FILE_SHA256_CHARS DIGEST_CHARS
#define SHARD_FILE_PIECE_MAX ((size_t)1 << 30) /* bytes for one shard_file_peek() */

struct shard_file_cfg { /* texts live as long as the file */
    const char *path;
    const char *manifest;  /* for messages */
    uint64_t bytes;        /* size of the file, according to the manifest, and ... */
    const char *sha256;    /* ... its digest, hexadecimal */
    size_t room;           /* initial size of the buffer, in bytes; it grows as needed */
    struct hasher *hasher; /* has a thread that hashes it; outlives it; NULL: the caller hashes */
    const atomic_int *signal; /* not 0: stop reading, RC_STOPPED; NULL: never */
};

/* RC_USAGE: it does not exist, is not a regular file or cannot be read; RC_SYNTAX: it has another size; RC_NOMEM. */
enum rc shard_file_open(struct shard_file **out, const struct shard_file_cfg *cfg, struct err *e);
void shard_file_close(struct shard_file *f); /* may be NULL */

/* The next bytes, at least `n` or all that are left, without taking them. Valid until the next call. RC_IO, RC_NOMEM,
 * RC_SYNTAX. */
enum rc shard_file_peek(struct shard_file *f, size_t n, struct str *out, struct err *e);
/* Takes the first `n` bytes of what was peeked at. */
void shard_file_take(struct shard_file *f, size_t n);

/* Checks that nothing is left, and that the digest is that of the manifest. RC_SYNTAX: it is not. */
enum rc shard_file_end(struct shard_file *f, struct err *e);

/* Reports that the content is not what the sink writes: always RC_SYNTAX. */
enum rc shard_file_damaged(const struct shard_file *f, struct err *e);

/* For random access (parquet), instead of peek and take: reads the whole file once and compares it with the manifest.
 * After that, shard_file_read() returns the same content, or an error if the file has changed since. */
enum rc shard_file_verify(struct shard_file *f, struct err *e);
uint64_t shard_file_bytes(const struct shard_file *f);
enum rc shard_file_read(struct shard_file *f, uint64_t at, void *p, size_t n, struct err *e);

#endif
