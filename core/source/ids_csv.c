#include "core/source/ids_csv.h"

#include <string.h>

size_t csv_fields(const char *p, size_t n, char delimiter)
{
    enum csv_state state = CSV_START;
    size_t fields = 1;
    for (const char *end = p + n; p < end && state < CSV_MALFORMED; p++) {
        state = csv_step(state, *p, delimiter);
        fields += state == CSV_START && *p == delimiter;
    }
    return fields;
}

/* Takes a field without quotes, up to its delimiter. */
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
    *out = (struct csv_field){from, (size_t)(to - from)};
}

/* Takes a field whose opening quote is at `r->at`, in place: writing never overtakes reading. */
static void quoted_field(struct csv_record *r, struct csv_field *out)
{
    char *from = r->at;
    char *to = from;
    enum csv_state state = CSV_START;
    for (; r->at < r->end; r->at++) {
        enum csv_state before = state;
        state = csv_step(state, *r->at, r->delimiter);
        if (state == CSV_START || state >= CSV_MALFORMED)
            break;
        if (state == CSV_QUOTED && before != CSV_START)
            *to++ = *r->at;
    }
    r->over = r->at == r->end;
    if (!r->over)
        r->at++;
    *out = (struct csv_field){from, (size_t)(to - from)};
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
