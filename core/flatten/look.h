/* What must be known of a payload that only passes through, seen while its text is scanned, so that
 * it needs no tree. Private to flatten. */
#ifndef LEADPIPE_LOOK_H
#define LEADPIPE_LOOK_H

#include "core/lead.h"
#include "core/provider/profile.h"

#define LOOKS_MAX 16

enum look_what { LOOK_SUCCESS, LOOK_REQUIRED, LOOK_OWN_ID };

/* One member of the body that decides about the answer. */
struct look {
    enum look_what what;
    struct str *names; /* from the body's outermost object; none: the body itself */
    size_t n_names;
};

struct looks {
    struct look items[LOOKS_MAX];
    size_t n;
    bool possible; /* false: the profile asks for what only a tree tells */
};

/* Memory comes from `a`. */
enum rc looks_make(struct looks *out, struct arena *a, const struct profile *p);

/* Scans lead->body. *enough: it is a payload in which nothing is out of the ordinary, and lead->doc
 * has its compact text, and lead->other_id may point into lead->body; otherwise only a tree can tell.
 * Errors as json_parse(). */
enum rc looks_scan(const struct looks *looks, struct lead *lead, bool *enough, struct err *e);

#endif
