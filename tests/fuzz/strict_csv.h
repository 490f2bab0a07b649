/* CSV as RFC 4180 has it, read strictly, for the fuzz targets alone. */
#ifndef LEADPIPE_TESTS_FUZZ_STRICT_CSV_H
#define LEADPIPE_TESTS_FUZZ_STRICT_CSV_H

#include <stdbool.h>
#include <string.h>

#include "core/base/arena.h"
#include "fuzz.h"

struct csv_form {
    char delimiter;
    const char *eol;
    bool bom;
};

struct csv_field {
    struct str text; /* without the quotes around it and the second of each pair within */
    bool quoted;
};

struct csv_table {
    struct csv_field *fields; /* n_rows rows of n_columns */
    size_t n_rows, n_columns;
};

struct csv_reader {
    const struct csv_form *form;
    struct arena *arena;
    const char *p, *end;
};

/* Behind the field there is a delimiter, or the end of the row. */
static inline bool csv_is_end(const struct csv_reader *r)
{
    size_t n = strlen(r->form->eol);
    return r->p < r->end && (*r->p == r->form->delimiter ||
                             ((size_t)(r->end - r->p) >= n && memcmp(r->p, r->form->eol, n) == 0));
}

/* Bytes of a quoted field, its quotes included, at most. */
static inline size_t csv_quoted_bytes(const struct csv_reader *r)
{
    const char *p = r->p + 1;
    while (p < r->end && (*p != '"' || (r->end - p > 1 && p[1] == '"')))
        p += *p == '"' ? 2 : 1;
    return (size_t)(p - r->p) + 1;
}

/* Quotes are only where the field needs them: what is null or plain has none. */
static inline struct csv_field csv_read_quoted(struct csv_reader *r)
{
    char *text = arena_alloc(r->arena, csv_quoted_bytes(r)), *to = text;
    bool needed = false;
    MUST(text);
    for (r->p++;; r->p++) {
        MUST(r->p < r->end);
        if (*r->p == '"' && (++r->p == r->end || *r->p != '"'))
            break;
        needed = needed || strchr("\"\r\n", *r->p) || *r->p == r->form->delimiter;
        *to++ = *r->p;
    }
    MUST(csv_is_end(r) && (needed || to == text));
    return (struct csv_field){{text, (size_t)(to - text)}, true};
}

static inline struct csv_field csv_read_field(struct csv_reader *r)
{
    if (r->p < r->end && *r->p == '"')
        return csv_read_quoted(r);
    const char *from = r->p;
    while (r->p < r->end && *r->p != r->form->delimiter && !strchr("\"\r\n", *r->p))
        r->p++;
    MUST(csv_is_end(r));
    return (struct csv_field){{from, (size_t)(r->p - from)}, false};
}

static inline size_t csv_read_row(struct csv_reader *r, struct csv_field *fields, size_t max)
{
    for (size_t n = 0;; r->p++) {
        MUST(n < max);
        fields[n++] = csv_read_field(r);
        if (*r->p != r->form->delimiter) {
            r->p += strlen(r->form->eol);
            return n;
        }
    }
}

/* Every row is as wide as the first. Memory comes from `a`. */
static inline struct csv_table csv_read(const struct csv_form *form, struct arena *a,
                                        struct str text)
{
    struct csv_reader r = {form, a, text.ptr, text.ptr + text.len};
    struct csv_table t = {0};
    size_t n = 1, max = 0;
    for (size_t i = 0; i < text.len; i++)
        max += text.ptr[i] == form->delimiter || text.ptr[i] == '\n';
    t.fields = arena_array(a, max + 1, sizeof *t.fields);
    MUST(t.fields);
    if (form->bom) {
        MUST(text.len >= 3 && memcmp(text.ptr, "\xEF\xBB\xBF", 3) == 0);
        r.p += 3;
    }
    for (size_t used = 0; r.p < r.end; used += n) {
        n = csv_read_row(&r, t.fields + used, max - used);
        t.n_columns = t.n_rows++ ? t.n_columns : n;
        MUST(n == t.n_columns);
    }
    return t;
}

#endif
