/* What goes wrong, and when: $FAULTFS_RULES, counted call by call, logged in $FAULTFS_LOG. */
#ifndef FAULTFS_RULES_H
#define FAULTFS_RULES_H

#include <stddef.h>

enum op { OP_WRITE, OP_TRUNCATE, OP_SYNC, OP_CREATE, OP_RENAME, OP_UNLINK, OP_N };

struct verdict {
    int errnum;       /* not 0: the call fails with it */
    size_t bytes;     /* of a write: so many and no more */
    const char *kill; /* NULL, or when the process dies: "before", "mid", "after" */
};

/* Decides one call on the path; may not return. A write of `bytes`; 0 for other calls. */
struct verdict rules_apply(enum op op, const char *path, size_t bytes);

/* The second half of it: dies if that was to happen after the call. */
void rules_after(const struct verdict *v);

_Noreturn void rules_die(void);

#endif
