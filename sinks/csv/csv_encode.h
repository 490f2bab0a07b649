/* Cells as CSV (RFC 4180): what is quoted, what is guarded, and nothing about files.
 *
 * A field is quoted only where it must be: it holds the delimiter, a quote, CR or LF, is the empty
 * string, or is not safe otherwise (excel_safe). Null and what is absent are empty without quotes.
 * Blanks at the ends are part of the field and need no quotes. All errors stick in the buffer. */
#ifndef LEADPIPE_CSV_ENCODE_H
#define LEADPIPE_CSV_ENCODE_H

#include "core/base/buf.h"
#include "core/lead.h"

struct csv_dialect {
    char delimiter;  /* ',', ';' or TAB */
    bool crlf;       /* rows end in CR LF, else in LF */
    bool excel_safe; /* texts that would be formulas get an apostrophe before them, and those that
                        hold one behind what may be taken for a delimiter are quoted */
};

/* Would a spreadsheet take this text for a formula? One that begins, leading blanks aside, with one
 * of = + - @ or their full-width forms, or with TAB, CR or LF (which some programs skip); but not a
 * number or a phone number ("+1 (678) 231-9992"). */
bool csv_is_formula(struct str text);

/* Would some of this text become a cell that is a formula, were it split at a comma, semicolon, tab,
 * bar, blank or line end? LibreOffice splits at the first three at once, and others guess. Within
 * quotes none of them splits. */
bool csv_may_split_into_formula(struct str text);

/* Appends one field, without a delimiter. `scratch` is for json values; its content goes. */
void csv_put_text(struct buf *out, const struct csv_dialect *d, struct str text);
void csv_put_cell(struct buf *out, const struct csv_dialect *d, const struct cell *cell,
                  struct buf *scratch);
/* `n` fields, each with a delimiter before it. */
void csv_put_cells(struct buf *out, const struct csv_dialect *d, const struct cell *cells, size_t n,
                   struct buf *scratch);

void csv_put_eol(struct buf *out, const struct csv_dialect *d);

#endif
