/* Gzip (RFC 1952) decompressed as it comes, all members of it, which libcurl does not do. Zeros behind
 * the last member are padding, as gzip(1) takes them. One thread. Private to
 * core/http. */
#ifndef LEADPIPE_GUNZIP_H
#define LEADPIPE_GUNZIP_H

#include <stdbool.h>
#include <zlib.h>

#include "core/base/err.h"
#include "core/base/str.h"

struct gunzip {
    z_stream z;
    bool is_open;    /* `z` is */
    bool is_whole;   /* between members: it may end here */
    bool is_padding; /* nothing but zeros may follow */
};

/* A zeroed one, or one that was used before, begins with its first member. RC_NOMEM. */
enum rc gunzip_begin(struct gunzip *g);
void gunzip_free(struct gunzip *g); /* a zeroed one, too */

/* Decompresses from *in, which moves on, into `out`; *n: bytes made. To be called again while `in` is
 * not empty or all of `out` was filled. RC_SYNTAX: that is no gzip; RC_NOMEM. */
enum rc gunzip_some(struct gunzip *g, struct str *in, char *out, size_t size, size_t *n);

#endif
