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

/* A header's value may be a token; what it is called is no secret. */
static void redact_piece(struct buf *out, const char *p, size_t n)
{
    static const char header[] = "header=";
    const size_t name_at = sizeof header - 1;
    if (n < name_at || memcmp(p, header, name_at) != 0) {
        buf_add(out, p, n);
        return;
    }
    const char *colon = memchr(p, ':', n);
    buf_add(out, p, colon ? (size_t)(colon - p) : name_at);
    buf_adds(out, colon ? ": " STARS : STARS);
}

static void redact_target(struct buf *out, const char *target)
{
    if (!strstr(target, "://")) {
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
    for (;;) {
        size_t n = sink_spec_piece(str_c(spec));
        redact_piece(out, spec, n);
        spec += n;
        if (*spec != ',')
            break;
        buf_addc(out, *spec++);
    }
    if (*spec == ':') {
        buf_addc(out, ':');
        redact_target(out, spec + 1);
    }
}

/* Values are pieces of argv: the one that lies within this element, or NULL. */
static const char *value_within(const struct text_list *values, const char *element)
{
    const char *end = element + strlen(element);
    for (size_t i = 0; i < values->n; i++) {
        if (values->items[i] >= element && values->items[i] < end)
            return values->items[i];
    }
    return NULL;
}

static char *copy_argument(const char *element, const struct export_options *o)
{
    const char *spec = value_within(&o->secret_specs, element);
    const char *url = value_within(&o->secret_urls, element);
    const char *value = spec ? spec : url;
    struct buf b;
    buf_init(&b, ARGUMENT_BYTES_MAX);
    buf_add(&b, element, value ? (size_t)(value - element) : strlen(element));
    if (spec)
        arguments_redact_spec(&b, spec);
    else if (url)
        arguments_redact_url(&b, url);
    char *copy = buf_rc(&b) == RC_OK ? strdup(buf_cstr(&b)) : NULL;
    buf_free(&b);
    return copy;
}

enum rc arguments_copy(struct arguments *out, int argc, char *const argv[],
                       const struct export_options *o, struct err *e)
{
    struct arguments a = {.items = calloc((size_t)argc + 1, sizeof *a.items)};
    if (!a.items)
        return err_nomem(e);
    for (int i = 0; i < argc; i++) {
        a.items[a.n] = copy_argument(argv[i], o);
        if (!a.items[a.n]) {
            arguments_free(&a);
            return err_nomem(e);
        }
        a.n++;
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
