/* From a directive to the value that a lead has there. */
#include <stdio.h>

#include "core/base/unicode.h"
#include "core/json/number.h"
#include "sinks/push/template_internal.h"

#define SHOWN_BYTES_MAX 40 /* of a lead's text in a message */
#define SCRATCH_CONCAT 2   /* the others are for transforms, in turn */

static const struct cell cell_null = {.kind = CELL_NULL};

static struct str cell_text(const struct cell *c)
{
    return (struct str){c->u.text, c->len};
}

static struct cell text_cell(struct str text)
{
    return (struct cell){.kind = CELL_TEXT, .len = (uint32_t)text.len, .u.text = text.ptr};
}

static bool is_null(const struct cell *c)
{
    return c->kind == CELL_NULL || c->kind == CELL_ABSENT;
}

/* ---- faults --------------------------------------------------------------------------------- */

/* As a message may show it, between quotes. */
static void show(struct str text, char out[static SHOWN_BYTES_MAX + 8])
{
    size_t at = 0;
    while (text.len && at + UNICODE_SHOWN_BYTES <= SHOWN_BYTES_MAX) {
        size_t taken;
        at += unicode_show(text, out + at, &taken);
        text = (struct str){text.ptr + taken, text.len - taken};
    }
    (void)snprintf(out + at, SHOWN_BYTES_MAX + 8 - at, "%s", text.len ? "..." : "");
}

/* What the cell is, for a message: 'is "abc"'. */
static void describe(const struct cell *c, char *out, size_t size)
{
    char shown[SHOWN_BYTES_MAX + 8];
    switch ((enum cell_kind)c->kind) {
    case CELL_NUMBER:
        show(cell_text(c), shown);
        (void)snprintf(out, size, "is the number %s", shown);
        break;
    case CELL_TEXT:
        show(cell_text(c), shown);
        (void)snprintf(out, size, "is \"%s\"", shown);
        break;
    case CELL_TRUE:
    case CELL_FALSE:
        (void)snprintf(out, size, "is %s", c->kind == CELL_TRUE ? "true" : "false");
        break;
    case CELL_JSON:
        (void)snprintf(out, size, "is an %s", json_is_array(c->u.json) ? "array" : "object");
        break;
    case CELL_NULL:
    case CELL_ABSENT:
        (void)snprintf(out, size, "is null");
        break;
    }
}

/* "/properties/amount: the column checklist_amount is "abc", which TEXT" */
static enum rc fail(const struct value_context *c, const struct value *v, const char *code,
                    const struct cell *cell, const char *text)
{
    char is[SHOWN_BYTES_MAX + 32];
    describe(cell, is, sizeof is);
    c->fault->code = code;
    (void)snprintf(c->fault->text, sizeof c->fault->text, "%s: %s %s%s%s", v->where, v->what, is,
                   *text ? ", " : "", text);
    utf8_scrub(c->fault->text);
    return RC_USAGE;
}

/* ---- where values come from ----------------------------------------------------------------- */

static bool is_column(const struct extra *e, struct str name)
{
    return e->column && str_eq(e->column->name, name);
}

/* Most leads have the same columns at the same place. */
static struct cell find_extra(const struct value *v, const struct row *row)
{
    uint32_t hint = atomic_load_explicit(v->hint, memory_order_relaxed);
    if (hint < row->n_extras && is_column(&row->extras[hint], v->name))
        return row->extras[hint].cell;
    for (uint32_t i = 0; i < row->n_extras; i++) {
        if (!is_column(&row->extras[i], v->name))
            continue;
        atomic_store_explicit(v->hint, i, memory_order_relaxed);
        return row->extras[i].cell;
    }
    return cell_null;
}

static struct cell node_cell(const cJSON *node)
{
    struct cell cell = {.kind = CELL_JSON, .u.json = node};
    if (!node || cJSON_IsNull(node))
        return cell_null;
    if (cJSON_IsBool(node))
        return (struct cell){.kind = cJSON_IsTrue(node) ? CELL_TRUE : CELL_FALSE};
    if (!cJSON_IsString(node) && !cJSON_IsNumber(node))
        return cell;
    cell = text_cell(json_text(node));
    if (cJSON_IsNumber(node))
        cell.kind = CELL_NUMBER;
    return cell;
}

static struct cell optional_text(struct str text)
{
    return text.ptr ? text_cell(text) : cell_null;
}

static enum rc concat(const struct value *v, const struct value_context *c, struct cell *out);

static enum rc read_source(const struct value *v, const struct value_context *c, struct cell *out)
{
    const struct template_input *in = c->in;
    switch (v->source) {
    case VALUE_CONSTANT:
        *out = v->constant;
        return RC_OK;
    case VALUE_KEY:
        *out = optional_text(row_key_value(in->profile, in->lead, v->index));
        return RC_OK;
    case VALUE_COLUMN:
        *out = c->row ? c->row->cells[v->index] : cell_null;
        return RC_OK;
    case VALUE_EXTRA:
        *out = c->row ? find_extra(v, c->row) : cell_null;
        return RC_OK;
    case VALUE_PAYLOAD:
        *out = node_cell(json_pointer_find(&v->pointer, in->lead->root));
        return RC_OK;
    case VALUE_CONCAT:
        return concat(v, c, out);
    case VALUE_RUN_ID:
        *out = optional_text(str_c(in->run_id));
        return RC_OK;
    case VALUE_EXPORTED_AT:
        *out = optional_text(str_c(in->exported_at));
        return RC_OK;
    }
    return RC_INTERNAL;
}

/* ---- what is made of them ------------------------------------------------------------------- */

/* The text of a scalar. */
static struct str scalar_text(const struct cell *c)
{
    if (c->kind == CELL_TRUE || c->kind == CELL_FALSE)
        return c->kind == CELL_TRUE ? STR("true") : STR("false");
    return cell_text(c);
}

/* The buffer for transforms in which `text` is not. */
static struct buf *free_scratch(const struct value_context *c, struct str text)
{
    const struct buf *b = &c->scratch[0];
    return b->data && text.ptr == b->data ? &c->scratch[1] : &c->scratch[0];
}

static enum rc apply_steps(const struct value *v, const struct value_context *c, struct cell *cell)
{
    const struct cell given = *cell;
    if (v->n_steps && cell->kind == CELL_JSON)
        return fail(c, v, "do", cell, "and \"do\" takes texts, numbers, true and false");
    for (size_t i = 0; i < v->n_steps; i++) {
        struct str text = scalar_text(cell);
        struct buf *out = free_scratch(c, text);
        buf_clear(out);
        const char *fault = transform_apply(&v->steps[i], text, out);
        if (fault) {
            char sentence[200];
            (void)snprintf(sentence, sizeof sentence, "which %s", fault);
            return fail(c, v, "do", &given, sentence);
        }
        if (buf_rc(out) != RC_OK)
            return buf_rc(out);
        *cell = text_cell(out->len ? buf_str(out) : STR(""));
        if (out->len && transform_makes_number(v->steps[i].kind))
            cell->kind = CELL_NUMBER;
    }
    return RC_OK;
}

static int mapping_cmp(struct str a, struct str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static const struct value_mapping *find_mapping(const struct value *v, struct str from)
{
    size_t low = 0, high = v->n_map;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = mapping_cmp(v->map[middle].from, from);
        if (order == 0)
            return &v->map[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static enum rc look_up(const struct value *v, const struct value_context *c, struct cell *cell)
{
    const struct value_mapping *found =
        cell->kind == CELL_JSON ? NULL : find_mapping(v, scalar_text(cell));
    if (!found && !v->has_else)
        return fail(c, v, "map", cell, "which is not in \"map\", and there is no \"else\"");
    *cell = found ? found->to : v->map_else;
    return RC_OK;
}

static enum rc make_text(const struct value_context *c, struct cell *cell)
{
    if (cell->kind != CELL_JSON) {
        *cell = text_cell(scalar_text(cell));
        return RC_OK;
    }
    struct buf *out = &c->scratch[0];
    buf_clear(out);
    json_write(out, cell->u.json);
    *cell = text_cell(buf_str(out));
    return buf_rc(out);
}

static enum rc convert(const struct value *v, const struct value_context *c, struct cell *cell)
{
    struct str text = cell->kind == CELL_JSON ? STR_NONE : scalar_text(cell);
    switch (v->as) {
    case AS_IS:
        return RC_OK;
    case AS_TEXT:
        return make_text(c, cell);
    case AS_NUMBER:
        if (cell->kind == CELL_TEXT && number_is_json(text))
            cell->kind = CELL_NUMBER;
        return cell->kind == CELL_NUMBER ? RC_OK : fail(c, v, "as", cell, "which is not a number");
    case AS_BOOLEAN:
        if (cell->kind == CELL_TEXT && (str_eq_c(text, "true") || str_eq_c(text, "false")))
            cell->kind = text.len == 4 ? CELL_TRUE : CELL_FALSE;
        return cell->kind == CELL_TRUE || cell->kind == CELL_FALSE
                   ? RC_OK
                   : fail(c, v, "as", cell, "which is not true or false");
    }
    return RC_INTERNAL;
}

/* Empty, after `do`, is as bad as null: a CRM that finds records by it would find any. */
static enum rc require(const struct value *v, const struct value_context *c,
                       const struct cell *cell)
{
    if (is_null(cell))
        return fail(c, v, "required", cell, "and it is required");
    if (cell->kind == CELL_TEXT && cell->len == 0)
        return fail(c, v, "required", cell, "and it is required");
    return RC_OK;
}

enum rc value_evaluate(const struct value *v, const struct value_context *c, struct cell *out)
{
    struct cell cell;
    enum rc rc = read_source(v, c, &cell);
    if (rc == RC_OK && is_null(&cell) && v->otherwise)
        rc = value_evaluate(v->otherwise, c, &cell);
    if (rc == RC_OK && !is_null(&cell))
        rc = apply_steps(v, c, &cell);
    if (rc == RC_OK && v->is_required)
        rc = require(v, c, &cell);
    if (rc == RC_OK && !is_null(&cell) && v->has_map)
        rc = look_up(v, c, &cell);
    if (rc == RC_OK && is_null(&cell) && v->is_required)
        rc = require(v, c, &cell); /* "map" gave null */
    if (rc == RC_OK && !is_null(&cell))
        rc = convert(v, c, &cell);
    if (rc != RC_OK)
        return rc;
    *out = is_null(&cell) ? cell_null : cell;
    return RC_OK;
}

/* Parts have no $concat in them: the buffer is this one's alone. */
static enum rc concat(const struct value *v, const struct value_context *c, struct cell *out)
{
    struct buf *text = &c->scratch[SCRATCH_CONCAT];
    buf_clear(text);
    for (size_t i = 0; i < v->n_parts; i++) {
        struct cell part;
        enum rc rc = value_evaluate(&v->parts[i], c, &part);
        if (rc != RC_OK)
            return rc;
        if (part.kind == CELL_JSON)
            json_write(text, part.u.json);
        else if (!is_null(&part))
            buf_add_str(text, scalar_text(&part));
    }
    *out = text_cell(text->len ? buf_str(text) : STR(""));
    return buf_rc(text);
}
