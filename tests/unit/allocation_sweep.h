/* Does one piece of work again and again, each time with another allocation refused, until it needs
 * no more; and checks each time what is left. */
#ifndef LEADPIPE_TESTS_ALLOCATION_SWEEP_H
#define LEADPIPE_TESTS_ALLOCATION_SWEEP_H

#include <inttypes.h>
#include <openssl/err.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/err.h"
#include "short_memory.h"

#include "cmocka_all.h"

#define SWEEP_OUT_BYTES ((size_t)16 << 20)

struct work {
    const char *name;
    /* What run() began, end() brings to its end when run() failed: so that the outcome is the same
     * as if nothing had been refused. */
    bool continues;
    void (*begin)(void *ctx);                 /* with memory */
    enum rc (*run)(void *ctx, struct err *e); /* with what there is */
    /* With memory: appends what came of it to `out`, cleans up, and checks that nothing is left.
     * After a failure it appends only if the work continues. */
    void (*end)(void *ctx, enum rc rc, struct buf *out);
    void *ctx;
};

/* The lowest number that the next open file would get. */
static inline int sweep_next_fd(void)
{
    int fd = dup(STDERR_FILENO);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    return fd;
}

/* What came of it in `out`; *refused is how many allocations failed. `n` 0: none. */
static inline enum rc sweep_do(const struct work *w, uint64_t n, enum shortage kind,
                               struct buf *out, struct err *e, uint64_t *refused)
{
    *e = (struct err){.msg = ""};
    buf_clear(out);
    w->begin(w->ctx);
    memory_arm(n ? n : UINT64_MAX, kind);
    enum rc rc = w->run(w->ctx, e);
    *refused = memory_disarm();
    w->end(w->ctx, rc, out);
    ERR_clear_error(); /* libcrypto's own notes */
    assert_int_equal(buf_rc(out), RC_OK);
    return rc;
}

static inline void sweep_compare(const struct buf *got, const struct buf *want, const char *what,
                                 uint64_t n)
{
    if (got->len == want->len && memcmp(got->data, want->data, want->len) == 0)
        return;
    size_t at = 0;
    while (at < got->len && at < want->len && got->data[at] == want->data[at])
        at++;
    fail_msg("%s, allocation %" PRIu64 ": another outcome (%zu bytes, not %zu) from byte %zu on: "
             "%.*s",
             what, n, got->len, want->len, at, (int)(got->len - at < 200 ? got->len - at : 200),
             got->data + at);
}

struct sweep {
    const struct work *work;
    struct buf want, got; /* have all their memory from the beginning on */
    int64_t blocks;
    int fd;
};

static inline void sweep_check_left(const struct sweep *s, uint64_t n)
{
    if (memory.blocks != s->blocks)
        fail_msg("%s, allocation %" PRIu64 ": %" PRId64 " blocks are left", s->work->name, n,
                 memory.blocks - s->blocks);
    if (sweep_next_fd() != s->fd)
        fail_msg("%s, allocation %" PRIu64 ": a file is left open", s->work->name, n);
}

/* With memory, it is as if nothing had ever been refused; what continues has shown that already. */
static inline void sweep_again(struct sweep *s, uint64_t n)
{
    struct err e;
    uint64_t refused;
    if (sweep_do(s->work, 0, SHORTAGE_ONCE, &s->got, &e, &refused) != RC_OK)
        fail_msg("%s, after allocation %" PRIu64 ": %s", s->work->name, n, e.msg);
    sweep_compare(&s->got, &s->want, s->work->name, n);
    sweep_check_left(s, n);
}

/* False: there is no allocation of that number. */
static inline bool sweep_one(struct sweep *s, uint64_t n, enum shortage kind)
{
    struct err e;
    uint64_t refused;
    enum rc rc = sweep_do(s->work, n, kind, &s->got, &e, &refused);
    if (rc != RC_OK && (rc != RC_NOMEM || e.rc != RC_NOMEM || !strstr(e.msg, "out of memory")))
        fail_msg("%s, allocation %" PRIu64 ": %s (%s, %s)", s->work->name, n, rc_text(rc),
                 rc_text(e.rc), e.msg);
    if (rc == RC_OK || s->work->continues)
        sweep_compare(&s->got, &s->want, s->work->name, n);
    sweep_check_left(s, n);
    if (refused && !s->work->continues)
        sweep_again(s, n);
    return refused > 0;
}

static inline void sweep_begin(struct sweep *s, const struct work *w)
{
    *s = (struct sweep){.work = w};
    buf_init(&s->want, SWEEP_OUT_BYTES);
    buf_init(&s->got, SWEEP_OUT_BYTES);
    assert_non_null(buf_reserve(&s->want, SWEEP_OUT_BYTES));
    assert_non_null(buf_reserve(&s->got, SWEEP_OUT_BYTES));
    struct err e;
    uint64_t refused;
    for (int i = 0; i < 2; i++) { /* the first time, libraries set themselves up */
        if (sweep_do(w, 0, SHORTAGE_ONCE, &s->want, &e, &refused) != RC_OK)
            fail_msg("%s: %s", w->name, e.msg);
    }
    assert_true(s->want.len > 0);
    s->blocks = memory.blocks;
    s->fd = sweep_next_fd();
}

static inline void sweep(const struct work *w)
{
    struct sweep s;
    sweep_begin(&s, w);
    uint64_t n[2] = {1, 1};
    while (sweep_one(&s, n[SHORTAGE_ONCE], SHORTAGE_ONCE))
        n[SHORTAGE_ONCE]++;
    while (sweep_one(&s, n[SHORTAGE_LASTING], SHORTAGE_LASTING))
        n[SHORTAGE_LASTING]++;
    printf("%-40s %6" PRIu64 " allocations refused once, %6" PRIu64 " for good\n", w->name,
           n[SHORTAGE_ONCE] - 1, n[SHORTAGE_LASTING] - 1);
    assert_true(n[SHORTAGE_ONCE] > 1 && n[SHORTAGE_LASTING] > 1);
    buf_free(&s.want);
    buf_free(&s.got);
}

#endif
