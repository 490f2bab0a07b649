/* JSON with directives in it, and what a lead becomes by it. docs/destinations.md describes them.
 *
 * A template is made once, checked against the columns of a profile and the parameters, and immutable: any
 * thread. What is written depends on the lead and the run alone, and is compact JSON; digits stay as they
 * came. */
#ifndef LEADPIPE_TEMPLATE_H
#define LEADPIPE_TEMPLATE_H

#include "core/base/buf.h"
#include "core/lead.h"
#include "core/provider/profile.h"

struct template; /* lives in the arena of its destination */

/* What directives read. */
struct template_input {
    const struct profile *profile;
    const struct lead *lead; /* with tables and a tree; NULL for what depends on no lead */
    const char *run_id;
    const char *exported_at; /* RFC 3339 */
};

/* Why a lead cannot be sent. */
struct template_fault {
    const char *code; /* static: "required", "map", "url" */
    char text[256];   /* one line, valid UTF-8: names the member of the item, and what is wrong with which
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
