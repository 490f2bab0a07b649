#include "sinks/record/record_merge.h"

#include <stdlib.h>

#include "core/base/grow.h"
#include "sinks/record/record_scan.h"

#define NAMES_BYTES_MAX ((size_t)1 << 30) /* of columns, encoded: the schema bounds them */

/* A column as the records of a shard name it. */
struct named {
    struct str name; /* encoded */
    uint32_t index;  /* in the schema of all */
};

struct names {
    struct named *items; /* sorted by name; NULL: the records stay as they are */
    uint32_t n;
};

struct moved { /* a member that is an undocumented column's */
    uint32_t index;
    struct str value;
};

struct record_merge {
    struct record_merge_cfg cfg;
    enum scan_format format;
    struct arena arena;  /* of names */
    struct str **all;    /* of each table: the names of the schema's columns, encoded */
    struct names *names; /* [shard * n_tables + table] */
    struct scan_members members, inner;
    struct moved *moved; /* of the map at hand */
    size_t moved_cap;
};

/* ---- names ----------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    const struct named *x = a;
    const struct named *y = b;
    size_t n = x->name.len < y->name.len ? x->name.len : y->name.len;
    int order = n ? memcmp(x->name.ptr, y->name.ptr, n) : 0;
    return order ? order : (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

static enum rc encode_name(struct record_merge *m, struct str name, struct str *out)
{
    struct buf b;
    buf_init(&b, NAMES_BYTES_MAX);
    m->cfg.encoding->name(&b, name);
    const char *copy = buf_rc(&b) == RC_OK ? arena_strdup(&m->arena, buf_str(&b)) : NULL;
    *out = (struct str){copy, b.len};
    buf_free(&b);
    return copy ? RC_OK : RC_NOMEM;
}

static enum rc make_all(struct record_merge *m, size_t table)
{
    const struct schema *schema = m->cfg.in->schema;
    size_t n = schema_columns(schema, table);
    m->all[table] = calloc(n + 1, sizeof **m->all);
    enum rc rc = m->all[table] ? RC_OK : RC_NOMEM;
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        rc = encode_name(m, schema_column(schema, table, i)->name, &m->all[table][i]);
    return rc;
}

static enum rc make_names(struct record_merge *m, struct names *names,
                          const struct merge_columns *columns)
{
    if (columns->is_in_order)
        return RC_OK;
    names->items = calloc(columns->n, sizeof *names->items);
    enum rc rc = names->items ? RC_OK : RC_NOMEM;
    for (uint32_t i = 0; rc == RC_OK && i < columns->n; i++) {
        names->items[i].index = columns->index[i];
        rc = encode_name(m, columns->names[i], &names->items[i].name);
        names->n += rc == RC_OK;
    }
    if (rc == RC_OK)
        qsort(names->items, names->n, sizeof *names->items, compare_names);
    return rc;
}

enum rc record_merge_new(struct record_merge **out, const struct record_merge_cfg *cfg,
                         struct err *e)
{
    const struct sink_merge *in = cfg->in;
    struct record_merge *m = calloc(1, sizeof *m);
    if (!m)
        return err_nomem(e);
    m->cfg = *cfg;
    m->format = cfg->encoding == &encoding_json ? SCAN_JSON : SCAN_MSGPACK;
    arena_init(&m->arena, SIZE_MAX / 2);
    m->all = calloc(in->n_tables, sizeof *m->all);
    m->names = calloc(in->n_shards * in->n_tables, sizeof *m->names);
    enum rc rc = m->all && m->names ? RC_OK : RC_NOMEM;
    for (size_t i = 0; rc == RC_OK && i < in->n_tables; i++)
        rc = make_all(m, i);
    for (size_t i = 0; rc == RC_OK && i < in->n_shards * in->n_tables; i++)
        rc = make_names(m, &m->names[i], &in->columns[i]);
    if (rc != RC_OK) {
        record_merge_free(m);
        return err_nomem(e);
    }
    *out = m;
    return RC_OK;
}

void record_merge_free(struct record_merge *m)
{
    if (!m)
        return;
    const struct sink_merge *in = m->cfg.in;
    for (size_t i = 0; m->all && i < in->n_tables; i++)
        free(m->all[i]);
    for (size_t i = 0; m->names && i < in->n_shards * in->n_tables; i++)
        free(m->names[i].items);
    free(m->all);
    free(m->names);
    free(m->moved);
    scan_members_free(&m->members);
    scan_members_free(&m->inner);
    arena_free(&m->arena);
    free(m);
}

/* ---- a map ----------------------------------------------------------------------------------- */

static int compare_moved(const void *a, const void *b)
{
    const struct moved *x = a;
    const struct moved *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

/* The members [from, to) that are columns of `names`, in the order of the schema. */
static enum rc gather(struct record_merge *m, const struct names *names,
                      const struct scan_members *members, size_t from, size_t to, size_t *n)
{
    *n = 0;
    for (size_t i = from; i < to; i++) {
        const struct named key = {.name = members->items[i].name};
        const struct named *found =
            bsearch(&key, names->items, names->n, sizeof key, compare_names);
        if (!found)
            continue;
        struct moved *moved = list_grow(m->moved, *n, &m->moved_cap, sizeof *moved);
        if (!moved)
            return RC_NOMEM;
        m->moved = moved;
        moved[(*n)++] = (struct moved){found->index, members->items[i].value};
    }
    if (*n > 1)
        qsort(m->moved, *n, sizeof *m->moved, compare_moved);
    return RC_OK;
}

static void put_member(struct record_merge *m, struct buf *b, size_t before, struct str name,
                       struct str value)
{
    if (before > 0 && m->cfg.encoding->separator)
        buf_addc(b, m->cfg.encoding->separator);
    buf_add_str(b, name);
    buf_add_str(b, value);
}

/* The first `to` members of a row's map, of which [from, to) are its columns; the undocumented ones are behind the
 * others. */
static enum rc put_columns(struct record_merge *m, struct buf *b, const struct names *names,
                           const struct scan_members *members, size_t from, size_t to, size_t table)
{
    size_t n_moved = 0;
    enum rc rc = names->items ? gather(m, names, members, from, to, &n_moved) : RC_OK;
    for (size_t i = 0; rc == RC_OK && i < to - n_moved; i++)
        put_member(m, b, i, members->items[i].name, members->items[i].value);
    for (size_t i = 0; rc == RC_OK && i < n_moved; i++)
        put_member(m, b, to - n_moved + i, m->all[table][m->moved[i].index], m->moved[i].value);
    return rc;
}

/* ---- layouts --------------------------------------------------------------------------------- */

static enum rc put_row(struct record_merge *m, struct buf *b, struct str text, size_t shard,
                       size_t table)
{
    const size_t n_head = (m->cfg.layout == LAYOUT_ROWS) + m->cfg.profile->n_key_columns;
    const struct names *names = &m->names[shard * m->cfg.in->n_tables + table];
    m->members.n = 0;
    enum rc rc = scan_map(m->format, text, &m->members);
    if (rc != RC_OK || m->members.n < n_head + m->cfg.n_ending)
        return rc == RC_OK ? RC_SYNTAX : rc;
    size_t end = m->members.n - m->cfg.n_ending;
    m->cfg.encoding->map_begin(b, m->members.n);
    rc = put_columns(m, b, names, &m->members, n_head, end, table);
    for (size_t i = end; rc == RC_OK && i < m->members.n; i++)
        put_member(m, b, i, m->members.items[i].name, m->members.items[i].value);
    m->cfg.encoding->map_end(b);
    return rc;
}

static enum rc put_child(struct record_merge *m, struct buf *b, struct str text,
                         const struct names *names, size_t table)
{
    m->inner.n = 0;
    enum rc rc = scan_map(m->format, text, &m->inner);
    m->cfg.encoding->map_begin(b, m->inner.n);
    if (rc == RC_OK)
        rc = put_columns(m, b, names, &m->inner, 0, m->inner.n, table);
    m->cfg.encoding->map_end(b);
    return rc;
}

/* The rows of a child table. */
static enum rc put_children(struct record_merge *m, struct buf *b, const struct scan_member *member,
                            size_t shard, size_t table, size_t before)
{
    const struct encoding *enc = m->cfg.encoding;
    const struct names *names = &m->names[shard * m->cfg.in->n_tables + table];
    struct str text = member->value;
    uint64_t n = 0;
    if (!names->items) {
        put_member(m, b, before, member->name, member->value);
        return RC_OK;
    }
    if (!scan_array(m->format, &text, &n))
        return RC_SYNTAX;
    put_member(m, b, before, member->name, STR(""));
    enc->array_begin(b, m->format == SCAN_MSGPACK ? (size_t)n : 0);
    for (size_t i = 0;; i++) {
        struct str element;
        bool ended = false;
        if (!scan_element(m->format, &text, &n, &element, &ended))
            return RC_SYNTAX;
        if (ended)
            break;
        if (i > 0 && enc->separator)
            buf_addc(b, enc->separator);
        enum rc rc = put_child(m, b, element, names, table);
        if (rc != RC_OK)
            return rc;
    }
    enc->array_end(b);
    return RC_OK;
}

static enum rc put_lead(struct record_merge *m, struct buf *b, struct str text, size_t shard)
{
    const size_t n_tables = m->cfg.in->n_tables;
    const size_t n_head = m->cfg.profile->n_key_columns;
    m->members.n = 0;
    enum rc rc = scan_map(m->format, text, &m->members);
    const size_t n = m->members.n;
    if (rc != RC_OK || n < n_head + n_tables - 1 + m->cfg.n_ending)
        return rc == RC_OK ? RC_SYNTAX : rc;
    const size_t children = n - m->cfg.n_ending - (n_tables - 1);
    m->cfg.encoding->map_begin(b, n);
    rc = put_columns(m, b, &m->names[shard * n_tables], &m->members, n_head, children, 0);
    for (size_t i = 1; rc == RC_OK && i < n_tables; i++)
        rc = put_children(m, b, &m->members.items[children + i - 1], shard, i, children + i - 1);
    for (size_t i = n - m->cfg.n_ending; rc == RC_OK && i < n; i++)
        put_member(m, b, i, m->members.items[i].name, m->members.items[i].value);
    m->cfg.encoding->map_end(b);
    return rc;
}

/* ---- records --------------------------------------------------------------------------------- */

static bool find_end(const struct record_merge *m, struct str text, size_t *scanned, size_t *out)
{
    struct str rest = text;
    if (m->format == SCAN_MSGPACK) {
        bool whole = scan_value(SCAN_MSGPACK, &rest);
        *out = text.len - rest.len;
        return whole;
    }
    const char *end = memchr(text.ptr + *scanned, '\n', text.len - *scanned);
    *scanned = text.len;
    *out = end ? (size_t)(end - text.ptr) + 1 : 0;
    return end != NULL;
}

/* The next record, with its end. */
static enum rc next_record(struct record_merge *m, struct shard_file *from, struct str *record,
                           struct err *e)
{
    struct str text;
    size_t scanned = 0;
    size_t n = 0;
    enum rc rc = shard_file_peek(from, 1, &text, e);
    while (rc == RC_OK && !find_end(m, text, &scanned, &n)) {
        size_t had = text.len;
        /* Of MessagePack each try begins anew: so the next one has twice as much. */
        rc = shard_file_peek(from, m->format == SCAN_MSGPACK ? 2 * had + 1 : had + 1, &text, e);
        if (rc == RC_OK && text.len == had)
            return shard_file_damaged(from, e);
    }
    *record = (struct str){text.ptr, n};
    return rc;
}

static bool stays(const struct record_merge *m, size_t shard, size_t table)
{
    const struct names *names = &m->names[shard * m->cfg.in->n_tables];
    bool same = true;
    if (m->cfg.layout == LAYOUT_RAW)
        return true;
    if (m->cfg.layout != LAYOUT_LEAD)
        return !names[table].items;
    for (size_t i = 0; i < m->cfg.in->n_tables; i++)
        same &= !names[i].items;
    return same;
}

enum rc record_merge_take(struct record_merge *m, struct buf *b, struct shard_file *from,
                          size_t shard, size_t table, struct err *e)
{
    struct str record = STR_NONE;
    size_t before = b->len;
    enum rc rc = next_record(m, from, &record, e);
    if (rc != RC_OK)
        return rc;
    if (stays(m, shard, table)) {
        buf_add_str(b, record);
    } else {
        bool has_end = m->cfg.encoding->end;
        struct str text = {record.ptr, record.len - has_end};
        rc = m->cfg.layout == LAYOUT_LEAD ? put_lead(m, b, text, shard)
                                          : put_row(m, b, text, shard, table);
        if (has_end)
            buf_addc(b, m->cfg.encoding->end);
    }
    shard_file_take(from, record.len);
    if (rc == RC_SYNTAX)
        b->len = before;
    if (rc == RC_SYNTAX)
        return shard_file_damaged(from, e);
    return rc == RC_OK && buf_rc(b) == RC_OK ? RC_OK : err_nomem(e);
}
