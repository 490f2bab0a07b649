/* One walk over a payload, which makes its rows. Private to core/flatten. */
#ifndef LEADPIPE_WALK_H
#define LEADPIPE_WALK_H

#include "core/flatten/plan.h"

/* Bytes of values that rows show of elements above them (a group's conditions in every item), in
 * one lead: so that a small payload cannot become an endless output. */
#define WALK_REPEATED_BYTES_MAX ((uint64_t)256 << 20)

/* Sets lead->tables. RC_NOMEM, RC_LIMIT. */
enum rc walk_payload(const struct flatten_plan *plan, struct lead *lead, struct err *e);

/* ---- cells (cell.c) ------------------------------------------------------------------------- */

/* A value as a cell; expiring URLs inside it as the rules say. `is_expiring`: it is such a URL;
 * `is_url_element`: it is an object that may have some. False: no memory. */
bool cell_make(const struct signed_url_rules *urls, struct arena *a, const cJSON *value,
               bool is_expiring, bool is_url_element, struct cell *out);

/* A whole number. False: no memory. */
bool cell_number(struct arena *a, uint32_t n, struct cell *out);

/* About as many bytes as it takes to write the cell. */
uint64_t cell_weight(const struct cell *c);

/* Null, boolean, number or text. */
bool value_is_scalar(const cJSON *v);

/* The same JSON value, members in the same order. */
bool value_equal(const cJSON *a, const cJSON *b);

#endif
