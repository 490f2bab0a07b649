/* A compiled template. Private to sinks/push.
 *
 * What depends on neither lead nor run is compiled into its JSON text. A directive that gives one value
 * becomes a `struct value`, which is evaluated to a cell: nothing is allocated but in `out` and in the scratch
 * buffers of the input. */
#ifndef LEADPIPE_TEMPLATE_INTERNAL_H
#define LEADPIPE_TEMPLATE_INTERNAL_H

#include <stdatomic.h>

#include "core/json/json_pointer.h"
#include "sinks/push/reader.h"
#include "sinks/push/template.h"
#include "sinks/push/transform.h"

#define TEMPLATE_DEPTH_MAX 32 /* of values within each other */

/* ---- values --------------------------------------------------------------------------------- */

enum value_source {
    VALUE_CONSTANT,
    VALUE_KEY,     /* number `index` of the profile's key columns */
    VALUE_COLUMN,  /* number `index` of the table's documented columns */
    VALUE_EXTRA,   /* the undocumented column `name` */
    VALUE_PAYLOAD, /* what is at `pointer` */
    VALUE_CONCAT,  /* the texts of `parts` */
    VALUE_RUN_ID,
    VALUE_EXPORTED_AT,
};

enum value_as { AS_IS, AS_TEXT, AS_NUMBER, AS_BOOLEAN };

/* Where a map goes. */
struct value_mapping {
    struct str from;
    struct cell to;
};

struct value {
    enum value_source source;
    size_t index;
    struct str name;
    /* Where among the row's extras the column was last time; any thread. */
    _Atomic uint32_t *hint;
    struct json_pointer pointer;
    const struct value *parts;
    size_t n_parts;
    struct cell constant;
    const struct value *otherwise; /* `default`: takes its place where it is null; or NULL */
    const struct transform *steps; /* `do` */
    size_t n_steps;
    bool has_map, has_else;
    const struct value_mapping *map; /* in order of `from` */
    size_t n_map;
    struct cell map_else;
    enum value_as as;
    bool is_required;
    const char *where; /* the place within the item, for messages: "/properties/email" */
    const char *what;  /* "the column email" */
};

/* What evaluating needs. */
struct value_context {
    const struct template_input *in;
    const struct row *row; /* of a table: where columns are read; NULL: there is none */
    struct buf *scratch;   /* TEMPLATE_SCRATCH of them */
    struct template_fault *fault;
};

/* The value as a cell: CELL_NULL where there is none. It points into the lead, the template, or the scratch
 * buffers, up to the next call. RC_USAGE as *fault says; RC_NOMEM, RC_LIMIT. */
enum rc value_evaluate(const struct value *v, const struct value_context *c, struct cell *out);

/* ---- templates ------------------------------------------------------------------------------ */

enum template_kind {
    TEMPLATE_TEXT, /* compact JSON */
    TEMPLATE_OBJECT,
    TEMPLATE_ARRAY,
    TEMPLATE_VALUE,
    TEMPLATE_ROWS,
    TEMPLATE_ITEMS,
};

/* What becomes of null. */
struct null_rule {
    struct str text; /* what is written; absent: it is omitted */
    /* So is the element of an array that it is within, also where it is an empty text. */
    bool omits_element;
};

struct template
{
    enum template_kind kind;
    struct str
        text; /* TEMPLATE_TEXT; of VALUE and ROWS: what is written where they are null; absent: it is
                        omitted */
    struct str label;                    /* of a member of an object: "\"name\":" */
    const struct template *first, *next; /* OBJECT, ARRAY: the members or elements */
    const struct value *value;
    size_t table;               /* ROWS: number of the profile's table */
    const struct template *row; /* ROWS: of each row */
    bool only_first;
    bool omits_element; /* VALUE, ROWS: as null_rule */
};

/* Appends the text of a TEMPLATE_VALUE without quotes or escapes. Errors as template_write(). */
enum rc template_write_plain(const struct template *t, const struct template_input *in,
                             struct buf *out, bool *is_null, struct template_fault *fault);

/* ---- compiling ------------------------------------------------------------------------------ */

enum template_place {
    IN_ITEM,
    IN_BODY, /* what holds for all items of a request */
};

/* Compiles; memory is the reader's arena. *has_items: there is a {"$items": true}. RC_USAGE, RC_NOMEM. */
enum rc template_compile(const struct reader *r, const struct member *at, enum template_place place,
                         const struct template **out, bool *has_items);

/* A column of the profile's `leads` as a value; `what` is how the place names it. RC_USAGE: there can be
 * none of this name. */
enum rc value_compile_field(const struct reader *r, const struct member *at, struct str name,
                            size_t table, struct value *out);

/* The directive that an object is: its member that begins with one "$"; json NULL: it is none. RC_USAGE:
 * there are two. */
enum rc directive_of(const struct reader *r, const struct member *at, struct member *out);

struct value_scope {
    const struct member *top; /* where the template begins */
    enum template_place place;
    bool in_rows;
    bool in_element; /* of an array */
    size_t table;    /* of $field */
};

/* Is there such a directive, and may it stand here? RC_USAGE. */
enum rc directive_check(const struct reader *r, const struct value_scope *scope,
                        const struct member *directive);

/* A directive that gives one value. RC_USAGE, RC_NOMEM. */
enum rc value_compile(const struct reader *r, const struct value_scope *scope,
                      const struct member *at, const struct member *directive, struct value *out,
                      struct null_rule *null);

/* "null" of a directive. */
enum rc null_compile(const struct reader *r, const struct value_scope *scope,
                     const struct member *at, struct null_rule *out);

/* Compact JSON of a value without directives, in the arena. */
enum rc constant_compile(const struct reader *r, const struct member *at, struct str *out);

#endif
