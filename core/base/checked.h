/* Arithmetic on sizes and counts that come from outside: a state, a file, a server, an option. Each
 * function says whether the result fits, and sets *out only where it does. (C23 has this as
 * <stdckdint.h>.) */
#ifndef LEADPIPE_CHECKED_H
#define LEADPIPE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHECKED_FUNCTION(name, type, builtin)                                                      \
    static inline bool name(type a, type b, type *out)                                             \
    {                                                                                              \
        type result;                                                                               \
        if (builtin(a, b, &result))                                                                \
            return false;                                                                          \
        *out = result;                                                                             \
        return true;                                                                               \
    }

CHECKED_FUNCTION(size_add, size_t, __builtin_add_overflow)
CHECKED_FUNCTION(size_mul, size_t, __builtin_mul_overflow)
CHECKED_FUNCTION(u64_add, uint64_t, __builtin_add_overflow)
CHECKED_FUNCTION(u64_sub, uint64_t, __builtin_sub_overflow)
CHECKED_FUNCTION(u64_mul, uint64_t, __builtin_mul_overflow)
CHECKED_FUNCTION(i64_add, int64_t, __builtin_add_overflow)
CHECKED_FUNCTION(i64_mul, int64_t, __builtin_mul_overflow)

#undef CHECKED_FUNCTION

#endif
