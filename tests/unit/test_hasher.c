/* SHA-256 on a thread of its own: the same digests, whoever comes to a block first. */
#include "core/file/hasher.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

#define FILES 9
#define BLOCKS 50
#define BLOCK_BYTES_MAX ((size_t)40000)

struct file {
    struct hash_job job;
    struct digest *plain; /* of the same bytes, by this thread */
    char block[BLOCK_BYTES_MAX];
};

static void fill(struct file *f, uint64_t *seed, size_t *n)
{
    *seed = *seed * 6364136223846793005U + 1;
    *n = (size_t)(*seed >> 33) % BLOCK_BYTES_MAX + 1;
    memset(f->block, (int)(*seed >> 56), *n);
    digest_add(f->plain, f->block, *n);
}

/* Some blocks are waited for at once, before the thread can have come to them, and others when all files have one. */
static void check(struct hasher *h)
{
    struct file *files = calloc(FILES, sizeof *files);
    uint64_t seed = 1;
    size_t n = 0;
    assert_non_null(files);
    for (size_t i = 0; i < FILES; i++) {
        files[i].job.to = digest_new();
        files[i].plain = digest_new();
        assert_true(files[i].job.to && files[i].plain);
    }
    for (size_t i = 0; i < FILES * BLOCKS; i++) {
        struct file *f = &files[i % FILES];
        hasher_wait(h, &f->job); /* or what it has may not change */
        fill(f, &seed, &n);
        hasher_add(h, &f->job, f->block, n);
        if (seed >> 62 == 0)
            hasher_wait(h, &f->job);
    }
    for (size_t i = FILES; i-- > 0;) { /* the last ones first */
        char got[DIGEST_CHARS + 1];
        char wanted[DIGEST_CHARS + 1];
        hasher_wait(h, &files[i].job);
        hasher_wait(h, &files[i].job); /* twice is allowed */
        digest_end(files[i].job.to, got);
        digest_end(files[i].plain, wanted);
        assert_string_equal(got, wanted);
        digest_free(files[i].job.to);
        digest_free(files[i].plain);
    }
    free(files);
}

static void beside(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct hasher *h = NULL;
        struct err e;
        assert_int_equal(hasher_new(&h, &e), RC_OK);
        check(h);
        hasher_free(h);
    }
}

static void without(void **state)
{
    (void)state;
    check(NULL);
    hasher_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(beside), cmocka_unit_test(without)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
