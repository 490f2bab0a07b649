/* Files that shards have written: read to the end, and compared with what the manifest says. */
#include "sinks/shard_file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "cmocka_all.h"

#define BYTES ((size_t)300000)

struct world {
    char path[64];
    char content[BYTES], packed[BYTES + 4096];
    size_t n_packed;
    char sha256[65];
    struct hasher *hasher; /* NULL: none */
    atomic_int signal;
};

static void put(const struct world *w, const char *p, size_t n)
{
    int fd = open(w->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_true(write(fd, p, n) == (ssize_t)n);
    assert_int_equal(close(fd), 0);
}

static struct shard_file *open_file(struct world *w, const char *p, size_t n, size_t room)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    struct shard_file *f = NULL;
    struct err e;
    put(w, p, n);
    assert_true(EVP_Digest(p, n, digest, &len, EVP_sha256(), NULL));
    for (unsigned i = 0; i < len; i++)
        (void)snprintf(w->sha256 + (size_t)i * 2, 3, "%02x", digest[i]);
    const struct shard_file_cfg cfg = {w->path, "m.json",  n,         w->sha256,
                                       room,    w->hasher, &w->signal};
    assert_int_equal(shard_file_open(&f, &cfg, &e), RC_OK);
    return f;
}

/* In pieces of all sizes, some larger than the buffer. */
static void read_all(const struct world *w, struct shard_file *f)
{
    struct err e;
    struct str got;
    size_t at = 0;
    for (size_t n = 1; at < BYTES; n = n * 3 + 1) {
        size_t want = n % 70000 + 1;
        assert_int_equal(shard_file_peek(f, want, &got, &e), RC_OK);
        assert_true(got.len >= want || got.len == BYTES - at);
        size_t take = got.len < want ? got.len : want;
        assert_memory_equal(got.ptr, w->content + at, take);
        shard_file_take(f, take);
        at += take;
    }
    assert_int_equal(shard_file_end(f, &e), RC_OK);
    shard_file_close(f);
}

static void whole(void **state)
{
    struct world *w = *state;
    struct err e;
    read_all(w, open_file(w, w->content, BYTES, 4096));
    read_all(w, open_file(w, w->packed, w->n_packed, 4096));
    assert_int_equal(hasher_new(&w->hasher, &e), RC_OK);
    read_all(w, open_file(w, w->content, BYTES, 4096));
    read_all(w, open_file(w, w->packed, w->n_packed, 4096));
    shard_file_close(open_file(w, w->content, BYTES, 4096));
    hasher_free(w->hasher);
    w->hasher = NULL;
}

static enum rc end_of(struct shard_file *f)
{
    struct err e;
    struct str got;
    enum rc rc = RC_OK;
    do {
        rc = shard_file_peek(f, 1, &got, &e);
        shard_file_take(f, got.len);
    } while (rc == RC_OK && got.len > 0);
    if (rc == RC_OK)
        rc = shard_file_end(f, &e);
    shard_file_close(f);
    return rc;
}

/* Whatever changes between opening it and its end: a byte, or more bytes, or fewer. */
static void changed(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 4; i++) {
        bool gzip = i % 2;
        char *p = gzip ? w->packed : w->content;
        size_t n = gzip ? w->n_packed : BYTES;
        struct shard_file *f = open_file(w, p, n, 4096);
        p[n / 2] ^= 1;
        put(w, p, n);
        p[n / 2] ^= 1;
        if (i >= 2)
            put(w, p, n - 1);
        assert_int_equal(end_of(f), RC_SYNTAX);
    }
    struct err e;
    struct str got;
    struct shard_file *f = open_file(w, w->content, BYTES - 1, 4096);
    put(w, w->content, BYTES);
    assert_int_equal(end_of(f), RC_SYNTAX);
    f = open_file(w, w->content, BYTES, 4096);
    assert_int_equal(shard_file_peek(f, 1, &got, &e), RC_OK);
    assert_int_equal(shard_file_end(f, &e), RC_SYNTAX); /* not read to its end */
    shard_file_close(f);
}

static void anywhere(void **state)
{
    struct world *w = *state;
    struct err e;
    char got[1000];
    struct shard_file *f = open_file(w, w->content, BYTES, 4096);
    assert_int_equal(shard_file_verify(f, &e), RC_OK);
    for (uint64_t at = 0; at + sizeof got <= BYTES; at += 65000) {
        assert_int_equal(shard_file_read(f, at, got, sizeof got, &e), RC_OK);
        assert_memory_equal(got, w->content + at, sizeof got);
    }
    assert_int_equal(shard_file_read(f, BYTES - 10, got, 11, &e), RC_SYNTAX);
    assert_int_equal(shard_file_read(f, UINT64_MAX, got, 11, &e), RC_SYNTAX);
    w->content[70000] ^= 1;
    put(w, w->content, BYTES);
    w->content[70000] ^= 1;
    assert_int_equal(shard_file_read(f, 0, got, 10, &e), RC_OK);
    assert_int_equal(shard_file_read(f, 66000, got, 10, &e), RC_SYNTAX);
    shard_file_close(f);
    w->sha256[0] ^= 1;
    const struct shard_file_cfg cfg = {w->path, "m.json", BYTES, w->sha256, 4096, NULL, NULL};
    assert_int_equal(shard_file_open(&f, &cfg, &e), RC_OK);
    assert_int_equal(shard_file_verify(f, &e), RC_SYNTAX);
    shard_file_close(f);
}

/* Whoever reads a file of many gigabytes can be stopped. */
static void stopped(void **state)
{
    struct world *w = *state;
    struct err e;
    struct str got;
    char part[16];
    struct shard_file *whole_file = open_file(w, w->content, BYTES, 4096);
    struct shard_file *packed = open_file(w, w->packed, w->n_packed, 4096);
    struct shard_file *verified = open_file(w, w->content, BYTES, 4096);
    put(w, w->content, BYTES);
    assert_int_equal(shard_file_peek(whole_file, 10, &got, &e), RC_OK);
    atomic_store(&w->signal, 15);
    assert_int_equal(shard_file_peek(whole_file, 10, &got, &e), RC_OK); /* it is there */
    assert_int_equal(shard_file_peek(whole_file, BYTES, &got, &e), RC_STOPPED);
    assert_int_equal(shard_file_peek(packed, 10, &got, &e), RC_STOPPED);
    assert_int_equal(shard_file_verify(verified, &e), RC_STOPPED);
    atomic_store(&w->signal, 0);
    assert_int_equal(shard_file_verify(verified, &e), RC_OK);
    atomic_store(&w->signal, 15);
    assert_int_equal(shard_file_read(verified, 0, part, sizeof part, &e), RC_STOPPED);
    atomic_store(&w->signal, 0);
    shard_file_close(whole_file);
    shard_file_close(packed);
    shard_file_close(verified);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    if (!w)
        return -1;
    (void)snprintf(w->path, sizeof w->path, "/tmp/leadpipe-test-XXXXXX");
    int fd = mkstemp(w->path);
    uint64_t seed = 7;
    for (size_t i = 0; i < BYTES; i++) {
        seed = seed * 6364136223846793005U + 1;
        w->content[i] = (char)('a' + (seed >> 60));
    }
    /* two members */
    for (size_t from = 0; from < BYTES; from += BYTES / 2) {
        z_stream z = {.next_in = (Bytef *)w->content + from,
                      .avail_in = (uInt)(BYTES / 2),
                      .next_out = (Bytef *)w->packed + w->n_packed,
                      .avail_out = (uInt)(sizeof w->packed - w->n_packed)};
        assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        w->n_packed = sizeof w->packed - z.avail_out;
        (void)deflateEnd(&z);
    }
    *state = w;
    return close(fd);
}

static int tear_down(void **state)
{
    struct world *w = *state;
    int result = unlink(w->path);
    free(w);
    return result;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole), cmocka_unit_test(changed),
                                       cmocka_unit_test(anywhere), cmocka_unit_test(stopped)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
