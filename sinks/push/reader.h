/* Reading a destination's JSON. Private to sinks/push. */
#ifndef LEADPIPE_PUSH_READER_H
#define LEADPIPE_PUSH_READER_H

#include "core/base/option.h"
#include "core/json/member.h"
#include "core/provider/profile.h"

/* A parameter of the target: param=NAME=VALUE. */
struct param {
    struct str name, value; /* NUL behind both */
    bool is_used;
};

struct reader {
    struct member_reader json;
    const struct profile *profile;
    struct param *params;
    size_t n_params;
    const struct str *take; /* members of the token's answer: names in braces, too */
    size_t n_take;
    bool one_item;   /* a request has one item: names in braces may be columns */
    unsigned *needs; /* of enum sink_wants */
};

/* What `fn` makes of each element, `bytes` each; an absent array is empty, a given one has at least one. */
typedef enum rc (*member_fn)(const struct reader *r, const struct member *at, void *out);
enum rc member_each(const struct reader *r, const struct member *at, size_t max, size_t bytes,
                    member_fn fn, void **out, size_t *n);

/* The value of a parameter, which counts as used; NULL: it was not given. */
const struct param *reader_param(const struct reader *r, struct str name);

#endif
