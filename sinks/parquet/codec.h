/* How pages are compressed. The same input gives the same bytes. */
#ifndef LEADPIPE_PARQUET_CODEC_H
#define LEADPIPE_PARQUET_CODEC_H

#include "core/base/buf.h"

/* Parquet's numbers. */
enum compression { COMPRESSION_NONE = 0, COMPRESSION_GZIP = 2, COMPRESSION_ZSTD = 6 };

struct codec; /* one thread at a time */

/* RC_NOMEM. */
enum rc codec_new(struct codec **out, enum compression compression);
void codec_free(struct codec *c); /* `c` may be NULL */
enum compression codec_compression(const struct codec *c);

/* `in` compressed, in place of what is in `out`. RC_NOMEM, RC_INTERNAL. */
enum rc codec_compress(struct codec *c, struct str in, struct buf *out);

struct decoder; /* one thread at a time */

/* RC_NOMEM. */
enum rc decoder_new(struct decoder **out);
void decoder_free(struct decoder *d); /* may be NULL */

/* The content of `in`, which must be `n` bytes, in place of what is in `out`. RC_SYNTAX: it is not; RC_NOMEM. */
enum rc decoder_decompress(struct decoder *d, enum compression compression, struct str in, size_t n,
                           struct buf *out);

#endif
