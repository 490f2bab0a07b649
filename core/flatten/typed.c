#include "core/flatten/typed.h"

#include "core/base/rfc3339.h"
#include "core/json/number.h"

/* PostgreSQL's own limit is 2^30; a number that needs a larger exponent is beyond all others, but for
 * 0, which has no digits that could be too many. */
#define DECIMAL_EXPONENT_MAX 1000000000

#define SECONDS_SCALE 6 /* a second is 10^6 microseconds */
#define MILLISECONDS_SCALE 3

static struct typed misfit(void)
{
    return (struct typed){.kind = TYPED_MISFIT};
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* The digits of a number, also of one that is written as a text. */
static bool digits_of(const struct cell *cell, struct str *out)
{
    if (cell->kind != CELL_NUMBER && cell->kind != CELL_TEXT)
        return false;
    *out = (struct str){cell->u.text, cell->len};
    return cell->kind == CELL_NUMBER || number_is_json(*out);
}

static bool fits_decimal(const struct typed_target *target, struct str digits)
{
    if (!target->whole_digits_max && !target->fraction_digits_max)
        return true;
    struct number_extent x = number_extent(digits);
    return x.whole <= target->whole_digits_max && x.fraction <= target->fraction_digits_max &&
           x.exponent <= DECIMAL_EXPONENT_MAX && x.exponent >= -DECIMAL_EXPONENT_MAX;
}

static struct typed integer_of(const struct cell *cell)
{
    struct typed v = {.kind = TYPED_INTEGER};
    struct str digits;
    return digits_of(cell, &digits) && number_to_scaled(digits, 0, &v.u.integer) ? v : misfit();
}

static struct typed number_cell(const struct typed_target *target, const struct cell *cell)
{
    struct typed v = {.kind = target->has_decimals ? TYPED_DECIMAL : TYPED_DOUBLE};
    struct str digits;
    if (!digits_of(cell, &digits))
        return misfit();
    bool fits =
        target->has_decimals ? fits_decimal(target, digits) : number_to_double(digits, &v.u.number);
    return fits ? v : misfit();
}

/* ---- booleans and times --------------------------------------------------------------------- */

static struct typed boolean_of(const struct cell *cell)
{
    bool is_text = cell->kind == CELL_TEXT;
    struct str text = is_text ? (struct str){cell->u.text, cell->len} : STR_NONE;
    if (cell->kind == CELL_TRUE || (is_text && str_eq_c(text, "true")))
        return (struct typed){.kind = TYPED_BOOLEAN, .u.boolean = true};
    if (cell->kind == CELL_FALSE || (is_text && str_eq_c(text, "false")))
        return (struct typed){.kind = TYPED_BOOLEAN, .u.boolean = false};
    return misfit();
}

static struct typed time_of(const struct typed_target *target, enum column_type type,
                            const struct cell *cell)
{
    struct typed v = {.kind = TYPED_TIME};
    unsigned scale = type == TYPE_TIMESTAMP_S ? SECONDS_SCALE : MILLISECONDS_SCALE;
    struct str text;
    bool is_time;
    if (type == TYPE_TIMESTAMP)
        is_time = cell->kind == CELL_TEXT &&
                  rfc3339_parse((struct str){cell->u.text, cell->len}, &v.u.time_us);
    else
        is_time = digits_of(cell, &text) && number_to_scaled(text, scale, &v.u.time_us);
    bool fits = is_time && v.u.time_us >= target->time_min_us && v.u.time_us <= target->time_max_us;
    return fits ? v : misfit();
}

/* ---- json ----------------------------------------------------------------------------------- */

/* Nested as deeply as the parser allows. */
static bool json_fits(const struct typed_target *target, const cJSON *value)
{
    if ((value->type & 0xFF) == cJSON_Number)
        return fits_decimal(target, json_text(value));
    for (const cJSON *child = value->child; child; child = child->next) {
        if (!json_fits(target, child))
            return false;
    }
    return true;
}

static bool cell_fits_json(const struct typed_target *target, const struct cell *cell)
{
    if (!target->json_numbers)
        return true;
    if (cell->kind == CELL_NUMBER)
        return fits_decimal(target, (struct str){cell->u.text, cell->len});
    return cell->kind != CELL_JSON || json_fits(target, cell->u.json);
}

/* ---- all types ------------------------------------------------------------------------------ */

struct typed typed_of(const struct typed_target *target, enum column_type type,
                      const struct cell *cell)
{
    if (cell->kind == CELL_ABSENT || cell->kind == CELL_NULL)
        return (struct typed){.kind = TYPED_NULL};
    switch (type) {
    case TYPE_TEXT:
        break;
    case TYPE_INTEGER:
        return integer_of(cell);
    case TYPE_NUMBER:
        return number_cell(target, cell);
    case TYPE_BOOLEAN:
        return boolean_of(cell);
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_S:
    case TYPE_TIMESTAMP_MS:
        return time_of(target, type, cell);
    case TYPE_JSON:
        if (!cell_fits_json(target, cell))
            return misfit();
        return (struct typed){.kind = TYPED_JSON};
    }
    return (struct typed){.kind = TYPED_TEXT};
}

/* ---- writing -------------------------------------------------------------------------------- */

void typed_write_text(struct buf *b, const struct cell *cell)
{
    if (cell->kind == CELL_TEXT)
        buf_add(b, cell->u.text, cell->len);
    else
        typed_write_json(b, cell);
}

void typed_write_json(struct buf *b, const struct cell *cell)
{
    switch ((enum cell_kind)cell->kind) {
    case CELL_ABSENT:
    case CELL_NULL:
        buf_adds(b, "null");
        return;
    case CELL_FALSE:
        buf_adds(b, "false");
        return;
    case CELL_TRUE:
        buf_adds(b, "true");
        return;
    case CELL_NUMBER:
        buf_add(b, cell->u.text, cell->len);
        return;
    case CELL_TEXT:
        json_write_string(b, (struct str){cell->u.text, cell->len});
        return;
    case CELL_JSON:
        json_write(b, cell->u.json);
        return;
    }
}

/* As a JSON string of the JSON text. */
static void write_quoted(struct buf *b, const struct cell *cell)
{
    struct buf text;
    buf_init(&text, b->max);
    typed_write_json(&text, cell);
    if (buf_rc(&text) == RC_OK)
        json_write_string(b, buf_str(&text));
    else
        b->rc = buf_rc(&text);
    buf_free(&text);
}

void misfits_add(struct misfits *m, const struct typed_target *target, struct str column,
                 const struct cell *cell)
{
    buf_addc(m->b, m->n++ ? ',' : '{');
    json_write_string(m->b, column);
    buf_addc(m->b, ':');
    if (cell_fits_json(target, cell))
        typed_write_json(m->b, cell);
    else
        write_quoted(m->b, cell);
}

void misfits_end(struct misfits *m)
{
    if (m->n)
        buf_addc(m->b, '}');
}
