#include "cmd/arguments.h"

#include <stdlib.h>

#include "core/base/url.h"
#include "sinks/registry.h"

#define ARGUMENT_BYTES_MAX ((size_t)4 << 20)

#define STARS "***"

void arguments_redact_url(struct buf *out, const char *url)
{
    struct str user = url_userinfo(url);
    if (!user.ptr) {
        buf_adds(out, url);
        return;
    }
    buf_add(out, url, (size_t)(user.ptr - url));
    buf_adds(out, STARS);
    buf_adds(out, user.ptr + user.len);
}

/* In "Name: value", only the value is secret. */
static void redact_header(struct buf *out, struct str header)
{
    const char *colon = memchr(header.ptr, ':', header.len);
    buf_add(out, header.ptr, colon ? (size_t)(colon - header.ptr) : 0);
    buf_adds(out, colon ? ": " STARS : STARS);
}

/* "name" or "name=value" of a sink's options. The value of an unknown option may be a secret. */
static void redact_piece(struct buf *out, const struct sink_ops *ops, struct str piece)
{
    const char *equals = memchr(piece.ptr, '=', piece.len);
    size_t name_bytes = equals ? (size_t)(equals - piece.ptr) : piece.len;
    const struct option_spec *o =
        ops ? option_named(ops->opts, (struct str){piece.ptr, name_bytes}) : NULL;
    if (!equals || (o && !(o->flags & OPTION_ANY_SECRET))) {
        buf_add_str(out, piece);
        return;
    }
    struct str value = {equals + 1, piece.len - name_bytes - 1};
    buf_add(out, piece.ptr, name_bytes + 1);
    if (o && o->flags & OPTION_SECRET_HEADER)
        redact_header(out, value);
    else
        buf_adds(out, STARS);
}

static void redact_target(struct buf *out, const char *target)
{
    /* "//host/": a scheme before it was taken for a part of an option. */
    if (!strstr(target, "://") && strncmp(target, "//", 2) != 0) {
        buf_adds(out, target);
        return;
    }
    struct buf url;
    buf_init(&url, ARGUMENT_BYTES_MAX);
    arguments_redact_url(&url, target);
    const char *text = buf_cstr(&url);
    size_t path_end = strcspn(text, "?#");
    buf_add(out, text, path_end);
    if (text[path_end])
        buf_adds(out, "?" STARS);
    buf_free(&url);
}

void arguments_redact_spec(struct buf *out, const char *spec)
{
    size_t n = strcspn(spec, ",:");
    const struct sink_ops *ops = sink_by_name((struct str){spec, n});
    buf_add(out, spec, n);
    spec += n;
    while (*spec == ',') {
        buf_addc(out, *spec++);
        n = sink_spec_piece(str_c(spec));
        redact_piece(out, ops, (struct str){spec, n});
        spec += n;
    }
    if (*spec == ':') {
        buf_addc(out, ':');
        redact_target(out, spec + 1);
    }
}

/* The next option, from index *at on, whose value may contain a secret. */
static const struct option_given *next_secret(const struct export_options *o, size_t *at)
{
    while (*at < o->n_given && !(o->given[*at].spec->flags & (OPTION_ANY_SECRET | OPTION_SINK)))
        ++*at;
    return *at < o->n_given ? &o->given[*at] : NULL;
}

static void redact_value(struct buf *out, unsigned flags, const char *text)
{
    if (flags & OPTION_SINK)
        arguments_redact_spec(out, text);
    else if (flags & OPTION_SECRET_URL)
        arguments_redact_url(out, text);
    else if (flags & OPTION_SECRET_HEADER)
        redact_header(out, str_c(text));
    else
        buf_adds(out, STARS);
}

/* `g`: the option whose value the element contains, or NULL. */
static char *copy_argument(const char *element, const struct option_given *g)
{
    struct buf b;
    buf_init(&b, ARGUMENT_BYTES_MAX);
    buf_add(&b, element, g ? (size_t)(g->text - element) : strlen(element));
    if (g)
        redact_value(&b, g->spec->flags, g->text);
    char *copy = buf_rc(&b) == RC_OK ? strdup(buf_cstr(&b)) : NULL;
    buf_free(&b);
    return copy;
}

/* Options are in the order of argv. */
enum rc arguments_copy(struct arguments *out, int argc, char *const argv[],
                       const struct export_options *o, struct err *e)
{
    struct arguments a = {.items = calloc((size_t)argc + 1, sizeof *a.items)};
    size_t at = 0;
    if (!a.items)
        return err_nomem(e);
    for (int i = 0; i < argc; i++) {
        const struct option_given *g = next_secret(o, &at);
        /* Values point into argv: is this one within that element? */
        bool has_it = g && g->text >= argv[i] && g->text < argv[i] + strlen(argv[i]);
        a.items[a.n] = copy_argument(argv[i], has_it ? g : NULL);
        if (!a.items[a.n]) {
            arguments_free(&a);
            return err_nomem(e);
        }
        a.n++;
        at += has_it;
    }
    *out = a;
    return RC_OK;
}

void arguments_redact(struct arguments *a, struct secrets *s)
{
    for (size_t i = 0; i < a->n; i++)
        secrets_redact(s, a->items[i], strlen(a->items[i]) + 1);
}

void arguments_free(struct arguments *a)
{
    for (size_t i = 0; i < a->n; i++)
        free(a->items[i]);
    free(a->items);
    *a = (struct arguments){0};
}
