#include <stdio.h>
#include <stdlib.h>

#include "core/base/arena.h"
#include "core/base/url.h"
#include "sinks/registry.h"

#define SPEC_BYTES_MAX ((size_t)1 << 20) /* a command line is not longer */
#define SYNTAX "KIND[,OPTION[=VALUE]]...:TARGET"
/* What is being parsed. */
struct parse {
    struct sink_spec *spec;
    struct arena *arena;
    struct option_reader options;
    struct str rest;     /* still to be read */
    char *values;        /* where the next value goes; room for all of them */
    const char *subject; /* the sink's name */
};

/* ---- options -------------------------------------------------------------------------------- */

static enum rc refuse_unknown(const struct parse *p, struct str name, struct err *e)
{
    const struct option_spec *table = p->options.table;
    struct buf hint;
    buf_init(&hint, 4096);
    buf_adds(&hint, option_table_size(table) ? "the options are: " : "it has no options");
    for (size_t i = 0; i < option_table_size(table); i++)
        buf_addf(&hint, "%s%s", i ? ", " : "", table[i].name);
    enum rc rc = option_unknown(&p->options, name, buf_cstr(&hint), e);
    buf_free(&hint);
    return rc;
}

/* The value's text has a NUL behind it and lives in the arena. */
static enum rc take(struct parse *p, struct str name, struct str value, struct err *e)
{
    if (name.len == 0)
        return err_set(e, RC_USAGE, "%s: a comma must be followed by an option; write " SYNTAX,
                       p->subject);
    const struct option_spec *o = option_named(p->options.table, name);
    enum rc rc = o ? option_take(&p->options, o, value.ptr, e) : refuse_unknown(p, name, e);
    if (rc == RC_USAGE)
        err_prefix(e, "%s", p->subject);
    return rc;
}

/* Also makes a struct of defaults alone, for the identity. */
static enum rc begin(struct parse *p, struct err *e)
{
    struct sink_spec *spec = p->spec;
    size_t bytes = spec->ops->opts_size ? spec->ops->opts_size : 1;
    spec->opts = arena_zalloc(p->arena, bytes);
    spec->defaults = arena_zalloc(p->arena, bytes);
    if (!spec->opts || !spec->defaults)
        return err_nomem(e);
    p->options = (struct option_reader){spec->ops->opts, spec->defaults, "", p->arena, NULL, 0};
    enum rc rc = option_begin(&p->options, e);
    p->options.values = spec->opts;
    if (rc == RC_OK)
        rc = option_begin(&p->options, e);
    if (rc == RC_INTERNAL)
        err_prefix(e, "%s", p->subject);
    return rc;
}

/* ---- the grammar ---------------------------------------------------------------------------- */

/* The colon before a port, or within the brackets of an IPv6 address: `host` is what stands between "://" and
 * the colon. */
static bool is_host_colon(struct str host, struct str behind)
{
    size_t digits = 0;
    if (host.len == 0 || memchr(host.ptr, '/', host.len))
        return false;
    if (host.ptr[0] == '[' && !memchr(host.ptr, ']', host.len))
        return true;
    while (digits < behind.len && behind.ptr[digits] >= '0' && behind.ptr[digits] <= '9')
        digits++;
    return digits > 0 && (digits == behind.len || strchr("/,:", behind.ptr[digits]));
}

/* A colon of a URL that is an option's value. */
static bool is_url_colon(struct str s, size_t value, size_t at)
{
    struct str before = {s.ptr + value, at - value};
    struct str behind = {s.ptr + at + 1, s.len - at - 1};
    if (behind.len >= 2 && memcmp(behind.ptr, "//", 2) == 0)
        return str_eq_c(before, "http") || str_eq_c(before, "https");
    const char *scheme = before.len ? memmem(before.ptr, before.len, "://", 3) : NULL;
    return scheme &&
           is_host_colon((struct str){scheme + 3, (size_t)(s.ptr + at - scheme - 3)}, behind);
}

/* `value`: where the option's value begins. */
static bool is_option_end(struct str s, size_t value, size_t at)
{
    if (s.ptr[at] == ',')
        return true;
    return s.ptr[at] == ':' && (at + 1 == s.len || s.ptr[at + 1] != ' ') &&
           !is_url_colon(s, value, at);
}

/* A backslash before what it can guard; any other is itself. */
static bool is_escape(struct str s, size_t at)
{
    return s.ptr[at] == '\\' && at + 1 < s.len && strchr(",:\\", s.ptr[at + 1]);
}

static size_t value_end(struct str s, size_t value)
{
    size_t at = value;
    while (at < s.len && !is_option_end(s, value, at))
        at += is_escape(s, at) ? 2 : 1;
    return at;
}

/* Commas and backslashes first; then, of what they became, the colons that would end the value. */
void sink_spec_put_value(struct buf *out, const char *value)
{
    struct buf guarded;
    buf_init(&guarded, out->max);
    for (const char *at = value; *at; at++) {
        if (*at == ',' || *at == '\\')
            buf_addc(&guarded, '\\');
        buf_addc(&guarded, *at);
    }
    struct str s = str_c(buf_cstr(&guarded)); /* "" where there was no memory */
    for (size_t at = 0; at < s.len; at++) {
        if (s.ptr[at] == ':' && is_option_end(s, 0, at))
            buf_addc(out, '\\');
        buf_addc(out, s.ptr[at]);
    }
    if (out->rc == RC_OK)
        out->rc = buf_rc(&guarded);
    buf_free(&guarded);
}

void sink_spec_get_value(struct buf *out, struct str text)
{
    for (size_t at = 0; at < text.len; at++) {
        at += is_escape(text, at);
        buf_addc(out, text.ptr[at]);
    }
}

size_t sink_spec_piece(struct str rest)
{
    size_t at = 0;
    while (at < rest.len && rest.ptr[at] != ',' && rest.ptr[at] != ':' && rest.ptr[at] != '=')
        at++;
    return at < rest.len && rest.ptr[at] == '=' ? value_end(rest, at + 1) : at;
}

/* Takes a value up to the comma or colon that ends it, without the backslashes. */
static struct str value_take(struct parse *p)
{
    struct str s = p->rest;
    struct str value = {p->values, 0};
    size_t end = value_end(s, 0);
    for (size_t at = 0; at < end; at++) {
        at += is_escape(s, at);
        p->values[value.len++] = s.ptr[at];
    }
    p->values[value.len] = '\0';
    p->values += value.len + 1;
    p->rest = (struct str){s.ptr + end, s.len - end};
    return value;
}

/* Takes what stands before the first of `ends`, which stays. */
static struct str word_take(struct str *s, const char *ends)
{
    size_t n = 0;
    while (n < s->len && !strchr(ends, s->ptr[n]))
        n++;
    struct str word = {s->ptr, n};
    *s = (struct str){s->ptr + n, s->len - n};
    return word;
}

static bool char_take(struct str *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c)
        return false;
    s->ptr++;
    s->len--;
    return true;
}

static enum rc kind_take(struct parse *p, struct err *e)
{
    struct str kind = word_take(&p->rest, ",:");
    p->spec->ops = sink_by_name(kind);
    if (p->spec->ops) {
        p->subject = p->spec->ops->name;
        return RC_OK;
    }
    const char *option = sink_left_out(kind);
    if (option)
        return err_set(e, RC_USAGE, "this build has no " STR_FMT " sink: rebuild with -D%s=ON",
                       STR_ARG(kind), option);
    struct buf names;
    buf_init(&names, 1024);
    for (size_t i = 0; sink_registry[i]; i++)
        buf_addf(&names, "%s%s", i ? ", " : "", sink_registry[i]->name);
    bool is_url = p->rest.len >= 3 && strncmp(p->rest.ptr, "://", 3) == 0;
    enum rc rc = err_set(e, RC_USAGE, "unknown sink \"%.*s\"; %sthe sinks are: %s",
                         (int)(kind.len < 64 ? kind.len : 64), kind.ptr,
                         is_url ? "write the sink before the URL, as in webhook:https://... or "
                                  "postgres:postgresql://...; "
                                : "",
                         buf_cstr(&names));
    buf_free(&names);
    return rc;
}

static enum rc take_all(struct parse *p, struct err *e)
{
    while (char_take(&p->rest, ',')) {
        struct str name = word_take(&p->rest, "=,:");
        struct str value = STR_NONE;
        if (char_take(&p->rest, '='))
            value = value_take(p);
        enum rc rc = take(p, name, value, e);
        if (rc != RC_OK)
            return rc;
    }
    if (!char_take(&p->rest, ':') || p->rest.len == 0)
        return err_set(e, RC_USAGE, "%s: missing target; write " SYNTAX, p->subject);
    enum rc rc = option_check(&p->options, e);
    if (rc == RC_USAGE)
        err_prefix(e, "%s", p->subject);
    return rc;
}

static bool is_scheme_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '-' || c == '.';
}

#define SCHEME_BYTES_MAX 32

/* The URL in a target, where there is one; "X-Token:s3cret:https://host/" is a header's value that
 * lacks the blank before it, and a URL behind it. */
static const char *find_url(const char *target)
{
    const char *slashes = strstr(target, "://");
    const char *scheme = slashes;
    while (scheme && scheme > target && slashes - scheme < SCHEME_BYTES_MAX &&
           is_scheme_byte(scheme[-1]))
        scheme--;
    bool is_path = scheme && scheme > target && strchr("/.", target[0]);
    return is_path ? NULL : scheme;
}

/* "KIND:TARGET"; of a URL neither user and password nor the query, which may be secret. */
static char *label_make(struct arena *a, const char *kind, const char *target)
{
    const char *url = find_url(target);
    struct str user = url ? url_userinfo(url) : STR_NONE;
    const char *from = user.ptr ? user.ptr + user.len + 1 : url ? url : target;
    size_t scheme = user.ptr ? (size_t)(user.ptr - url) : 0;
    size_t n = url ? strcspn(from, "?#") : strlen(from);
    size_t bytes = strlen(kind) + scheme + n + sizeof ":***";
    char *label = arena_alloc(a, bytes);
    if (label)
        (void)snprintf(label, bytes, "%s:%s%.*s%.*s", kind, url > target ? "***" : "", (int)scheme,
                       url ? url : "", (int)n, from);
    return label;
}

static enum rc spec_take(struct parse *p, const char *text, struct err *e)
{
    struct sink_spec *spec = p->spec;
    spec->text = arena_strdup(p->arena, str_c(text));
    p->values = arena_alloc(p->arena, strlen(text) + 1); /* each has a "=" before it for its NUL */
    if (!spec->text || !p->values)
        return err_nomem(e);
    p->rest = str_c(spec->text);
    enum rc rc = kind_take(p, e);
    if (rc != RC_OK)
        return rc;
    rc = begin(p, e);
    if (rc == RC_OK)
        rc = take_all(p, e);
    if (rc != RC_OK)
        return rc;
    spec->target = arena_strdup(p->arena, p->rest);
    spec->label = spec->target ? label_make(p->arena, p->subject, spec->target) : NULL;
    return spec->label ? RC_OK : err_nomem(e);
}

enum rc sink_spec_parse(struct sink_spec *out, const char *text, struct err *e)
{
    struct arena *arena = malloc(sizeof *arena);
    if (!arena)
        return err_nomem(e);
    arena_init(arena, SIZE_MAX / 2);
    struct sink_spec spec = {.memory = arena};
    struct parse p = {.spec = &spec, .arena = arena};
    enum rc rc = strlen(text) <= SPEC_BYTES_MAX
                     ? spec_take(&p, text, e)
                     : err_set(e, RC_USAGE, "a sink's specification is too long");
    if (rc != RC_OK) {
        sink_spec_free(&spec);
        return rc;
    }
    *out = spec;
    return RC_OK;
}

void sink_spec_free(struct sink_spec *s)
{
    if (s->memory)
        arena_free(s->memory);
    free(s->memory);
    *s = (struct sink_spec){0};
}
