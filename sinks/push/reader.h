/* Reading a destination's JSON, so that every refusal names the place at fault. Private to sinks/push. */
#ifndef LEADPIPE_PUSH_READER_H
#define LEADPIPE_PUSH_READER_H

#include "core/base/option.h"
#include "core/json/json.h"
#include "core/json/json_pointer.h"
#include "core/provider/profile.h"

/* A parameter of the target: param=NAME=VALUE. */
struct param {
    struct str name, value; /* NUL behind both */
    bool is_used;
};

struct reader {
    struct arena *arena; /* where texts and lists go */
    const char *source;  /* "slack", "my.json" */
    const struct profile *profile;
    struct param *params;
    size_t n_params;
    const struct str *take; /* members of the token's answer: names in braces, too */
    size_t n_take;
    bool one_item;   /* a request has one item: names in braces may be columns */
    unsigned *needs; /* of enum sink_wants */
    struct err *err;
};

/* A value and the way to it. */
struct member {
    const struct member *up; /* NULL: the whole destination */
    const char *name;        /* as a member; NULL: as an element */
    size_t index;
    const cJSON *json; /* NULL: absent */
};

struct member member_of(const struct member *object, const char *name);

/* For walking the elements of an array or the members of an object: the first, and the one behind it. */
struct member member_first(const struct member *list);
void member_next(struct member *element);

/* Appends the JSON pointer of the place; `top` is what it begins at, NULL: the whole destination. */
void member_write_way(struct buf *b, const struct member *at, const struct member *top);

/* "my.json: /item/id: TEXT"; returns RC_USAGE. */
enum rc member_refuse(const struct reader *r, const struct member *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As member_refuse() for a name that is none of `names`, which are separated by blanks: WHAT, the nearest
 * of them, and all of them: 'unknown member "batchs"; did you mean "batch"? (allowed: ...)'. */
enum rc member_unknown(const struct reader *r, const struct member *at, const char *what,
                       struct str given, const char *names);

/* Is `name` one of these? */
bool member_is_named(const char *names, struct str name);

/* An object that has no member but those in `allowed` ("name url"). */
enum rc member_object(const struct reader *r, const struct member *at, const char *allowed);

/* An array of `min` to `max` elements. */
enum rc member_list(const struct reader *r, const struct member *at, size_t min, size_t max,
                    size_t *n);

/* A text of 1 to `max` bytes without control characters. An absent one is refused. */
enum rc member_text(const struct reader *r, const struct member *at, size_t max, struct str *out);

/* One of `names`, which are separated by blanks: which of them, from 0. */
enum rc member_choice(const struct reader *r, const struct member *at, const char *names,
                      unsigned *out);

/* A whole number. */
enum rc member_whole(const struct reader *r, const struct member *at, uint64_t min, uint64_t max,
                     uint64_t *out);

enum rc member_boolean(const struct reader *r, const struct member *at, bool *out);
enum rc member_pointer(const struct reader *r, const struct member *at, struct json_pointer *out);

/* What `fn` makes of each element, `bytes` each; an absent array is empty, a given one has at least one. */
typedef enum rc (*member_fn)(const struct reader *r, const struct member *at, void *out);
enum rc member_each(const struct reader *r, const struct member *at, size_t max, size_t bytes,
                    member_fn fn, void **out, size_t *n);

/* The value of a parameter, which counts as used; NULL: it was not given. */
const struct param *reader_param(const struct reader *r, struct str name);

/* A copy with a NUL behind it. RC_NOMEM. */
enum rc reader_copy(const struct reader *r, struct str text, struct str *out);

#endif
