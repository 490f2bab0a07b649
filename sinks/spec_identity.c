/* What a sink writes and where, without what may change between two parts of a run; and what its rows look like. */
#include "sinks/registry.h"
#include "sinks/table_files.h"

#define VALUE_BYTES_MAX ((size_t)1 << 20)

/* Commas of a value are not those between options. */
static void put_guarded(struct buf *out, struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == ',' || value.ptr[i] == '\\')
            buf_addc(out, '\\');
        buf_addc(out, value.ptr[i]);
    }
}

static void put_option(struct buf *out, const struct option_spec *o, const void *opts,
                       const char *folder)
{
    struct buf value;
    buf_init(&value, VALUE_BYTES_MAX);
    for (size_t i = 0; i < option_count_values(o, opts); i++) {
        buf_clear(&value);
        option_put_identity(&value, o, opts, i, folder);
        buf_addf(out, ",%s%s", o->name, option_takes_value(o) ? "=" : "");
        put_guarded(out, buf_str(&value));
        if (buf_rc(&value) != RC_OK)
            out->rc = buf_rc(&value);
    }
    buf_free(&value);
}

void sink_spec_identity(const struct sink_spec *s, const char *folder, struct buf *out)
{
    const char *shown = strchr(s->label, ':') + 1;
    buf_adds(out, s->ops->name);
    for (const struct option_spec *o = s->ops->opts; o && o->name; o++) {
        if (!(o->flags & OPTION_MAY_CHANGE) && !option_is_equal(o, s->opts, s->defaults))
            put_option(out, o, s->opts, folder);
    }
    buf_addf(out, ":%s", shown);
    /* What is not shown of a URL may be secret, and is a part of the target all the same. */
    if (strcmp(shown, s->target) != 0)
        buf_addf(out, " (%08x)", (unsigned)(str_hash(str_c(s->target), 0) & 0xFFFFFFFF));
}

void sink_spec_form(const struct sink_spec *s, struct buf *out)
{
    const unsigned other = OPTION_MAY_CHANGE | OPTION_PACKING | OPTION_ANY_SECRET;
    buf_adds(out, s->ops->name);
    if (!s->ops->merge)
        return; /* messages and requests are not merged */
    for (const struct option_spec *o = s->ops->opts; o && o->name; o++) {
        if (!(o->flags & other) && !option_is_equal(o, s->opts, s->defaults))
            put_option(out, o, s->opts, "");
    }
    if (table_files_in_folder(s->target))
        buf_adds(out, ":/");
}
