#include "core/flatten/typed.h"
#include "sinks/push/template_internal.h"

struct writer {
    struct value_context c;
    struct buf *out;
    struct buf *behind; /* where `out` goes at {"$items": true}; NULL: there is none */
    bool omits_element; /* the element of an array that is being written is left out */
};

/* *is_written: false: it is omitted. `label` comes before the value. */
static enum rc put(const struct template *t, struct writer *w, struct str label, bool *is_written);

/* ---- objects and arrays --------------------------------------------------------------------- */

/* An element of an array, whole: what is wrong in it is found also where it is left out. */
static enum rc put_element(const struct template *t, struct writer *w, bool *is_written)
{
    bool outer = w->omits_element;
    w->omits_element = false;
    enum rc rc = put(t, w, STR(""), is_written);
    *is_written = *is_written && !w->omits_element;
    w->omits_element = outer;
    return rc;
}

static enum rc put_all(const struct template *t, struct writer *w, struct str label)
{
    bool is_object = t->kind == TEMPLATE_OBJECT, is_first = true;
    buf_add_str(w->out, label);
    buf_addc(w->out, is_object ? '{' : '[');
    for (const struct template *m = t->first; m; m = m->next) {
        bool is_written;
        struct buf *out = w->out;
        size_t before = out->len;
        if (!is_first)
            buf_addc(out, ',');
        enum rc rc = is_object ? put(m, w, m->label, &is_written) : put_element(m, w, &is_written);
        if (rc != RC_OK)
            return rc;
        if (is_written)
            is_first = false;
        else
            out->len = before;
    }
    buf_addc(w->out, is_object ? '}' : ']');
    return RC_OK;
}

/* ---- values --------------------------------------------------------------------------------- */

static bool put_null(const struct template *t, struct writer *w, struct str label)
{
    w->omits_element |= t->omits_element;
    if (!t->text.ptr)
        return false;
    buf_add_str(w->out, label);
    buf_add_str(w->out, t->text);
    return true;
}

static enum rc put_value(const struct template *t, struct writer *w, struct str label,
                         bool *is_written)
{
    struct cell cell;
    enum rc rc = value_evaluate(t->value, &w->c, &cell);
    if (rc != RC_OK)
        return rc;
    bool is_empty = cell.kind == CELL_TEXT && cell.len == 0;
    if (cell.kind == CELL_NULL || (is_empty && t->omits_element)) {
        *is_written = put_null(t, w, label);
        return RC_OK;
    }
    buf_add_str(w->out, label);
    typed_write_json(w->out, &cell);
    return RC_OK;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static enum rc put_row(const struct template *t, struct writer *w, const struct row *row,
                       struct str label, bool *is_written)
{
    const struct row *outer = w->c.row;
    w->c.row = row;
    enum rc rc = put(t->row, w, label, is_written);
    w->c.row = outer;
    return rc;
}

static enum rc put_rows(const struct template *t, struct writer *w, struct str label,
                        bool *is_written)
{
    const struct rows *rows = &w->c.in->lead->tables[t->table];
    bool is_first = true;
    if (t->only_first && rows->n_rows)
        return put_row(t, w, &rows->rows[0], label, is_written);
    if (t->only_first) {
        *is_written = put_null(t, w, label);
        return RC_OK;
    }
    buf_add_str(w->out, label);
    buf_addc(w->out, '[');
    for (uint32_t i = 0; i < rows->n_rows; i++) {
        size_t before = w->out->len;
        bool has_element, outer = w->omits_element;
        w->omits_element = false;
        enum rc rc = put_row(t, w, &rows->rows[i], is_first ? STR("") : STR(","), &has_element);
        has_element = has_element && !w->omits_element;
        w->omits_element = outer;
        if (rc != RC_OK)
            return rc;
        if (has_element)
            is_first = false;
        else
            w->out->len = before;
    }
    buf_addc(w->out, ']');
    return RC_OK;
}

/* ---- templates ------------------------------------------------------------------------------ */

static enum rc put(const struct template *t, struct writer *w, struct str label, bool *is_written)
{
    *is_written = true;
    switch (t->kind) {
    case TEMPLATE_TEXT:
        buf_add_str(w->out, label);
        buf_add_str(w->out, t->text);
        return RC_OK;
    case TEMPLATE_OBJECT:
    case TEMPLATE_ARRAY:
        return put_all(t, w, label);
    case TEMPLATE_VALUE:
        return put_value(t, w, label, is_written);
    case TEMPLATE_ROWS:
        return put_rows(t, w, label, is_written);
    case TEMPLATE_ITEMS:
        if (!w->behind)
            break; /* of a body: template_write_around() */
        buf_add_str(w->out, label);
        buf_addc(w->out, '[');
        w->out = w->behind;
        buf_addc(w->out, ']');
        return RC_OK;
    }
    return RC_INTERNAL;
}

/* A writer with scratch buffers: the input's, or its own. */
struct writing {
    struct writer w;
    struct buf own[TEMPLATE_SCRATCH];
};

static void begin(struct writing *x, const struct template_input *in, struct template_fault *fault)
{
    x->w = (struct writer){.c = {.in = in, .scratch = in->scratch, .fault = fault}};
    if (in->lead && in->lead->tables && in->lead->tables[0].n_rows)
        x->w.c.row = &in->lead->tables[0].rows[0];
    for (size_t i = 0; i < TEMPLATE_SCRATCH; i++)
        buf_init(&x->own[i], TEMPLATE_SCRATCH_BYTES_MAX);
    if (!in->scratch)
        x->w.c.scratch = x->own;
}

static enum rc end(struct writing *x, enum rc rc)
{
    for (size_t i = 0; i < TEMPLATE_SCRATCH; i++)
        buf_free(&x->own[i]);
    return rc;
}

enum rc template_write_around(const struct template *t, const struct template_input *in,
                              struct buf *before, struct buf *behind, struct template_fault *fault)
{
    struct writing x;
    bool is_written;
    begin(&x, in, fault);
    x.w.out = before;
    x.w.behind = behind;
    enum rc rc = put(t, &x.w, STR(""), &is_written);
    if (rc == RC_OK)
        rc = buf_rc(before);
    if (rc == RC_OK && behind)
        rc = buf_rc(behind);
    return end(&x, rc);
}

enum rc template_write(const struct template *t, const struct template_input *in, struct buf *out,
                       struct template_fault *fault)
{
    return template_write_around(t, in, out, NULL, fault);
}

enum rc template_write_plain(const struct template *t, const struct template_input *in,
                             struct buf *out, bool *is_null, struct template_fault *fault)
{
    struct writing x;
    struct cell cell;
    begin(&x, in, fault);
    enum rc rc = value_evaluate(t->value, &x.w.c, &cell);
    if (rc == RC_OK) {
        *is_null = cell.kind == CELL_NULL;
        if (!*is_null)
            typed_write_text(out, &cell);
        rc = buf_rc(out);
    }
    return end(&x, rc);
}
