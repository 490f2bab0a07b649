/* "list" of a profile: how all leads are listed. */
#include "core/base/url.h"
#include "core/provider/profile_reader.h"

#define TEMPLATE_BYTES_MAX 4096
#define QUERY_NAME_BYTES_MAX 128
#define PAGE_SIZE_MAX 1000000

/* RFC 3986, section 2.3: unreserved, and brackets, which are sent as escapes. */
#define CHARS_QUERY_NAME CHARS_LOWER CHARS_UPPER CHARS_DIGIT "-._~[]"

/* One of some words: its index. */
static enum rc read_choice(const struct profile_reader *r, const struct member *at,
                           const char *const *words, const char *allowed, unsigned *out)
{
    struct str text = STR("");
    enum rc rc = member_text(&r->json, at, QUERY_NAME_BYTES_MAX, &text);
    for (unsigned i = 0; rc == RC_OK && words[i]; i++) {
        if (str_eq_c(text, words[i])) {
            *out = i;
            return RC_OK;
        }
    }
    return rc == RC_OK ? member_refuse(&r->json, at, "must be %s", allowed) : rc;
}

static enum rc read_query_name(const struct profile_reader *r, const struct member *at,
                               struct str *out)
{
    return reader_word(r, at, CHARS_QUERY_NAME, QUERY_NAME_BYTES_MAX, out);
}

/* A place that must be said. */
static enum rc read_required_place(const struct profile_reader *r, const struct member *at,
                                   struct path *out)
{
    if (!at->json)
        return member_refuse(&r->json, at, "is missing: a path is required here");
    return reader_place(r, at, out);
}

/* ---- URL and parameters ---------------------------------------------------------------------- */

static enum rc read_url(const struct profile_reader *r, const struct member *at,
                        struct list_spec *l)
{
    const struct profile *p = r->profile;
    struct err why;
    enum rc rc = member_text(&r->json, at, TEMPLATE_BYTES_MAX, &l->url_template);
    if (rc == RC_OK && url_list_template_check(l->url_template, &why) != RC_OK)
        rc = member_refuse(&r->json, at, "%s", why.msg);
    struct str rest = l->url_template, literal, name;
    while (rc == RC_OK && rest.len && url_template_next(&rest, &literal, &name)) {
        int param = name.ptr ? profile_param(p, name) : -1;
        if (param >= 0)
            l->in_url[param] = true;
        else if (name.ptr)
            rc = member_refuse(&r->json, at,
                               "{" STR_FMT "} is no parameter of the profile's \"path\"",
                               STR_ARG(name));
    }
    return rc;
}

/* Members are names of parameters, which are known. */
static enum rc read_params(const struct profile_reader *r, const struct member *at,
                           struct list_spec *l)
{
    if (!at->json)
        return RC_OK;
    if (!cJSON_IsObject(at->json))
        return member_refuse(&r->json, at, "must be an object");
    enum rc rc = RC_OK;
    for (const cJSON *m = at->json->child; rc == RC_OK && m; m = m->next) {
        const struct member member = {.up = at, .name = m->string, .json = m};
        int param = profile_param(r->profile, json_member_name(m));
        if (param < 0)
            rc = member_refuse(&r->json, &member, "is no parameter of the profile's \"path\"");
        else if (l->in_url[param])
            rc =
                member_refuse(&r->json, &member, "is in the list's \"path\", which says its value");
        else
            rc = reader_place(r, &member, &l->params[param]);
    }
    return rc;
}

/* ---- pages ----------------------------------------------------------------------------------- */

/* Which members a style may have. */
static const char *const allowed_members[] = {
    [LIST_PAGE] = "style parameter first more size size_parameter",
    [LIST_CURSOR] = "style parameter next more size size_parameter",
    [LIST_TOKEN] = "style parameter next more size size_parameter",
    [LIST_LINK] = "style size size_parameter",
};

static enum rc read_size(const struct profile_reader *r, const struct member *at,
                         struct list_spec *l)
{
    const struct member size = member_of(at, "size"), name = member_of(at, "size_parameter");
    enum rc rc = reader_number(r, &size, 1, PAGE_SIZE_MAX, &l->size);
    if (rc == RC_OK && name.json && !size.json)
        return member_refuse(&r->json, &name, "needs \"size\"");
    return rc == RC_OK && name.json ? read_query_name(r, &name, &l->size_name) : rc;
}

static enum rc read_pages(const struct profile_reader *r, const struct member *at,
                          struct list_spec *l)
{
    static const char *const words[] = {"page", "cursor", "token", "link", NULL};
    unsigned style = 0;
    if (!cJSON_IsObject(at->json))
        return member_refuse(&r->json, at, "must be an object with \"style\"");
    const struct member word = member_of(at, "style"), name = member_of(at, "parameter"),
                        next = member_of(at, "next"), more = member_of(at, "more"),
                        first = member_of(at, "first");
    enum rc rc = read_choice(r, &word, words, "page, cursor, token or link", &style);
    if (rc == RC_OK)
        rc = member_object(&r->json, at, allowed_members[style]);
    l->style = (enum list_style)style;
    l->first = 1;
    if (rc == RC_OK && style != LIST_LINK)
        rc = read_query_name(r, &name, &l->name);
    if (rc == RC_OK && (style == LIST_TOKEN || style == LIST_CURSOR))
        rc = read_required_place(r, &next, &l->next);
    if (rc == RC_OK)
        rc = reader_place(r, &more, &l->more);
    if (rc == RC_OK)
        rc = reader_number(r, &first, 0, 1, &l->first);
    return rc == RC_OK ? read_size(r, at, l) : rc;
}

/* ---- filters --------------------------------------------------------------------------------- */

static enum rc read_filter(const struct profile_reader *r, const struct member *at,
                           struct list_filter *out)
{
    static const char *const words[] = {"rfc3339", "unix", "unix-ms", NULL};
    unsigned format = LIST_TIME_RFC3339;
    if (!at->json)
        return RC_OK;
    enum rc rc = member_object(&r->json, at, "parameter format");
    const struct member name = member_of(at, "parameter"), word = member_of(at, "format");
    if (rc == RC_OK)
        rc = read_query_name(r, &name, &out->name);
    if (rc == RC_OK && word.json)
        rc = read_choice(r, &word, words, "rfc3339, unix or unix-ms", &format);
    out->format = (enum list_time)format;
    return rc;
}

static enum rc read_filters(const struct profile_reader *r, const struct member *at,
                            struct list_spec *l)
{
    if (!at->json)
        return RC_OK;
    enum rc rc = member_object(&r->json, at, "created_since created_until");
    const struct member since = member_of(at, "created_since"),
                        until = member_of(at, "created_until");
    if (rc == RC_OK)
        rc = read_filter(r, &since, &l->since);
    return rc == RC_OK ? read_filter(r, &until, &l->until) : rc;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* Two parameters of one name would be sent in one query, and the server chooses. */
static enum rc check_names(const struct profile_reader *r, const struct member *at,
                           const struct list_spec *l)
{
    const struct str names[] = {l->name, l->size_name, l->since.name, l->until.name};
    const size_t n = sizeof names / sizeof *names;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i + 1; k < n; k++) {
            if (names[i].ptr && names[k].ptr && str_eq(names[i], names[k]))
                return member_refuse(&r->json, at,
                                     "the query parameter \"" STR_FMT
                                     "\" is used for two different things",
                                     STR_ARG(names[i]));
        }
    }
    return RC_OK;
}

static enum rc read_members(const struct profile_reader *r, const struct member *at,
                            struct list_spec *l)
{
    const struct member path = member_of(at, "path"), items = member_of(at, "items"),
                        id = member_of(at, "id"), params = member_of(at, "params"),
                        total = member_of(at, "total"), pages = member_of(at, "pages"),
                        filters = member_of(at, "filters");
    enum rc rc = read_url(r, &path, l);
    if (rc == RC_OK)
        rc = read_required_place(r, &items, &l->items);
    if (rc == RC_OK)
        rc = read_required_place(r, &id, &l->id);
    if (rc == RC_OK)
        rc = read_params(r, &params, l);
    if (rc == RC_OK)
        rc = reader_place(r, &total, &l->total);
    if (rc == RC_OK)
        rc = read_pages(r, &pages, l);
    if (rc == RC_OK)
        rc = read_filters(r, &filters, l);
    return rc == RC_OK ? check_names(r, at, l) : rc;
}

enum rc profile_read_list(const struct profile_reader *r, const struct member *at,
                          struct profile *p)
{
    if (!at->json)
        return RC_OK;
    enum rc rc = member_object(&r->json, at, "path items id params total pages filters");
    if (rc != RC_OK)
        return rc;
    struct list_spec *l = arena_zalloc(r->json.arena, sizeof *l);
    if (l) {
        l->params = arena_zalloc(r->json.arena, (p->n_params + 1) * sizeof *l->params);
        l->in_url = arena_zalloc(r->json.arena, (p->n_params + 1) * sizeof *l->in_url);
    }
    if (!l || !l->params || !l->in_url)
        return err_nomem(r->json.err);
    p->list = l;
    return read_members(r, at, l);
}
