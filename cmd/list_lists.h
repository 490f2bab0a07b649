/* Which lists `leadpipe list` and --all read: the values of --param, and times. */
#ifndef LEADPIPE_CMD_LIST_LISTS_H
#define LEADPIPE_CMD_LIST_LISTS_H

#include "core/base/option.h"
#include "core/provider/profile.h"

#define LISTS_MAX 10000

/* *out: for each list one value for each of the profile's parameters, absent if the value comes from the list's elements. A
 * parameter of the list's URL may have several values: each combination is a list. The caller frees *out; its texts point
 * into `params` ("NAME=VALUE"). RC_USAGE, RC_NOMEM. */
enum rc lists_of(const struct profile *p, const struct text_list *params, struct str **out,
                 size_t *n_lists, struct err *e);

/* Converts `text` to milliseconds since 1970: a duration before `now_ms`, a date (its beginning in UTC), or an RFC 3339
 * time. RC_USAGE: it is none of these; the message names `option`. */
enum rc list_time(const char *option, const char *text, int64_t now_ms, int64_t *out_ms,
                  struct err *e);

#endif
