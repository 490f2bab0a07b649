/* A JSON value in a column of a type, as a line of text, for the tests of typed cells:
 *
 *   null | misfit {"c":"no"} | text 5 | integer 5 | double 0x1p+0 | decimal 1.50 | boolean true |
 *   time 1769738400000000 | json {"a":1} */
#ifndef LEADPIPE_TESTS_TYPED_TEXT_H
#define LEADPIPE_TESTS_TYPED_TEXT_H

#include <inttypes.h>

#include "core/base/rfc3339.h"
#include "core/flatten/typed.h"
#include "core/flatten/walk.h"

static const struct {
    const char *name;
    struct typed_target target;
} typed_targets[] = {
    {"doubles", {.time_min_us = TIME_YEAR_1_US, .time_max_us = TIME_YEAR_9999_END_US}},
    {"decimals", {.has_decimals = true, .time_min_us = INT64_MIN, .time_max_us = INT64_MAX}},
    /* what PostgreSQL's numeric, jsonb and timestamptz hold */
    {"postgres",
     {.has_decimals = true,
      .json_numbers = true,
      .whole_digits_max = 131072,
      .fraction_digits_max = 16383,
      .time_min_us = INT64_C(-210866803200000000),
      .time_max_us = INT64_MAX}},
};

#define TYPED_TARGETS (sizeof typed_targets / sizeof *typed_targets)

static inline void typed_add(struct buf *b, const struct typed_target *target,
                             enum column_type type, const struct cell *cell)
{
    static const char *const kinds[] = {
        [TYPED_NULL] = "null",        [TYPED_MISFIT] = "misfit ", [TYPED_TEXT] = "text ",
        [TYPED_INTEGER] = "integer ", [TYPED_DOUBLE] = "double ", [TYPED_DECIMAL] = "decimal ",
        [TYPED_BOOLEAN] = "boolean ", [TYPED_TIME] = "time ",     [TYPED_JSON] = "json ",
    };
    struct typed v = typed_of(target, type, cell);
    struct misfits misfits = {.b = b};
    buf_adds(b, kinds[v.kind]);
    switch (v.kind) {
    case TYPED_NULL:
        return;
    case TYPED_MISFIT:
        misfits_add(&misfits, target, STR("c"), cell);
        misfits_end(&misfits);
        return;
    case TYPED_TEXT:
    case TYPED_DECIMAL:
        typed_write_text(b, cell);
        return;
    case TYPED_INTEGER:
        buf_addf(b, "%" PRId64, v.u.integer);
        return;
    case TYPED_DOUBLE:
        buf_addf(b, "%a", v.u.number);
        return;
    case TYPED_BOOLEAN:
        buf_adds(b, v.u.boolean ? "true" : "false");
        return;
    case TYPED_TIME:
        buf_addf(b, "%" PRId64, v.u.time_us);
        return;
    case TYPED_JSON:
        typed_write_json(b, cell);
        return;
    }
}

/* Appends the line of a JSON text; RC_OK, or why it is no JSON. "absent" is a cell that is absent. */
static inline enum rc typed_line(struct buf *b, const struct typed_target *target,
                                 enum column_type type, struct str json, struct err *e)
{
    static const struct signed_url_rules keep = {.mode = SIGNED_URLS_KEEP};
    struct cell cell = {.kind = CELL_ABSENT};
    struct arena a;
    struct json_doc doc = {.root = NULL};
    arena_init(&a, (size_t)256 << 20);
    enum rc rc = RC_OK;
    if (!str_eq_c(json, "absent")) {
        rc = json_parse(&a, json, JSON_TREE, &doc, e);
        if (rc == RC_OK && !cell_make(&keep, &a, doc.root, false, false, &cell))
            rc = err_nomem(e);
    }
    if (rc == RC_OK)
        typed_add(b, target, type, &cell);
    arena_free(&a);
    return rc == RC_OK ? buf_rc(b) : rc;
}

#endif
