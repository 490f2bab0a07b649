/* Where something is in a payload: "/lead/id", "/documents/" and "*" for every element.
 *
 * Absolute from the payload's root: "/" and a raw member name for each step, or "*" for every
 * element of an array; "~1" is a slash and "~0" a tilde in a name (RFC 6901); "" is the root. */
#ifndef LEADPIPE_PATH_H
#define LEADPIPE_PATH_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/base/str.h"

#define PATH_BYTES_MAX 4096
#define PATH_STEPS_MAX 32

struct path_step {
    struct str name; /* raw member name, NUL behind it; absent for "*" */
};

struct path {
    struct str text; /* as written in the profile */
    struct path_step *steps;
    size_t n_steps;
    size_t n_stars;
};

/* Memory comes from `a`; `text` is copied. RC_SYNTAX with what is wrong (no subject before it),
 * RC_NOMEM. */
enum rc path_parse(struct path *out, struct arena *a, struct str text, struct err *e);

static inline bool path_step_is_star(const struct path_step *s)
{
    return s->name.ptr == NULL;
}

/* Ends in "*". */
bool path_is_star(const struct path *p);

bool path_equal(const struct path *a, const struct path *b);

/* `p` begins with all of `prefix`. */
bool path_begins_with(const struct path *p, const struct path *prefix);

/* One value of `p` for each match of `each`: up to its last "*", `p` is the beginning of `each`. */
bool path_lies_on(const struct path *p, const struct path *each);

/* The value there, or NULL. "*" is the first element. */
const cJSON *path_find(const struct path *p, const cJSON *from);

#endif
