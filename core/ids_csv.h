/* RFC 4180, byte by byte. Private to core/ids*.c.
 *
 * Kinder than the RFC in two ways: blanks around a field do not count (within quotes they do), and
 * a quote within an unquoted field is itself. A tab is no blank where it is the delimiter. */
#ifndef LEADPIPE_IDS_CSV_H
#define LEADPIPE_IDS_CSV_H

#include <stdbool.h>
#include <stddef.h>

enum csv_state {
    CSV_START,  /* of a field, or blanks there */
    CSV_PLAIN,  /* in a field without quotes */
    CSV_QUOTED, /* within quotes */
    CSV_QUOTE,  /* behind a quote within quotes: their end, or the first half of "" */
    CSV_AFTER,  /* blanks behind the closing quote */
    CSV_JUNK,   /* something else behind it */
};

static inline bool csv_blank(char c, char delimiter)
{
    return c == ' ' || (c == '\t' && delimiter != '\t');
}

/* The state behind `c`. A delimiter or line feed outside quotes leads to CSV_START. */
static inline enum csv_state csv_step(enum csv_state state, char c, char delimiter)
{
    if (state == CSV_QUOTED)
        return c == '"' ? CSV_QUOTE : CSV_QUOTED;
    if (state == CSV_QUOTE && c == '"')
        return CSV_QUOTED;
    if (c == delimiter || c == '\n')
        return CSV_START;
    if (state == CSV_START)
        return c == '"' ? CSV_QUOTED : csv_blank(c, delimiter) ? CSV_START : CSV_PLAIN;
    if (state == CSV_PLAIN || state == CSV_JUNK)
        return state;
    return csv_blank(c, delimiter) ? CSV_AFTER : CSV_JUNK;
}

/* One record, whose fields are taken out one by one. The text is written to: "" becomes ". */
struct csv_record {
    char *at, *end; /* the record without its line end */
    char delimiter;
    bool over; /* the last field was taken */
};

struct csv_field {
    const char *ptr;
    size_t len;
    bool malformed; /* quotes not closed, or something behind the closing one */
};

/* False: there are no more. Every record has at least one field. */
bool csv_next(struct csv_record *record, struct csv_field *out);

#endif
