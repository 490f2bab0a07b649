/* What a sink writes and where, without what may change between two parts of a run. */
#include <stdio.h>

#include "sinks/registry.h"

/* Word number `index` of "a|b|c". */
static struct str choice_word(const char *choices, int index)
{
    const char *at = choices;
    while (index-- > 0)
        at += strcspn(at, "|") + 1;
    return (struct str){at, strcspn(at, "|")};
}

static void add_named(struct buf *out, const struct opt_spec *o, struct str value)
{
    if (str_eq(value, str_c(o->default_text)))
        return;
    buf_addf(out, ",%s=", o->name);
    buf_add_str(out, value);
}

static void add_uint(struct buf *out, const struct opt_spec *o, unsigned value)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%u", value);
    add_named(out, o, value == SPEC_AUTO ? STR("auto") : str_c(text));
}

static void add_option(struct buf *out, const struct opt_spec *o, const void *opts)
{
    const void *value = (const char *)opts + o->offset;
    switch (o->type) {
    case OPT_FLAG:
        if (*(const bool *)value)
            buf_addf(out, ",%s", o->name);
        break;
    case OPT_CHOICE:
        add_named(out, o, choice_word(o->choices, *(const int *)value));
        break;
    case OPT_UINT:
        add_uint(out, o, *(const unsigned *)value);
        break;
    case OPT_TEXT:
    case OPT_FILE:
        if (*(const char *const *)value)
            add_named(out, o, str_c(*(const char *const *)value));
        break;
    case OPT_DURATION:
    case OPT_RATE:
    case OPT_LIST:
        break; /* none of them changes what is written */
    }
}

void sink_spec_identity(const struct sink_spec *s, struct buf *out)
{
    const char *shown = strchr(s->label, ':') + 1;
    buf_adds(out, s->ops->name);
    for (const struct opt_spec *o = s->ops->opts; o->name; o++) {
        if (!o->may_change)
            add_option(out, o, s->opts);
    }
    buf_addf(out, ":%s", shown);
    /* What is not shown of a URL may be secret, and is a part of the target all the same. */
    if (strcmp(shown, s->target) != 0)
        buf_addf(out, " (%08x)", (unsigned)(str_hash(str_c(s->target), 0) & 0xFFFFFFFF));
}
