/* What must be known of a payload that only passes through, seen while its text is scanned, so that
 * it needs no tree. Private to core/flatten. */
#ifndef LEADPIPE_PRESCAN_H
#define LEADPIPE_PRESCAN_H

#include "core/lead.h"
#include "core/provider/profile.h"

#define PRESCAN_MEMBERS_MAX 16

enum prescan_what { PRESCAN_SUCCESS, PRESCAN_REQUIRED, PRESCAN_OWN_ID };

/* One member of the body that decides about the answer. */
struct prescan_member {
    enum prescan_what what;
    struct str *names; /* from the body's outermost object; none: the body itself */
    size_t n_names;
};

struct prescan {
    struct prescan_member items[PRESCAN_MEMBERS_MAX];
    size_t n;
    bool possible; /* false: the profile asks for what only a tree shows */
};

/* Memory comes from `a`. */
enum rc prescan_make(struct prescan *out, struct arena *a, const struct profile *p);

/* Scans lead->body. *enough: it is a payload in which nothing is out of the ordinary, and lead->doc
 * has its compact text, and lead->other_id may point into lead->body; otherwise only a tree can show that.
 * Errors as json_parse(). */
enum rc prescan_run(const struct prescan *prescan, struct lead *lead, bool *enough, struct err *e);

#endif
