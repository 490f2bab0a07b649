/* Memory that runs out when a test says so: the n-th allocation is refused, once or for good.
 *
 * Replaces malloc() and its kin in the whole program, shared libraries included; what they hand out
 * comes from the sanitizer's allocator where there is one, else from the C library's. The arena's
 * functions are counted too: with --wrap (see CMakeLists.txt), for nearly all of what a lead needs
 * comes out of a chunk that is there. For programs of one file. Where one thread is the owner, memory runs out for that
 * one alone; else it is not certain with several threads which allocation is the n-th. */
#ifndef LEADPIPE_TESTS_SHORT_MEMORY_H
#define LEADPIPE_TESTS_SHORT_MEMORY_H

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arena.h"

enum shortage { SHORTAGE_ONCE, SHORTAGE_LASTING };

/* What runs before the sanitizers do. */
#define BARE __attribute__((no_sanitize("thread", "address", "undefined")))

static struct {
    bool armed;
    bool
        spares_libraries; /* only what the program itself asks for is refused: for one that loses memory then */
    bool has_owner;
    pthread_t owner;
    enum shortage kind;
    _Atomic uint64_t granted; /* since it was armed */
    uint64_t granted_max;
    _Atomic uint64_t refused; /* since it was armed */
    _Atomic int64_t blocks;   /* that are not freed */
} memory;

/* Refuses the allocation number `n`, from 1, counted from now on; with SHORTAGE_LASTING all that
 * follow, too. */
static inline void memory_arm(uint64_t n, enum shortage kind)
{
    memory.kind = kind;
    memory.granted = memory.refused = 0;
    memory.granted_max = n - 1;
    memory.armed = true;
}

/* Returns how many were refused. */
static inline uint64_t memory_disarm(void)
{
    memory.armed = false;
    return memory.refused;
}

BARE static inline bool memory_refuses(void)
{
    if (!memory.armed || (memory.refused && memory.kind == SHORTAGE_ONCE))
        return false;
    if (memory.has_owner && !pthread_equal(memory.owner, pthread_self()))
        return false;
    if (memory.granted < memory.granted_max) {
        memory.granted++;
        return false;
    }
    memory.refused++;
    errno = ENOMEM;
    return true;
}

extern char __executable_start[], etext[]; /* the linker's: the program is between them */

BARE static inline bool memory_refuses_to(const void *caller)
{
    const char *at = caller;
    bool is_ours = at >= __executable_start && at < etext;
    return (is_ours || !memory.spares_libraries) && memory_refuses();
}

/* ---- malloc() and its kin ------------------------------------------------------------------- */

void *__interceptor_malloc(size_t n) __attribute__((weak));
void *__interceptor_calloc(size_t n, size_t size) __attribute__((weak));
void *__interceptor_realloc(void *p, size_t n) __attribute__((weak));
void __interceptor_free(void *p) __attribute__((weak));
void *__libc_malloc(size_t n) __attribute__((weak));
void *__libc_calloc(size_t n, size_t size) __attribute__((weak));
void *__libc_realloc(void *p, size_t n) __attribute__((weak));
void __libc_free(void *p) __attribute__((weak));

/* Any thread. */
BARE static inline void count_blocks(int n)
{
    (void)__atomic_fetch_add(&memory.blocks, n, __ATOMIC_RELAXED);
}

#define REAL(name) (__interceptor_##name ? __interceptor_##name : __libc_##name)

BARE void *malloc(size_t n)
{
    void *p = memory_refuses_to(__builtin_return_address(0)) ? NULL : REAL(malloc)(n);
    count_blocks(p != NULL);
    return p;
}

BARE void *calloc(size_t n, size_t size)
{
    void *p = memory_refuses_to(__builtin_return_address(0)) ? NULL : REAL(calloc)(n, size);
    count_blocks(p != NULL);
    return p;
}

BARE void *realloc(void *old, size_t n)
{
    void *p = memory_refuses_to(__builtin_return_address(0)) ? NULL : REAL(realloc)(old, n);
    count_blocks((!old && p) - (old && !p && n == 0));
    return p;
}

BARE void free(void *p)
{
    count_blocks(-(p != NULL));
    REAL(free)(p);
}

/* The sanitizers' own take memory beside malloc(). */
BARE char *strndup(const char *text, size_t max)
{
    size_t n = strnlen(text, max);
    char *copy = malloc(n + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, n);
    copy[n] = '\0';
    return copy;
}

BARE char *strdup(const char *text)
{
    return strndup(text, SIZE_MAX);
}

char *realpath(const char *path, char *to)
{
    char *real = canonicalize_file_name(path);
    if (!real || !to)
        return real;
    (void)stpncpy(to, real, PATH_MAX);
    free(real);
    return to;
}

/* ---- the arena ------------------------------------------------------------------------------ */

void *__real_arena_alloc_more(struct arena *a, size_t n);
void *__real_arena_zalloc(struct arena *a, size_t n);
void *__real_arena_array(struct arena *a, size_t count, size_t size);
char *__real_arena_strdup(struct arena *a, struct str s);
void *__wrap_arena_alloc_more(struct arena *a, size_t n);
void *__wrap_arena_zalloc(struct arena *a, size_t n);
void *__wrap_arena_array(struct arena *a, size_t count, size_t size);
char *__wrap_arena_strdup(struct arena *a, struct str s);

static inline bool arena_refuses(struct arena *a)
{
    if (!memory_refuses())
        return false;
    a->refused = RC_NOMEM;
    return true;
}

/* Returns `p`. With no room to be seen, arena_alloc() goes through arena_alloc_more(). */
static inline void *hide_room(struct arena *a, void *p)
{
    a->end = a->at;
    return p;
}

void *__wrap_arena_alloc_more(struct arena *a, size_t n)
{
    return arena_refuses(a) ? NULL : hide_room(a, __real_arena_alloc_more(a, n));
}

void *__wrap_arena_zalloc(struct arena *a, size_t n)
{
    return arena_refuses(a) ? NULL : hide_room(a, __real_arena_zalloc(a, n));
}

void *__wrap_arena_array(struct arena *a, size_t count, size_t size)
{
    return arena_refuses(a) ? NULL : hide_room(a, __real_arena_array(a, count, size));
}

char *__wrap_arena_strdup(struct arena *a, struct str s)
{
    return arena_refuses(a) ? NULL : hide_room(a, __real_arena_strdup(a, s));
}

#endif
