/* One option's value from its text. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/units.h"
#include "cmd/options.h"

struct unit {
    const char *name;
    int64_t factor;
};

/* As people write it, with the largest unit that divides it: 300000 is "5m". */
static const char *format_scaled(char *out, size_t size, int64_t n, const struct unit *units)
{
    while (units[1].name && (n == 0 || n % units->factor != 0))
        units++;
    (void)snprintf(out, size, "%" PRId64 "%s", n / units->factor, units->name);
    return out;
}

static const struct unit duration_units[] = {
    {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0},
};
static const struct unit size_units[] = {
    {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}, {NULL, 0},
};

static enum rc set_choice(int *out, const struct option_spec *spec, const char *text, struct err *e)
{
    size_t len = strlen(text);
    int index = 0;
    for (const char *word = spec->choices;; index++) {
        size_t word_len = strcspn(word, "|");
        if (word_len == len && memcmp(word, text, len) == 0) {
            *out = index;
            return RC_OK;
        }
        if (!word[word_len])
            break;
        word += word_len + 1;
    }
    return err_set(e, RC_USAGE, "--%s: \"%s\" is not one of %s", spec->name, text, spec->choices);
}

static enum rc set_number(int64_t *out, const struct option_spec *spec, const char *text,
                          struct err *e)
{
    uint64_t n = 0;
    if (spec->choices && strcmp(text, spec->choices) == 0) {
        *out = 0;
        return RC_OK;
    }
    bool fits = units_uint(str_c(text), &n) && n <= (uint64_t)spec->max && (int64_t)n >= spec->min;
    if (fits) {
        *out = (int64_t)n;
        return RC_OK;
    }
    if (spec->max == INT64_MAX)
        return err_set(e, RC_USAGE, "--%s: \"%s\" is not a whole number", spec->name, text);
    return err_set(e, RC_USAGE,
                   "--%s: \"%s\" is not %s%sa whole number from %" PRId64 " to %" PRId64,
                   spec->name, text, spec->choices ? spec->choices : "",
                   spec->choices ? " or " : "", spec->min, spec->max);
}

static enum rc out_of_range(const struct option_spec *spec, const char *text,
                            const struct unit *units, struct err *e)
{
    char min[32], max[32];
    return err_set(e, RC_USAGE, "--%s: \"%s\" is not between %s and %s", spec->name, text,
                   format_scaled(min, sizeof min, spec->min, units),
                   format_scaled(max, sizeof max, spec->max, units));
}

static enum rc set_duration(int64_t *out, const struct option_spec *spec, const char *text,
                            struct err *e)
{
    int64_t ms = 0;
    if (!units_duration(str_c(text), &ms))
        return err_set(e, RC_USAGE, "--%s: \"%s\" is not " UNITS_DURATION_TEXT, spec->name, text);
    if (ms < spec->min || ms > spec->max)
        return out_of_range(spec, text, duration_units, e);
    *out = ms;
    return RC_OK;
}

static enum rc set_size(int64_t *out, const struct option_spec *spec, const char *text,
                        struct err *e)
{
    uint64_t bytes = 0;
    if (!units_size(str_c(text), &bytes))
        return err_set(e, RC_USAGE, "--%s: \"%s\" is not " UNITS_SIZE_TEXT, spec->name, text);
    if (bytes > (uint64_t)spec->max || (int64_t)bytes < spec->min)
        return out_of_range(spec, text, size_units, e);
    *out = (int64_t)bytes;
    return RC_OK;
}

static enum rc set_rate(double *out, const struct option_spec *spec, const char *text,
                        struct err *e)
{
    if (!units_rate(str_c(text), out))
        return err_set(e, RC_USAGE, "--%s: \"%s\" is not " UNITS_RATE_TEXT, spec->name, text);
    return RC_OK;
}

static enum rc set_missing(struct missing_limit *out, const struct option_spec *spec,
                           const char *text, struct err *e)
{
    struct missing_limit limit = {.kind = MISSING_COUNT};
    if (!units_uint(str_c(text), &limit.n)) {
        limit.kind = MISSING_SHARE;
        if (!units_percent(str_c(text), &limit.n))
            return err_set(e, RC_USAGE, "--%s: \"%s\" is not a whole number or %s", spec->name,
                           text, UNITS_PERCENT_TEXT);
    }
    *out = limit;
    return RC_OK;
}

enum rc text_list_add(struct text_list *list, const char *text, struct err *e)
{
    /* The capacity is the next power of two: it grows when the length is one. */
    if ((list->n & (list->n - 1)) == 0) {
        size_t cap = list->n ? list->n * 2 : 1;
        const char **items = realloc(list->items, cap * sizeof *items);
        if (!items)
            return err_nomem(e);
        list->items = items;
    }
    list->items[list->n++] = text;
    return RC_OK;
}

enum rc option_set(struct export_options *o, const struct option_spec *spec, const char *text,
                   struct err *e)
{
    void *value = (char *)o + spec->offset;
    if (spec->arg && !*text)
        return err_set(e, RC_USAGE, "--%s: %s must not be empty", spec->name, spec->arg);
    switch (spec->type) {
    case OPTION_FLAG:
        *(bool *)value = true;
        return RC_OK;
    case OPTION_COUNT:
        ++*(int64_t *)value;
        return RC_OK;
    case OPTION_CHOICE:
        return set_choice(value, spec, text, e);
    case OPTION_NUMBER:
        return set_number(value, spec, text, e);
    case OPTION_DURATION:
        return set_duration(value, spec, text, e);
    case OPTION_SIZE:
        return set_size(value, spec, text, e);
    case OPTION_RATE:
        return set_rate(value, spec, text, e);
    case OPTION_MISSING:
        return set_missing(value, spec, text, e);
    case OPTION_TEXT:
        *(const char **)value = text;
        return RC_OK;
    case OPTION_LIST:
        return text_list_add(value, text, e);
    }
    return err_set(e, RC_INTERNAL, "--%s: unknown type", spec->name);
}
