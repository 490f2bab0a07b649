/* Reads options by their table. */
#include "core/base/option.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/base/suggest.h"

#define ALLOWED_BYTES_MAX 4096

size_t option_table_size(const struct option_spec *table)
{
    size_t n = 0;
    while (table && table[n].name)
        n++;
    return n;
}

const struct option_spec *option_named(const struct option_spec *table, struct str name)
{
    for (const struct option_spec *o = table; o && o->name; o++) {
        if (str_eq_c(name, o->name))
            return o;
    }
    return NULL;
}

bool option_takes_value(const struct option_spec *o)
{
    return o->type != OPTION_FLAG && o->type != OPTION_COUNT;
}

bool option_is_repeatable(const struct option_spec *o)
{
    return o->type == OPTION_LIST || o->type == OPTION_COUNT;
}

/* ---- values ---------------------------------------------------------------------------------- */

enum fault { FAULT_NONE, FAULT_FORM, FAULT_RANGE, FAULT_MEMORY };

/* Room for one more; a list doubles when its length is a power of two. */
static void *grow(void *items, size_t n, size_t size, struct arena *memory)
{
    if ((n & (n - 1)) != 0)
        return items;
    void *more = arena_array(memory, n ? 2 * n : 1, size);
    if (more && n)
        memcpy(more, items, n * size);
    return more;
}

enum rc text_list_add(struct text_list *list, const char *text, struct arena *memory, struct err *e)
{
    const char **items = grow(list->items, list->n, sizeof *items, memory);
    if (!items)
        return err_nomem(e);
    list->items = items;
    list->items[list->n++] = text;
    return RC_OK;
}

static enum fault set_choice(int *out, const char *choices, const char *text)
{
    size_t len = strlen(text);
    int index = 0;
    for (const char *word = choices;; index++) {
        size_t word_len = strcspn(word, "|");
        if (word_len == len && memcmp(word, text, len) == 0) {
            *out = index;
            return FAULT_NONE;
        }
        if (!word[word_len])
            return FAULT_FORM;
        word += word_len + 1;
    }
}

static enum fault set_number(int64_t *out, const struct option_spec *o, const char *text)
{
    uint64_t n = 0;
    if (o->choices && strcmp(text, o->choices) == 0) {
        *out = OPTION_AUTO;
        return FAULT_NONE;
    }
    if (!units_uint(str_c(text), &n) || n > (uint64_t)o->max || (int64_t)n < o->min)
        return FAULT_FORM;
    *out = (int64_t)n;
    return FAULT_NONE;
}

static enum fault set_duration(int64_t *out, const struct option_spec *o, const char *text)
{
    int64_t ms = 0;
    if (!units_duration(str_c(text), &ms))
        return FAULT_FORM;
    if (ms < o->min || ms > o->max)
        return FAULT_RANGE;
    *out = ms;
    return FAULT_NONE;
}

static enum fault set_size(int64_t *out, const struct option_spec *o, const char *text)
{
    uint64_t bytes = 0;
    if (!units_size(str_c(text), &bytes))
        return FAULT_FORM;
    if (bytes > (uint64_t)o->max || (int64_t)bytes < o->min)
        return FAULT_RANGE;
    *out = (int64_t)bytes;
    return FAULT_NONE;
}

/* `text` is NULL for what takes no value. */
static enum fault set_value(void *values, const struct option_spec *o, const char *text,
                            struct arena *memory)
{
    void *value = (char *)values + o->offset;
    switch (o->type) {
    case OPTION_FLAG:
        *(bool *)value = true;
        return FAULT_NONE;
    case OPTION_COUNT:
        ++*(int64_t *)value;
        return FAULT_NONE;
    case OPTION_CHOICE:
        return set_choice(value, o->choices, text);
    case OPTION_NUMBER:
        return set_number(value, o, text);
    case OPTION_DURATION:
        return set_duration(value, o, text);
    case OPTION_SIZE:
        return set_size(value, o, text);
    case OPTION_RATE:
        return units_rate(str_c(text), value) ? FAULT_NONE : FAULT_FORM;
    case OPTION_PORTION:
        return units_portion(str_c(text), value) ? FAULT_NONE : FAULT_FORM;
    case OPTION_TEXT:
        *(const char **)value = text;
        return FAULT_NONE;
    case OPTION_LIST:
        return text_list_add(value, text, memory, NULL) == RC_OK ? FAULT_NONE : FAULT_MEMORY;
    }
    return FAULT_FORM;
}

/* ---- what is allowed ------------------------------------------------------------------------- */

struct unit {
    const char *name;
    int64_t factor;
};

/* As people write it, with the largest unit that divides it: 300000 is "5m". */
static void put_scaled(struct buf *b, int64_t n, const struct unit *units)
{
    while (units[1].name && (n == 0 || n % units->factor != 0))
        units++;
    buf_addf(b, "%" PRId64 "%s", n / units->factor, units->name);
}

static void put_range(struct buf *b, const struct option_spec *o)
{
    static const struct unit durations[] = {
        {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0},
    };
    static const struct unit sizes[] = {
        {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}, {NULL, 0},
    };
    const struct unit *units = o->type == OPTION_DURATION ? durations : sizes;
    buf_adds(b, "between ");
    put_scaled(b, o->min, units);
    buf_adds(b, " and ");
    put_scaled(b, o->max, units);
}

static void put_form(struct buf *b, const struct option_spec *o)
{
    switch (o->type) {
    case OPTION_CHOICE:
        buf_addf(b, "one of %s", o->choices);
        return;
    case OPTION_NUMBER:
        if (o->choices)
            buf_addf(b, "%s or ", o->choices);
        buf_adds(b, "a whole number");
        if (o->max != INT64_MAX)
            buf_addf(b, " from %" PRId64 " to %" PRId64, o->min, o->max);
        return;
    case OPTION_DURATION:
        buf_adds(b, UNITS_DURATION_TEXT);
        return;
    case OPTION_SIZE:
        buf_adds(b, UNITS_SIZE_TEXT);
        return;
    case OPTION_RATE:
        buf_adds(b, UNITS_RATE_TEXT);
        return;
    case OPTION_PORTION:
        buf_adds(b, UNITS_PORTION_TEXT);
        return;
    case OPTION_FLAG:
    case OPTION_COUNT:
    case OPTION_TEXT:
    case OPTION_LIST:
        return;
    }
}

static enum rc refuse(const struct option_reader *r, const struct option_spec *o, const char *text,
                      enum fault fault, struct err *e)
{
    if (fault == FAULT_MEMORY)
        return err_nomem(e);
    struct buf allowed;
    buf_init(&allowed, ALLOWED_BYTES_MAX);
    if (fault == FAULT_RANGE)
        put_range(&allowed, o);
    else
        put_form(&allowed, o);
    const char *is = o->flags & OPTION_ANY_SECRET ? "the value" : text;
    const char *quote = is == text ? "\"" : "";
    enum rc rc = err_set(e, RC_USAGE, "%s%s: %s%s%s is not %s", r->dashes, o->name, quote, is,
                         quote, buf_cstr(&allowed));
    buf_free(&allowed);
    return rc;
}

/* `text` is NULL or empty. */
static enum rc refuse_nothing(const struct option_reader *r, const struct option_spec *o,
                              const char *text, struct err *e)
{
    struct buf arg;
    buf_init(&arg, ALLOWED_BYTES_MAX);
    option_put_arg(&arg, o);
    enum rc rc =
        text
            ? err_set(e, RC_USAGE, "%s%s: %s must not be empty", r->dashes, o->name, buf_cstr(&arg))
            : err_set(e, RC_USAGE, "%s%s: missing value: %s", r->dashes, o->name, buf_cstr(&arg));
    buf_free(&arg);
    return rc;
}

/* ---- reading --------------------------------------------------------------------------------- */

enum rc option_begin(struct option_reader *r, struct err *e)
{
    for (const struct option_spec *o = r->table; o && o->name; o++) {
        bool is_counted =
            o->type == OPTION_NUMBER || o->type == OPTION_DURATION || o->type == OPTION_SIZE;
        if (is_counted)
            *(int64_t *)(void *)((char *)r->values + o->offset) = OPTION_AUTO;
        else if (o->type == OPTION_CHOICE)
            *(int *)(void *)((char *)r->values + o->offset) = OPTION_AUTO;
        enum fault fault =
            o->default_text ? set_value(r->values, o, o->default_text, r->memory) : FAULT_NONE;
        if (fault == FAULT_MEMORY)
            return err_nomem(e);
        if (fault != FAULT_NONE)
            return err_set(e, RC_INTERNAL, "%s%s: the default is wrong", r->dashes, o->name);
    }
    return RC_OK;
}

enum rc option_unknown(const struct option_reader *r, struct str name, const char *hint,
                       struct err *e)
{
    const char *nearest = NULL, *quote = *r->dashes ? "" : "\"";
    char word[64];
    (void)snprintf(word, sizeof word, STR_FMT, STR_ARG(name));
    for (const struct option_spec *o = r->table; o && o->name; o++)
        suggest_consider(&nearest, word, o->name);
    if (nearest)
        return err_set(e, RC_USAGE, "unknown option %s%s%s%s; did you mean %s%s?", quote, r->dashes,
                       word, quote, r->dashes, nearest);
    return err_set(e, RC_USAGE, "unknown option %s%s%s%s; %s", quote, r->dashes, word, quote, hint);
}

bool option_is_given(const struct option_reader *r, const struct option_spec *o)
{
    for (size_t i = 0; i < r->n_given; i++) {
        if (r->given[i].spec == o)
            return true;
    }
    return false;
}

enum rc option_take(struct option_reader *r, const struct option_spec *o, const char *text,
                    struct err *e)
{
    /* Of two values one would be dropped. They are not shown: either may hold a password. */
    if (!option_is_repeatable(o) && option_is_given(r, o))
        return err_set(e, RC_USAGE, "%s%s: given more than once; it is not repeatable", r->dashes,
                       o->name);
    if (!option_takes_value(o) && text)
        return err_set(e, RC_USAGE, "%s%s: takes no value", r->dashes, o->name);
    bool is_word =
        o->type == OPTION_CHOICE && !o->arg; /* else nothing says what must not be empty */
    if (option_takes_value(o) && (!text || (!*text && !is_word)))
        return refuse_nothing(r, o, text, e);
    enum fault fault = set_value(r->values, o, text, r->memory);
    if (fault != FAULT_NONE)
        return refuse(r, o, text, fault, e);
    struct option_given *given = grow(r->given, r->n_given, sizeof *given, r->memory);
    if (!given)
        return err_nomem(e);
    r->given = given;
    r->given[r->n_given++] = (struct option_given){o, text};
    return RC_OK;
}

static enum rc check_needs(const struct option_reader *r, const struct option_spec *o,
                           struct err *e)
{
    const struct option_spec *needed = option_named(r->table, str_c(o->needs));
    if (!needed || option_is_given(r, needed))
        return RC_OK;
    struct buf arg;
    buf_init(&arg, ALLOWED_BYTES_MAX);
    option_put_arg(&arg, needed);
    enum rc rc = err_set(e, RC_USAGE, "%s%s needs %s%s%s%s", r->dashes, o->name, r->dashes,
                         needed->name, arg.len ? " " : "", buf_cstr(&arg));
    buf_free(&arg);
    return rc;
}

enum rc option_check(const struct option_reader *r, struct err *e)
{
    enum rc rc = RC_OK;
    for (const struct option_spec *o = r->table; rc == RC_OK && o && o->name; o++) {
        if ((!o->needs && !o->excludes) || !option_is_given(r, o))
            continue;
        const struct option_spec *other =
            o->excludes ? option_named(r->table, str_c(o->excludes)) : NULL;
        if (other && option_is_given(r, other))
            return err_set(e, RC_USAGE, "%s%s and %s%s cannot be used together", r->dashes, o->name,
                           r->dashes, other->name);
        if (o->needs)
            rc = check_needs(r, o, e);
    }
    return rc;
}
