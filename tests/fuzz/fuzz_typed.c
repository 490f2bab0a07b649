/* A JSON value in a column of every type, for every target: what comes is of that type, within what
 * the target holds, and says the same when it is read again. */
#include "fuzz.h"

#include <math.h>

#include "core/json/number.h"
#include "tests/unit/typed_text.h"

#define ARENA_MAX ((size_t)256 << 20)

static void check_is_json(struct str text, int type)
{
    struct arena a;
    struct json_doc doc;
    arena_init(&a, ARENA_MAX);
    MUST(json_parse(&a, text, JSON_TREE, &doc, NULL) == RC_OK);
    MUST(type == cJSON_Invalid || (doc.root->type & 0xFF) == type);
    arena_free(&a);
}

/* The value, written as a number of its own. */
static void check_number(struct typed v)
{
    char text[64];
    int64_t whole;
    double number;
    if (v.kind == TYPED_DOUBLE) {
        MUST(isfinite(v.u.number));
        struct str digits = {text, (size_t)snprintf(text, sizeof text, "%.17g", v.u.number)};
        MUST(number_is_json(digits) && strtod(text, NULL) == v.u.number);
        MUST(!number_to_double(digits, &number) || number == v.u.number);
    } else {
        struct str digits = {text, (size_t)snprintf(text, sizeof text, "%" PRId64, v.u.integer)};
        MUST(number_to_scaled(digits, 0, &whole) && whole == v.u.integer);
    }
}

static void check_misfit(const struct typed_target *target, const struct cell *cell)
{
    struct buf b;
    struct misfits misfits = {.b = &b};
    buf_init(&b, ARENA_MAX);
    misfits_add(&misfits, target, STR("c"), cell);
    misfits_end(&misfits);
    MUST(buf_rc(&b) == RC_OK);
    check_is_json(buf_str(&b), cJSON_Object);
    buf_free(&b);
}

static void check_texts(struct typed v, const struct cell *cell)
{
    struct buf b;
    buf_init(&b, ARENA_MAX);
    if (v.kind == TYPED_JSON)
        typed_write_json(&b, cell);
    else
        typed_write_text(&b, cell);
    MUST(buf_rc(&b) == RC_OK);
    if (v.kind == TYPED_DECIMAL)
        MUST(number_is_json(buf_str(&b)));
    else if (v.kind == TYPED_JSON || cell->kind != CELL_TEXT)
        check_is_json(buf_str(&b), cJSON_Invalid);
    buf_free(&b);
}

static void check_cell(const struct typed_target *target, enum column_type type,
                       const struct cell *cell)
{
    static const enum typed_kind kinds[] = {
        [TYPE_TEXT] = TYPED_TEXT,         [TYPE_INTEGER] = TYPED_INTEGER,
        [TYPE_NUMBER] = TYPED_DOUBLE,     [TYPE_BOOLEAN] = TYPED_BOOLEAN,
        [TYPE_TIMESTAMP] = TYPED_TIME,    [TYPE_TIMESTAMP_S] = TYPED_TIME,
        [TYPE_TIMESTAMP_MS] = TYPED_TIME, [TYPE_JSON] = TYPED_JSON,
    };
    struct typed v = typed_of(target, type, cell);
    MUST((v.kind == TYPED_NULL) == (cell->kind == CELL_NULL));
    if (v.kind == TYPED_NULL)
        return;
    if (v.kind == TYPED_MISFIT) {
        MUST(type != TYPE_TEXT);
        check_misfit(target, cell);
        return;
    }
    bool is_decimal = type == TYPE_NUMBER && target->has_decimals;
    MUST(v.kind == (is_decimal ? TYPED_DECIMAL : kinds[type]));
    if (v.kind == TYPED_INTEGER || v.kind == TYPED_DOUBLE)
        check_number(v);
    else if (v.kind == TYPED_TIME)
        MUST(v.u.time_us >= target->time_min_us && v.u.time_us <= target->time_max_us);
    else if (v.kind != TYPED_BOOLEAN)
        check_texts(v, cell);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct signed_url_rules keep = {.mode = SIGNED_URLS_KEEP};
    struct arena a;
    struct json_doc doc;
    struct cell cell;
    arena_init(&a, ARENA_MAX);
    if (json_parse(&a, (struct str){(const char *)data, size}, JSON_TREE, &doc, NULL) == RC_OK) {
        MUST(cell_make(&keep, &a, doc.root, false, false, &cell));
        for (size_t t = 0; t < TYPED_TARGETS; t++) {
            for (int type = 0; type < COLUMN_TYPES; type++)
                check_cell(&typed_targets[t].target, (enum column_type)type, &cell);
        }
    }
    arena_free(&a);
    return 0;
}
