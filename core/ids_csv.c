#include "ids_csv.h"

#include <string.h>

/* A field without quotes, up to its delimiter. */
static void plain_field(struct csv_record *r, struct csv_field *out)
{
    char *from = r->at;
    char *to = memchr(from, r->delimiter, (size_t)(r->end - from));
    r->over = !to;
    if (!to)
        to = r->end;
    r->at = r->over ? to : to + 1;
    while (to > from && csv_blank(to[-1], r->delimiter))
        to--;
    *out = (struct csv_field){from, (size_t)(to - from), false};
}

/* A field whose opening quote is at `r->at`. What is read is never behind what is written. */
static void quoted_field(struct csv_record *r, struct csv_field *out)
{
    char *from = r->at;
    char *to = from;
    enum csv_state state = CSV_START;
    bool junk = false;
    for (; r->at < r->end; r->at++) {
        enum csv_state before = state;
        state = csv_step(state, *r->at, r->delimiter);
        if (state == CSV_START)
            break;
        if (state == CSV_QUOTED && before != CSV_START)
            *to++ = *r->at;
        junk = junk || state == CSV_JUNK;
    }
    r->over = r->at == r->end;
    if (!r->over)
        r->at++;
    *out = (struct csv_field){from, (size_t)(to - from), junk || state == CSV_QUOTED};
}

bool csv_next(struct csv_record *record, struct csv_field *out)
{
    if (record->over)
        return false;
    while (record->at < record->end && csv_blank(*record->at, record->delimiter))
        record->at++;
    if (record->at < record->end && *record->at == '"')
        quoted_field(record, out);
    else
        plain_field(record, out);
    return true;
}
