/* What the files of all sinks say, against each other and against the payloads. */
#ifndef LEADPIPE_TESTS_FUZZ_PATH_COMPARE_H
#define LEADPIPE_TESTS_FUZZ_PATH_COMPARE_H

#include <inttypes.h>
#include <msgpack.h>

#include "path_write.h"
#include "strict_csv.h"
#include "strict_json.h"

/* ---- numbers -------------------------------------------------------------------------------- */

/* digits * 10^exponent, without zeros at either end. */
struct path_decimal {
    char digits[PATH_TEXT_MAX];
    size_t n;
    long exponent;
    bool negative, fits; /* else it has more digits than are looked at */
};

static inline struct path_decimal path_decimal(struct str s)
{
    struct path_decimal d = {.fits = true, .negative = s.len && s.ptr[0] == '-'};
    size_t i = d.negative;
    bool point = false;
    for (; i < s.len && s.ptr[i] != 'e' && s.ptr[i] != 'E'; i++) {
        if (s.ptr[i] == '.') {
            point = true;
            continue;
        }
        d.exponent -= point;
        if (d.n || s.ptr[i] != '0')
            d.digits[d.n++] = s.ptr[i];
        if (d.n == sizeof d.digits) {
            d.fits = false;
            return d;
        }
    }
    if (i < s.len)
        d.exponent += s.len - i < 18 ? strtol(s.ptr + i + 1, NULL, 10) : 0;
    d.fits = s.len - i < 18;
    while (d.n && d.digits[d.n - 1] == '0') {
        d.n--;
        d.exponent++;
    }
    d.exponent = d.n ? d.exponent : 0;
    return d;
}

static inline bool path_same_number(const struct path_decimal *a, const struct path_decimal *b)
{
    return a->fits && b->fits && a->negative == b->negative && a->n == b->n &&
           a->exponent == b->exponent && memcmp(a->digits, b->digits, a->n) == 0;
}

/* Is the shortest text that reads back as `d` the same number as `raw`? */
static inline bool path_is_float(struct str raw, double d)
{
    char text[64];
    struct path_decimal want = path_decimal(raw);
    for (int precision = 0; precision < 17; precision++) {
        (void)snprintf(text, sizeof text, "%.*e", precision, d);
        if (strtod(text, NULL) == d)
            break;
    }
    struct path_decimal got = path_decimal(str_c(text));
    return path_same_number(&want, &got);
}

/* In MessagePack as the contract says: an integer if it is one and 64 bits hold it, a float if that
 * is the same number, else its digits. */
static inline void path_check_number(struct str raw, const msgpack_object *o)
{
    char text[PATH_TEXT_MAX + 1];
    bool is_long = raw.len > PATH_TEXT_MAX;
    (void)snprintf(text, sizeof text, "%.*s", is_long ? 1 : (int)raw.len, raw.ptr);
    char printed[32] = "";
    if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        (void)snprintf(printed, sizeof printed, "%" PRIu64, o->via.u64);
    else if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        (void)snprintf(printed, sizeof printed, "%" PRId64, o->via.i64);
    else if (o->type == MSGPACK_OBJECT_FLOAT64)
        MUST(is_long || path_is_float(raw, o->via.f64));
    else
        MUST(o->type == MSGPACK_OBJECT_STR &&
             str_eq(raw, (struct str){o->via.str.ptr, o->via.str.size}));
    if (*printed)
        MUST(str_eq_c(raw, printed));
    if (o->type != MSGPACK_OBJECT_STR || is_long) /* so long a number is looked at in Python */
        return;
    double d = strtod(text, NULL);
    uint64_t u = strtoull(text, NULL, 10);
    (void)snprintf(printed, sizeof printed, "%" PRIu64, u);
    MUST(!str_eq_c(raw, printed) && d == d);
    MUST(d > 1.7976931348623157e308 || d < -1.7976931348623157e308 || !path_is_float(raw, d));
}

/* ---- MessagePack against JSON --------------------------------------------------------------- */

static inline void path_check_text(struct str text, const msgpack_object *o)
{
    MUST(o->type == MSGPACK_OBJECT_STR);
    MUST(str_eq(text, (struct str){o->via.str.ptr, o->via.str.size}));
}

/* The same value, members in the same order. */
static inline void path_check_value(const struct sj_value *v, const msgpack_object *o)
{
    const struct sj_value *child = v->first;
    switch (v->type) {
    case SJ_NULL:
        MUST(o->type == MSGPACK_OBJECT_NIL);
        break;
    case SJ_FALSE:
    case SJ_TRUE:
        MUST(o->type == MSGPACK_OBJECT_BOOLEAN && o->via.boolean == (v->type == SJ_TRUE));
        break;
    case SJ_NUMBER:
        path_check_number(v->raw, o);
        break;
    case SJ_STRING:
        path_check_text(v->text, o);
        break;
    case SJ_ARRAY:
        MUST(o->type == MSGPACK_OBJECT_ARRAY);
        for (uint32_t i = 0; i < o->via.array.size; i++, child = child->next) {
            MUST(child);
            path_check_value(child, &o->via.array.ptr[i]);
        }
        MUST(!child);
        break;
    case SJ_OBJECT:
        MUST(o->type == MSGPACK_OBJECT_MAP);
        for (uint32_t i = 0; i < o->via.map.size; i++, child = child->next) {
            MUST(child);
            path_check_text(child->name, &o->via.map.ptr[i].key);
            path_check_value(child, &o->via.map.ptr[i].val);
        }
        MUST(!child);
        break;
    }
}

/* The records of an NDJSON file: objects, one a line, to the last byte; no blanks. Only in a raw
 * payload there may be what needs mending. */
struct path_records {
    struct sj_value **items;
    size_t n;
};

static inline struct path_records path_read_lines(struct arena *a, struct str text, bool is_raw)
{
    struct path_records r = {0};
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '\n';
    r.items = arena_array(a, n + 1, sizeof *r.items);
    MUST(r.items && (text.len == 0 || text.ptr[text.len - 1] == '\n'));
    while (text.len) {
        const char *end = memchr(text.ptr, '\n', text.len);
        struct str line = {text.ptr, (size_t)(end - text.ptr)};
        struct sj_reader reader;
        r.items[r.n] = sj_read(&reader, a, line, SJ_WRITTEN_DEPTH_MAX);
        MUST(r.items[r.n] && r.items[r.n]->type == SJ_OBJECT);
        MUST(is_raw || (!reader.replaced && !reader.repeated));
        MUST(str_eq(sj_minified(a, line), line));
        r.n++;
        text = (struct str){end + 1, text.len - line.len - 1};
    }
    return r;
}

/* The same records, to the last byte. */
static inline void path_check_msgpack(const struct path_records *records, struct str packed)
{
    size_t at = 0;
    for (size_t i = 0; i < records->n; i++) {
        msgpack_unpacked u;
        msgpack_unpacked_init(&u);
        MUST(msgpack_unpack_next(&u, packed.ptr, packed.len, &at) == MSGPACK_UNPACK_SUCCESS);
        path_check_value(records->items[i], &u.data);
        msgpack_unpacked_destroy(&u);
    }
    MUST(at == packed.len);
}

/* ---- CSV against JSON ----------------------------------------------------------------------- */

/* What a spreadsheet may take for a formula has a guard: all that surely is one, and nothing that
 * surely is none. */
static inline bool path_must_guard(struct str s)
{
    while (s.len && strchr(" \t\r\n", s.ptr[0]))
        s = (struct str){s.ptr + 1, s.len - 1};
    if (s.len && (s.ptr[0] == '=' || s.ptr[0] == '@'))
        return true;
    return s.len > 1 && (s.ptr[0] == '+' || s.ptr[0] == '-') && s.ptr[1] >= 'A' && s.ptr[1] <= 'z';
}

static inline bool path_may_guard(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    struct sj_reader number = {.p = p, .end = p + s.len};
    if (sj_number(&number) && number.p == number.end)
        return false;
    return s.len && (strchr("=+-@ \t\r\n", s.ptr[0]) || s.ptr[0] == '\xEF');
}

static inline void path_check_guarded(struct str want, const struct csv_field *f, bool excel_safe)
{
    bool guarded = f->text.len == want.len + 1 && f->text.ptr[0] == '\'';
    struct str text = f->text;
    if (guarded)
        text = (struct str){text.ptr + 1, text.len - 1};
    MUST(str_eq(text, want));
    MUST(guarded ? excel_safe && path_may_guard(want) : !excel_safe || !path_must_guard(want));
}

static inline void path_check_field(const struct sj_value *v, const struct csv_field *f,
                                    bool excel_safe)
{
    if (!v || v->type == SJ_NULL)
        MUST(f->text.len == 0 && !f->quoted);
    else if (v->type == SJ_STRING)
        path_check_guarded(v->text, f, excel_safe);
    else
        MUST(str_eq(v->raw, f->text));
    if (v && v->type == SJ_STRING && v->text.len == 0)
        MUST(f->quoted);
}

/* The columns of a table: documented ones, then the others as records of layout rows have them. */
struct path_columns {
    struct str *names;
    size_t n;
};

static inline bool path_has_column(const struct path_columns *c, struct str name)
{
    for (size_t i = 0; i < c->n; i++) {
        if (str_eq(c->names[i], name))
            return true;
    }
    return false;
}

static inline bool path_is_of(const struct sj_value *record, struct str table)
{
    return str_eq_c(record->first->name, "_table") && str_eq(record->first->text, table);
}

static inline struct path_columns path_columns_of(struct arena *a, const struct profile *p,
                                                  const struct table_spec *t,
                                                  const struct path_records *rows)
{
    struct path_columns c = {0};
    size_t max = table_columns(p, t);
    for (size_t i = 0; i < rows->n; i++) {
        for (const struct sj_value *m = rows->items[i]->first; m; m = m->next)
            max++;
    }
    c.names = arena_array(a, max, sizeof *c.names);
    MUST(c.names);
    while (c.n < table_columns(p, t)) {
        c.names[c.n] = table_column(p, t, c.n).name;
        c.n++;
    }
    for (size_t i = 0; i < rows->n; i++) {
        const struct sj_value *m = rows->items[i]->first;
        while (path_is_of(rows->items[i], t->name) && (m = m->next)) {
            if (!path_has_column(&c, m->name))
                c.names[c.n++] = m->name;
        }
    }
    return c;
}

/* The members of a record stand in the order of the columns. */
static inline void path_check_order(const struct path_columns *c, const struct sj_value *record)
{
    size_t at = 0;
    for (const struct sj_value *m = record->first->next; m; m = m->next) {
        while (at < c->n && !str_eq(c->names[at], m->name))
            at++;
        MUST(at < c->n);
    }
}

/* One file of the sink csv against the rows of its table. */
static inline void path_check_table(struct path_run *run, const struct csv_form *form,
                                    bool excel_safe, bool header, const struct table_spec *t,
                                    const struct path_records *rows, const struct path_file *file)
{
    struct csv_table csv = csv_read(form, &run->arena, file->text);
    struct path_columns columns = path_columns_of(&run->arena, run->profile, t, rows);
    const struct csv_field *f = csv.fields;
    size_t n = 0;
    MUST(file->result.n_columns == columns.n && (csv.n_rows == 0 || csv.n_columns == columns.n));
    for (size_t i = 0; header && i < columns.n; i++)
        path_check_guarded(columns.names[i], f++, excel_safe);
    for (size_t i = 0; i < rows->n; i++) {
        if (!path_is_of(rows->items[i], t->name))
            continue;
        MUST(++n + header <= csv.n_rows);
        path_check_order(&columns, rows->items[i]);
        for (size_t k = 0; k < columns.n; k++)
            path_check_field(sj_member(rows->items[i], columns.names[k]), f++, excel_safe);
    }
    MUST(csv.n_rows == n + header && file->result.rows == n);
}

/* ---- layout lead against layout rows -------------------------------------------------------- */

static inline bool path_same_member(const struct sj_value *a, const struct sj_value *b)
{
    return a && b && str_eq(a->name, b->name) && str_eq(a->raw, b->raw);
}

/* Members of an object up to `end` are those of a record of layout rows from `m` on. */
static inline void path_check_members(const struct sj_value *a, const struct sj_value *end,
                                      const struct sj_value *m)
{
    for (; a != end; a = a->next, m = m->next)
        MUST(path_same_member(a, m));
    MUST(!m);
}

/* The one object of a lead against its rows, from `at` on; returns where the next lead's begin. */
static inline size_t path_check_lead(const struct profile *p, const struct sj_value *lead,
                                     const struct path_records *rows, size_t at)
{
    const struct sj_value *end = sj_member(lead, p->tables[1].name);
    MUST(at < rows->n && path_is_of(rows->items[at], p->tables[0].name));
    path_check_members(lead->first, end, rows->items[at++]->first->next);
    for (size_t t = 1; t < p->n_tables; t++, end = end->next) {
        MUST(end && end->type == SJ_ARRAY && str_eq(end->name, p->tables[t].name));
        for (const struct sj_value *row = end->first; row; row = row->next, at++) {
            MUST(at < rows->n && path_is_of(rows->items[at], p->tables[t].name));
            const struct sj_value *key = rows->items[at]->first->next, *of_lead = lead->first;
            for (size_t i = 0; i < p->n_key_columns; i++) {
                MUST(path_same_member(key, of_lead));
                key = key->next;
                of_lead = of_lead->next;
            }
            path_check_members(row->first, NULL, key);
        }
    }
    MUST(!end);
    return at;
}

static inline void path_check_leads(const struct profile *p, const struct path_records *leads,
                                    const struct path_records *rows)
{
    size_t at = 0;
    for (size_t i = 0; i < leads->n; i++)
        at = path_check_lead(p, leads->items[i], rows, at);
    MUST(at == rows->n);
}

/* ---- rows against the payload --------------------------------------------------------------- */

/* How many values of the payload a path leads to, such as "/actionLogs/" and a star. */
static inline size_t path_count(const struct sj_value *v, const char *path)
{
    size_t n = 0;
    if (!v || *path == '\0')
        return v != NULL;
    size_t len = strcspn(path + 1, "/");
    if (len != 1 || path[1] != '*')
        return path_count(sj_member(v, (struct str){path + 1, len}), path + 1 + len);
    if (v->type != SJ_ARRAY)
        return 0;
    for (const struct sj_value *element = v->first; element; element = element->next)
        n += path_count(element, path + 2);
    return n;
}

#endif
