/* A CSV parser (RFC 4180), byte by byte. Private to core/source.
 *
 * More lenient than the RFC in one way: blanks around a field are ignored, but not within quotes. A tab that
 * is the delimiter is not a blank. LF, CRLF and CR end a line. */
#ifndef LEADPIPE_IDS_CSV_H
#define LEADPIPE_IDS_CSV_H

#include <stdbool.h>
#include <stddef.h>

enum csv_state {
    CSV_START,  /* at the beginning of a field, or in blanks there */
    CSV_PLAIN,  /* in a field without quotes */
    CSV_QUOTED, /* within quotes */
    CSV_QUOTE,  /* after a quote within quotes: the closing one, or the first half of "" */
    CSV_AFTER,  /* in blanks after the closing quote */

    /* From here on the record is malformed, and csv_step() must not be called any more. */
    CSV_MALFORMED,
    CSV_STRAY_QUOTE = CSV_MALFORMED, /* a quote in a field that does not begin with one */
    CSV_TEXT_BEHIND,                 /* text after the closing quote */
    CSV_CONTROL,                     /* a control character outside quotes, or NUL */
    CSV_NOT_CLOSED,                  /* found by the reader: the input ends within quotes */
    CSV_JOINED, /* found by the reader: quotes join lines, and the number of fields differs from
                   the header's */
};

static inline bool csv_line_end(char c)
{
    return c == '\n' || c == '\r';
}

static inline bool csv_blank(char c, char delimiter)
{
    return c == ' ' || (c == '\t' && delimiter != '\t');
}

/* Is it an ordinary character? A record that has only these and delimiters can simply be split at its delimiters. */
static inline bool csv_is_plain(char c)
{
    return ((unsigned char)c >= 0x20 && c != '"') || c == '\t';
}

/* The state after `c`. A delimiter or line end outside quotes leads to CSV_START. */
static inline enum csv_state csv_step(enum csv_state state, char c, char delimiter)
{
    if (c == '\0')
        return CSV_CONTROL;
    if (state == CSV_QUOTED)
        return c == '"' ? CSV_QUOTE : CSV_QUOTED;
    if (state == CSV_QUOTE && c == '"')
        return CSV_QUOTED;
    if (c == delimiter || csv_line_end(c))
        return CSV_START;
    if (csv_blank(c, delimiter))
        return state == CSV_QUOTE ? CSV_AFTER : state;
    if ((unsigned char)c < 0x20)
        return CSV_CONTROL;
    if (state == CSV_START)
        return c == '"' ? CSV_QUOTED : CSV_PLAIN;
    if (state == CSV_PLAIN)
        return c == '"' ? CSV_STRAY_QUOTE : CSV_PLAIN;
    return CSV_TEXT_BEHIND;
}

/* The number of fields in the `n` bytes of a record; of a malformed one, up to the fault. */
size_t csv_fields(const char *p, size_t n, char delimiter);

/* One well-formed record, whose fields are taken one by one. Modifies the text: "" becomes ". */
struct csv_record {
    char *at, *end; /* the record without its line end */
    char delimiter;
    bool over; /* the last field has been taken */
};

struct csv_field {
    const char *ptr;
    size_t len;
};

/* False: there are no more. Every record has at least one field. */
bool csv_next(struct csv_record *record, struct csv_field *out);

#endif
