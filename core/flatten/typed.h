/* What a cell becomes in a column that has a type: a value of that type, null, or a misfit.
 *
 * A typed value is the cell's value, exactly, or there is none. A misfit is never lost and never fails
 * the lead: its cell is null, and the row's column "_misfits" holds {"column": value}.
 *
 *   text          Anything. Texts as they are, digits and literals as received, objects and arrays as
 *                 compact JSON.
 *   integer       A number that is whole and has 64 bits, however it is written: 5, 5.0, 5e0, -0
 *                 (which is 0). Not: 1.5, 9223372036854775808, 1e400.
 *   number        Any number that the target can hold. As a double: one whose shortest decimal form is
 *                 the same number (0.1, 1e22, 9007199254740992; not 9007199254740993, 1e400, 1e-400,
 *                 0.1000000000000000055). As a decimal: one that is not too long for it.
 *   boolean       true and false. Not: 0, 1, "no", "True".
 *   timestamp     A text that is a time of RFC 3339 (core/base/rfc3339.h says which). Not: a date
 *                 alone, a time without an offset, a leap second, a fraction with more than six
 *                 digits (but for zeros), a number.
 *   timestamp-s   A number of seconds since 1970-01-01T00:00:00Z that is a whole number of
 *   timestamp-ms  microseconds; a number of milliseconds likewise. Not: a text of RFC 3339.
 *                 All three: within the time that the target can hold.
 *   json          Anything, also a text, which becomes a JSON string. Where the target does not keep
 *                 numbers as they are written: not one that holds a number too long for it.
 *
 * null, and a member that is absent, are null in every type. A text counts as the number, true or
 * false that it spells in JSON, exactly ("42", "1e3", "true"), because providers send either: no blank
 * around it, no "+", no zero before other digits ("007" is no number), no "True", and "" is none.
 *
 * Pure; any thread; no memory; no locale. */
#ifndef LEADPIPE_TYPED_H
#define LEADPIPE_TYPED_H

#include "core/lead.h"
#include "core/provider/column_type.h"

/* What a target can hold. Its integers have 64 bits, its times are microseconds. */
struct typed_target {
    bool has_decimals; /* its numbers are decimals; else doubles */
    bool json_numbers; /* numbers within its json are such decimals, too (PostgreSQL's jsonb); else
                          they are kept as they are written */
    /* Of a decimal; 0: any number of digits. See number_extent(). */
    int64_t whole_digits_max, fraction_digits_max;
    int64_t time_min_us, time_max_us;
};

enum typed_kind {
    TYPED_NULL,
    TYPED_MISFIT,
    TYPED_TEXT, /* typed_write_text() */
    TYPED_INTEGER,
    TYPED_DOUBLE,
    TYPED_DECIMAL, /* typed_write_text(): JSON's number syntax */
    TYPED_BOOLEAN,
    TYPED_TIME,
    TYPED_JSON, /* typed_write_json() */
};

struct typed {
    enum typed_kind kind;
    union {
        int64_t integer;
        double number; /* finite */
        bool boolean;
        int64_t time_us; /* since 1970-01-01T00:00:00Z */
    } u;
};

struct typed typed_of(const struct typed_target *target, enum column_type type,
                      const struct cell *cell);

/* Appends a cell that is neither absent nor null: as text, and as compact JSON. Errors stay in the
 * buffer. */
void typed_write_text(struct buf *b, const struct cell *cell);
void typed_write_json(struct buf *b, const struct cell *cell);

/* The column "_misfits" of one row: misfits_add() for each misfit, in order, then misfits_end(). A row
 * without misfits has null there: *b is as before both. A value that the target's json cannot hold is a
 * JSON string with the text that it has in JSON. Errors stay in the buffer. */
struct misfits {
    struct buf *b;
    unsigned n;
};

void misfits_add(struct misfits *m, const struct typed_target *target, struct str column,
                 const struct cell *cell);
void misfits_end(struct misfits *m);

#endif
