#include "sinks/sql/relation.h"

#include <openssl/evp.h>

#define NAME_BYTES_MAX ((size_t)1 << 16)

/* What a source begins with that is not a member's path. */
#define SOURCE_KEY "key "
#define SOURCE_POSITION "position "
#define SOURCE_COUNT "count "
#define SOURCE_OTHERS "others"

/* ---- sources -------------------------------------------------------------------------------- */

/* As a step of a path (RFC 6901); what is not printable, and what follows a NUL, in "%XX". */
static void add_step(struct buf *b, struct str key)
{
    bool is_raw = false; /* behind a NUL there may be any bytes: json_name_key() */
    for (size_t i = 0; i < key.len; i++) {
        unsigned char c = (unsigned char)key.ptr[i];
        is_raw = is_raw || c == 0;
        if (c < 0x20 || c == 0x7F || c == '%' || (is_raw && c >= 0x80))
            buf_addf(b, "%%%02X", c);
        else if (c == '~' || c == '/')
            buf_adds(b, c == '~' ? "~0" : "~1");
        else
            buf_addc(b, (char)c);
    }
}

/* One that is too long is cut, and ends with its SHA-256. */
static enum rc add_source(struct buf *b, const struct buf *source, struct err *e)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n_digest = 0;
    if (source->len <= SQL_SOURCE_BYTES_MAX) {
        buf_add_str(b, buf_str(source));
    } else {
        if (EVP_Digest(source->data, source->len, digest, &n_digest, EVP_sha256(), NULL) != 1)
            return err_nomem(e);
        size_t cut = SQL_SOURCE_BYTES_MAX - 2 * (size_t)n_digest - 1;
        while (((unsigned char)source->data[cut] & 0xC0) == 0x80)
            cut--;
        buf_add(b, source->data, cut);
        buf_addc(b, '#');
        for (unsigned i = 0; i < n_digest; i++)
            buf_addf(b, "%02x", digest[i]);
    }
    return buf_rc(b) == RC_OK && buf_rc(source) == RC_OK ? RC_OK : err_nomem(e);
}

enum rc sql_source_column(struct buf *b, const struct table_column *column, struct err *e)
{
    struct buf source;
    buf_init(&source, SIZE_MAX / 2);
    if (!column->spec) {
        buf_adds(&source, SOURCE_KEY);
        add_step(&source, column->name);
    } else {
        if (column->spec->kind != COLUMN_VALUE)
            buf_adds(&source,
                     column->spec->kind == COLUMN_POSITION ? SOURCE_POSITION : SOURCE_COUNT);
        buf_add_str(&source, column->spec->path.text);
    }
    enum rc rc = add_source(b, &source, e);
    buf_free(&source);
    return rc;
}

enum rc sql_source_extra(struct buf *b, const struct table_spec *t,
                         const struct column_origin *origin, struct err *e)
{
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    size_t pivot = origin->scope - t->n_objects;
    if (origin->scope < t->n_objects) {
        buf_add_str(&text, t->objects[origin->scope].path.text);
        buf_addc(&text, '/');
        add_step(&text, origin->key);
    } else if (pivot < t->n_pivots) {
        buf_add_str(&text, t->pivots[pivot].value.text);
        buf_addc(&text, '[');
        add_step(&text, origin->key);
        buf_addf(&text, " %u]", (unsigned)origin->occurrence);
        if (origin->member.ptr) {
            buf_addc(&text, '/');
            add_step(&text, origin->member);
        }
    } else {
        buf_adds(&text, SOURCE_OTHERS);
    }
    enum rc rc = add_source(b, &text, e);
    buf_free(&text);
    return rc;
}

/* ---- tables --------------------------------------------------------------------------------- */

struct making {
    struct arena *memory;
    const struct sql_dialect *dialect;
    const struct profile *profile;
    const char *prefix;
    bool all_text;
};

static enum rc keep(struct arena *memory, const struct buf *b, struct str *out, struct err *e)
{
    const char *copy = buf_rc(b) == RC_OK ? arena_strdup(memory, buf_str(b)) : NULL;
    if (!copy)
        return err_nomem(e);
    *out = (struct str){copy, b->len};
    return RC_OK;
}

static enum rc make_name(const struct making *m, struct sql_relation *r, struct err *e)
{
    struct buf wanted;
    struct buf name;
    buf_init(&wanted, NAME_BYTES_MAX);
    buf_init(&name, NAME_BYTES_MAX);
    buf_adds(&wanted, m->prefix ? m->prefix : "");
    buf_add_str(&wanted, r->spec->name);
    enum rc rc =
        buf_rc(&wanted) == RC_OK ? sql_name(&name, m->dialect, buf_str(&wanted), e) : err_nomem(e);
    if (rc == RC_OK)
        rc = keep(m->memory, &name, &r->name, e);
    buf_free(&wanted);
    buf_free(&name);
    return rc;
}

static bool has_source(const struct sql_relation *r, size_t n, struct str source)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(r->columns[i].source, source))
            return true;
    }
    return false;
}

static enum rc make_column(const struct making *m, struct sql_relation *r, size_t i, struct err *e)
{
    const struct table_column column = table_column(m->profile, r->spec, i);
    struct sql_column *out = &r->columns[i];
    struct buf source;
    buf_init(&source, SIZE_MAX / 2);
    out->wanted = column.name;
    out->type = m->all_text ? TYPE_TEXT : column.type;
    out->is_key = column.is_key;
    enum rc rc = sql_source_column(&source, &column, e);
    if (rc == RC_OK && has_source(r, i, buf_str(&source))) { /* one member, in several columns */
        buf_adds(&source, " as ");
        buf_add_str(&source, column.name);
    }
    if (rc == RC_OK)
        rc = keep(m->memory, &source, &out->source, e);
    buf_free(&source);
    return rc;
}

static enum rc make_table(const struct making *m, struct sql_relation *r, struct err *e)
{
    r->n_columns = table_columns(m->profile, r->spec);
    r->has_key = table_has_key(r->spec);
    r->columns = arena_array(m->memory, r->n_columns, sizeof *r->columns);
    if (!r->columns)
        return err_nomem(e);
    enum rc rc = make_name(m, r, e);
    for (size_t i = 0; rc == RC_OK && i < r->n_columns; i++)
        rc = make_column(m, r, i, e);
    return rc;
}

static enum rc check_names(const struct sql_relations *r, const struct sql_dialect *d,
                           struct err *e)
{
    static const struct str ours = {"_leadpipe", 9};
    for (size_t i = 0; i < r->n; i++) {
        struct str name = r->items[i].name;
        if (name.len >= ours.len && sql_is_same_name(d, (struct str){name.ptr, ours.len}, ours))
            return err_set(e, RC_USAGE,
                           "the table " STR_FMT " would have a name of leadpipe's own tables, "
                           "which begin with _leadpipe; use another prefix=",
                           STR_ARG(name));
        for (size_t k = 0; k < i; k++) {
            if (sql_is_same_name(d, name, r->items[k].name))
                return err_set(e, RC_USAGE,
                               "two tables would have the name " STR_FMT "; use a shorter prefix=",
                               STR_ARG(name));
        }
    }
    return RC_OK;
}

enum rc sql_relations_make(struct sql_relations *out, struct arena *memory,
                           const struct sql_dialect *d, const struct profile *p, const char *prefix,
                           bool all_text, struct err *e)
{
    const struct making m = {memory, d, p, prefix, all_text};
    *out = (struct sql_relations){.n = p->n_tables, .n_lead_keys = p->n_key_columns};
    out->items = arena_array(memory, p->n_tables, sizeof *out->items);
    if (!out->items)
        return err_nomem(e);
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < out->n; i++) {
        out->items[i].spec = &p->tables[i];
        rc = make_table(&m, &out->items[i], e);
    }
    return rc == RC_OK ? check_names(out, d, e) : rc;
}
