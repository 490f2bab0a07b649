/* Which lists `leadpipe list` reads: the values of --param, and times. */
#ifndef LEADPIPE_CMD_LIST_LISTS_H
#define LEADPIPE_CMD_LIST_LISTS_H

#include "core/base/option.h"
#include "core/provider/profile.h"

#define LISTS_MAX 10000

/* For each list a value for each of the profile's parameters, absent where it is in the list's elements. A
 * parameter of the list's URL may have several values: every combination is a list. *out is the caller's to free;
 * the texts are those of `params` ("NAME=VALUE"). RC_USAGE, RC_NOMEM. */
enum rc lists_of(const struct profile *p, const struct text_list *params, struct str **out,
                 size_t *n_lists, struct err *e);

/* Milliseconds since 1970: of a duration before `now_ms`, a date at its beginning in UTC, or a time of RFC 3339.
 * RC_USAGE, about `option`. */
enum rc list_time(const char *option, const char *text, int64_t now_ms, int64_t *out_ms,
                  struct err *e);

#endif
