/* Parts of a destination's reader. Private to sinks/push. */
#ifndef LEADPIPE_DESTINATION_INTERNAL_H
#define LEADPIPE_DESTINATION_INTERNAL_H

#include "sinks/push/destination.h"
#include "sinks/push/template_internal.h"

/* The destinations in sinks/push/destinations/, as bytes; made by cmake/embed.cmake. */
extern const struct builtin destination_builtins[]; /* by name; ends with a NULL name */

/* What the names in braces of a text may be, beside parameters. */
enum text_use {
    TEXT_URL,       /* what a token's answer had; with one item a request, columns */
    TEXT_HEADER,    /* the same */
    TEXT_TOKEN_URL, /* nothing else */
    TEXT_SCOPE,     /* nothing else; no URL */
};

/* Reads a text with names in braces. RC_USAGE, RC_NOMEM. */
enum rc text_template_read(const struct reader *r, const struct member *at, enum text_use use,
                           struct text_template *out);

/* Everything in "auth", with "url_env" and "url_file" of the top, is read before `url`. */
enum rc auth_read(const struct reader *r, const struct member *at, struct destination_auth *out);

/* NAME_env or NAME_file of an object (`name` "" is "env", "file"): exactly one. *is_given false: neither; an
 * error where `is_needed`. */
enum rc credential_read(const struct reader *r, const struct member *object, const char *name,
                        bool is_needed, struct credential_place *out, bool *is_given);

/* [403, "REQUEST_LIMIT_EXCEEDED"] each. */
enum rc matches_read(const struct reader *r, const struct member *at,
                     const struct answer_match **out, size_t *n);

/* "answer". `item` is the item's JSON. */
enum rc answer_read(const struct reader *r, const struct member *at, const struct member *item,
                    size_t max_items, struct answer_rules *out);

/* A pointer into an item: the template must have a value there. */
enum rc item_pointer_read(const struct reader *r, const struct member *at,
                          const struct member *item, struct json_pointer *out);

/* Fills `d` from the tree. */
enum rc destination_read(struct reader *r, const struct member *top, struct destination *d);

#endif
