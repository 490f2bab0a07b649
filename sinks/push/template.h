/* JSON with directives in it, and what a lead becomes by it. docs/destinations.md describes them.
 *
 * A template is made once, checked against the columns of a profile and the parameters, and immutable: any
 * thread. What is written depends on the lead and the run alone, and is compact JSON; digits stay as they
 * came.
 *
 * A value that is omitted is left out of its object or array, which stay, be they empty. */
#ifndef LEADPIPE_TEMPLATE_H
#define LEADPIPE_TEMPLATE_H

#include "core/base/buf.h"
#include "core/lead.h"
#include "core/provider/profile.h"

struct template; /* lives in the arena of its destination */

#define TEMPLATE_SCRATCH 3

/* What directives read. */
struct template_input {
    const struct profile *profile;
    const struct lead *lead; /* with tables and a tree; NULL for what depends on no lead */
    const char *run_id;
    const char *exported_at; /* RFC 3339 */
    /* TEMPLATE_SCRATCH of them, for what transforms and $concat make: they keep their memory from one call to
     * the next, and one thread at a time uses them. NULL: each call allocates what it needs. */
    struct buf *scratch;
};

#define TEMPLATE_SCRATCH_BYTES_MAX ((size_t)64 << 20) /* what their maximum should be */

/* Why a lead cannot be sent. */
struct template_fault {
    const char *code; /* static: "required", "map", "do", "as", "url", "header" */
    char text
        [256]; /* one line, valid UTF-8: names the member of the item, and what is wrong with which
                         column */
};

/* Appends the value. RC_USAGE: the lead cannot be sent, as *fault says; RC_LIMIT, RC_NOMEM: of the
 * buffer. On failure `out` may hold a part. */
enum rc template_write(const struct template *t, const struct template_input *in, struct buf *out,
                       struct template_fault *fault);

/* Of a template with {"$items": true} in it: what stands before and what behind the array's elements, the
 * brackets included. */
enum rc template_write_around(const struct template *t, const struct template_input *in,
                              struct buf *before, struct buf *behind, struct template_fault *fault);

#endif
