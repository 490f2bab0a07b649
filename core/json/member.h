/* Reading a JSON document that a user has written, member by member, so that every refusal names the place at fault
 * by its JSON pointer (RFC 6901). */
#ifndef LEADPIPE_MEMBER_H
#define LEADPIPE_MEMBER_H

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/json/json.h"
#include "core/json/json_pointer.h"

struct member_reader {
    struct arena *arena; /* where texts and lists go */
    const char *source;  /* what is read: "omni", "my.json" */
    struct err *err;
};

/* A value and the way to it. */
struct member {
    const struct member *up; /* NULL: the whole document */
    const char *name;        /* as a member; NULL: as an element */
    size_t index;
    const cJSON *json; /* NULL: absent */
};

struct member member_of(const struct member *object, const char *name);

/* For walking the elements of an array or the members of an object: the first, and the one behind it. */
struct member member_first(const struct member *list);
void member_next(struct member *element);

/* Appends the JSON pointer of the place; `top` is what it begins at, NULL: the whole document. */
void member_write_way(struct buf *b, const struct member *at, const struct member *top);

/* ---- refusing: RC_USAGE, or RC_NOMEM ---- */

/* "my.json: /item/id: TEXT" */
enum rc member_refuse(const struct member_reader *r, const struct member *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As member_refuse() for a name that is none of `names`, which are separated by blanks: WHAT, the nearest
 * of them, and all of them: 'unknown member "batchs"; did you mean "batch"? (allowed: ...)'. */
enum rc member_unknown(const struct member_reader *r, const struct member *at, const char *what,
                       struct str given, const char *names);

/* Is `name` one of these? */
bool member_is_named(const char *names, struct str name);

/* ---- kinds of values; what is absent is refused, too ---- */

/* An object that has no member but those in `allowed` ("name url"). */
enum rc member_object(const struct member_reader *r, const struct member *at, const char *allowed);

/* An array of `min` to `max` elements. */
enum rc member_list(const struct member_reader *r, const struct member *at, size_t min, size_t max,
                    size_t *n);

/* A text of at most `max` bytes without control characters, with a NUL behind it. */
enum rc member_text(const struct member_reader *r, const struct member *at, size_t max,
                    struct str *out);
/* One that is not empty. */
enum rc member_some_text(const struct member_reader *r, const struct member *at, size_t max,
                         struct str *out);

/* One of `names`, which are separated by blanks: which of them, from 0. */
enum rc member_choice(const struct member_reader *r, const struct member *at, const char *names,
                      unsigned *out);

/* A whole number. */
enum rc member_whole(const struct member_reader *r, const struct member *at, uint64_t min,
                     uint64_t max, uint64_t *out);

enum rc member_boolean(const struct member_reader *r, const struct member *at, bool *out);
enum rc member_pointer(const struct member_reader *r, const struct member *at,
                       struct json_pointer *out);

/* A copy with a NUL behind it. RC_NOMEM. */
enum rc member_copy(const struct member_reader *r, struct str text, struct str *out);

#endif
