/* Texts with names in braces: URLs and the values of headers. */
#include <stdio.h>

#include "core/base/suggest.h"
#include "core/base/url.h"
#include "sinks/push/destination_internal.h"

#define TEXT_BYTES_MAX 4096
#define PARTS_MAX 64
#define URL_BYTES_MAX ((size_t)64 << 10)
#define QUERY_CHARS                                                                                \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%/?:@!$&'()*+,;="

static bool may_be_in_header(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return false;
    }
    return true;
}

/* ---- reading -------------------------------------------------------------------------------- */

static enum rc refuse_name(const struct reader *r, const struct member *at, struct str name,
                           enum text_use use)
{
    const char *nearest = NULL;
    char shown[72], hint[128] = "";
    (void)snprintf(shown, sizeof shown, STR_FMT, STR_ARG(name));
    bool columns = r->one_item && (use == TEXT_URL || use == TEXT_HEADER);
    for (size_t i = 0; i < r->n_params; i++)
        suggest_consider(&nearest, shown, r->params[i].name.ptr);
    if (nearest)
        return member_refuse(&r->json, at,
                             "the name in {%s} is unknown, and param=%.64s was given: one of them "
                             "may be mistyped",
                             shown, nearest);
    for (size_t i = 0; i < r->n_take; i++)
        suggest_consider(&nearest, shown, r->take[i].ptr);
    const struct table_spec *t = &r->profile->tables[0];
    for (size_t i = 0; columns && i < r->profile->n_key_columns; i++)
        suggest_consider(&nearest, shown, r->profile->key_columns[i].ptr);
    for (size_t i = 0; columns && i < t->n_columns; i++)
        suggest_consider(&nearest, shown, t->columns[i].name.ptr);
    if (nearest)
        (void)snprintf(hint, sizeof hint, "; did you mean {%.64s}?", nearest);
    return member_refuse(&r->json, at,
                         "the name in {%s} is unknown%s (allowed: a parameter, given as "
                         "param=%s=VALUE%s%s)",
                         shown, hint, shown, r->n_take ? "; a member in oauth2/take" : "",
                         columns ? "; a column of leads" : "");
}

/* Is there such a column? Whatever the answer, nothing is said about it. */
static enum rc read_column(const struct reader *r, const struct member *at, struct str name,
                           struct text_part *part, bool *is_column)
{
    struct value *value = arena_zalloc(r->json.arena, sizeof *value);
    struct template *field = arena_zalloc(r->json.arena, sizeof *field);
    struct buf b;
    if (!value || !field)
        return err_nomem(r->json.err);
    struct err ignored;
    struct reader quiet = *r;
    quiet.json.err = &ignored;
    enum rc rc = value_compile_field(&quiet, at, name, 0, value);
    if (rc == RC_NOMEM)
        return err_nomem(r->json.err);
    *is_column = rc == RC_OK;
    if (rc != RC_OK)
        return RC_OK;
    struct str where = STR_NONE, what = STR_NONE;
    buf_init(&b, TEXT_BYTES_MAX);
    member_write_way(&b, at, NULL);
    rc = buf_rc(&b) == RC_NOMEM ? err_nomem(r->json.err)
                                : member_copy(&r->json, str_c(buf_cstr(&b)), &where);
    buf_clear(&b);
    buf_addf(&b, "the column " STR_FMT, STR_ARG(name));
    if (rc == RC_OK)
        rc = buf_rc(&b) != RC_OK ? err_nomem(r->json.err)
                                 : member_copy(&r->json, buf_str(&b), &what);
    buf_free(&b);
    value->where = where.ptr;
    value->what = what.ptr;
    field->kind = TEMPLATE_VALUE;
    field->value = value;
    part->kind = PART_FIELD;
    part->field = field;
    return rc;
}

static bool find_taken(const struct reader *r, struct str name, size_t *out)
{
    for (size_t i = 0; i < r->n_take; i++) {
        if (str_eq(r->take[i], name)) {
            *out = i;
            return true;
        }
    }
    return false;
}

static enum rc read_name(const struct reader *r, const struct member *at, enum text_use use,
                         struct str name, struct text_template *t, struct text_part *part)
{
    bool is_column = false, is_request = use == TEXT_URL || use == TEXT_HEADER;
    const struct param *param = reader_param(r, name);
    part->text = name;
    if (param) {
        part->kind = PART_PARAM;
        part->text = param->value;
        if (param->value.len == 0)
            return member_refuse(&r->json, at, "the parameter \"%s\" is empty, and is needed here",
                                 param->name.ptr);
        if (!may_be_in_header(param->value))
            return member_refuse(&r->json, at,
                                 "the parameter \"%s\" must have no control characters",
                                 param->name.ptr);
        return RC_OK;
    }
    if (is_request && find_taken(r, name, &part->index)) {
        part->kind = PART_TAKEN;
        t->has_taken = true;
        return RC_OK;
    }
    enum rc rc = is_request ? read_column(r, at, name, part, &is_column) : RC_OK;
    if (rc != RC_OK)
        return rc;
    if (!is_column)
        return refuse_name(r, at, name, use);
    if (!r->one_item)
        return member_refuse(&r->json, at,
                             "{%.*s} is a column of one lead, and a request has several (allowed: "
                             "with batch/max_items 1)",
                             STR_ARG(name));
    t->has_field = true;
    return RC_OK;
}

static enum rc read_parts(const struct reader *r, const struct member *at, enum text_use use,
                          struct str text, struct text_template *t)
{
    t->parts = arena_array(r->json.arena, PARTS_MAX, sizeof *t->parts);
    if (!t->parts)
        return err_nomem(r->json.err);
    struct str literal, name;
    while (text.len) {
        if (!url_template_next(&text, &literal, &name))
            return member_refuse(&r->json, at,
                                 "braces must be in pairs and enclose a name, such as {lead_id}");
        if (t->n_parts + 2 > PARTS_MAX)
            return member_refuse(&r->json, at, "must have at most %d names in braces",
                                 PARTS_MAX / 2 - 1);
        if (literal.len)
            t->parts[t->n_parts++] = (struct text_part){.text = literal, .kind = PART_LITERAL};
        if (!name.ptr)
            continue;
        enum rc rc = read_name(r, at, use, name, t, &t->parts[t->n_parts++]);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

static unsigned count_quotes(struct str text)
{
    unsigned n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '\'' || (text.len - i >= 3 && memcmp(text.ptr + i, "%27", 3) == 0);
    return n;
}

/* What stands behind an opening quote, and before a closing one. */
static void find_quoted(struct text_template *t)
{
    unsigned before = 0, all = 0;
    for (size_t i = 0; i < t->n_parts; i++)
        all += t->parts[i].kind == PART_LITERAL ? count_quotes(t->parts[i].text) : 0;
    for (size_t i = 0; i < t->n_parts; i++) {
        before += t->parts[i].kind == PART_LITERAL ? count_quotes(t->parts[i].text) : 0;
        t->parts[i].is_quoted = before % 2 == 1 && before < all;
    }
}

/* As the URL would be with values that need no escapes. */
static void write_sample(const struct text_template *t, struct buf *b)
{
    for (size_t i = 0; i < t->n_parts; i++) {
        const struct text_part *p = &t->parts[i];
        if (p->kind == PART_LITERAL)
            buf_add_str(b, p->text);
        else if (p->kind == PART_PARAM)
            url_encode(b, p->text);
        else
            buf_adds(b, i == 0 && p->kind == PART_TAKEN ? "https://x" : "x");
    }
}

static const char *check_query(struct str query)
{
    for (size_t i = 0; i < query.len; i++) {
        if (query.ptr[i] == '#')
            return "must have no fragment (#)";
        if (!strchr(QUERY_CHARS, query.ptr[i]))
            return "contains a character that is not allowed in a URL";
    }
    return NULL;
}

static enum rc check_url(const struct reader *r, const struct member *at,
                         const struct text_template *t)
{
    struct buf b;
    buf_init(&b, URL_BYTES_MAX);
    write_sample(t, &b);
    struct str url = str_c(buf_cstr(&b));
    const char *query = memchr(url.ptr, '?', url.len);
    struct str base = {url.ptr, query ? (size_t)(query - url.ptr) : url.len};
    struct err why = {.msg = ""};
    enum rc rc = buf_rc(&b) == RC_NOMEM ? err_nomem(r->json.err) : url_check(base, &why);
    const char *fault = rc == RC_OK && query ? check_query(str_c(query + 1)) : NULL;
    if (rc == RC_SYNTAX || fault)
        rc = member_refuse(&r->json, at, "%s", fault ? fault : why.msg);
    else if (rc == RC_NOMEM)
        rc = err_nomem(r->json.err);
    buf_free(&b);
    return rc;
}

/* Where a request goes is not a lead's to say: host and port stand before the first column. */
static enum rc check_host(const struct reader *r, const struct member *at,
                          const struct text_template *t)
{
    struct text_template before = *t;
    struct buf b;
    before.n_parts = 0;
    while (before.n_parts < t->n_parts && t->parts[before.n_parts].kind != PART_FIELD)
        before.n_parts++;
    buf_init(&b, URL_BYTES_MAX);
    write_sample(&before, &b);
    const char *host = strstr(buf_cstr(&b), "://");
    bool ends = host && host[3] != '\0' && strpbrk(host + 3, "/?");
    enum rc rc = buf_rc(&b);
    buf_free(&b);
    if (rc == RC_NOMEM)
        return err_nomem(r->json.err);
    return ends ? RC_OK : member_refuse(&r->json, at, "must have no column in its host");
}

/* What is made with the lead is made before the token's answer is there. */
static enum rc check_taken(const struct reader *r, const struct member *at, enum text_use use,
                           const struct text_template *t)
{
    for (size_t i = 0; use == TEXT_URL && i < t->n_parts; i++) {
        if (t->parts[i].kind == PART_TAKEN && i > 0)
            return member_refuse(&r->json, at,
                                 "{" STR_FMT "} is a member of the token's answer, and may only be "
                                 "the beginning of the URL",
                                 STR_ARG(t->parts[i].text));
    }
    if (use == TEXT_HEADER && t->has_taken && t->has_field)
        return member_refuse(&r->json, at,
                             "must have either columns of the lead or members of the token's "
                             "answer, not both");
    return use == TEXT_URL && t->has_field ? check_host(r, at, t) : RC_OK;
}

enum rc text_template_read(const struct reader *r, const struct member *at, enum text_use use,
                           struct text_template *out)
{
    struct str text = STR("");
    enum rc rc = member_some_text(&r->json, at, TEXT_BYTES_MAX, &text);
    if (rc == RC_OK)
        rc = read_parts(r, at, use, text, out);
    if (rc == RC_OK && use == TEXT_URL)
        find_quoted(out);
    if (rc == RC_OK && (use == TEXT_URL || use == TEXT_TOKEN_URL))
        rc = check_url(r, at, out);
    return rc == RC_OK ? check_taken(r, at, use, out) : rc;
}

/* ---- writing -------------------------------------------------------------------------------- */

static enum rc fail(struct template_fault *fault, bool for_url, const char *what, const char *why)
{
    fault->code = for_url ? "url" : "header";
    (void)snprintf(fault->text, sizeof fault->text, "%.100s %s", what, why);
    utf8_scrub(fault->text);
    return RC_USAGE;
}

/* A quote within quotes is doubled, as in OData (ABNF Construction Rules 4.01, SQUOTE-in-string). */
static void put_in_url(struct buf *out, struct str text, bool is_quoted)
{
    while (text.len) {
        const char *quote = is_quoted ? memchr(text.ptr, '\'', text.len) : NULL;
        size_t n = quote ? (size_t)(quote - text.ptr) + 1 : text.len;
        url_encode(out, (struct str){text.ptr, n});
        if (quote)
            url_encode(out, STR("'"));
        text = (struct str){text.ptr + n, text.len - n};
    }
}

static enum rc write_text(const struct text_part *p, struct str text, bool for_url, bool is_first,
                          const char *what, struct buf *out, struct template_fault *fault)
{
    if (for_url && text.len == 0)
        return fail(fault, for_url, what, "is empty, and the URL needs it");
    if (!for_url && !may_be_in_header(text))
        return fail(fault, for_url, what, "has a character that no header may have");
    if (for_url && is_first && p->kind == PART_TAKEN)
        buf_add_str(out, url_trim(text));
    else if (for_url)
        put_in_url(out, text, p->is_quoted);
    else
        buf_add_str(out, text);
    return RC_OK;
}

static enum rc write_field(const struct text_part *p, bool for_url, const struct template_input *in,
                           struct buf *out, struct template_fault *fault)
{
    const struct value *v = p->field->value;
    char what[200];
    bool is_null = true;
    struct buf text;
    buf_init(&text, URL_BYTES_MAX);
    enum rc rc = template_write_plain(p->field, in, &text, &is_null, fault);
    (void)snprintf(what, sizeof what, "%s: %s", v->where, v->what);
    if (rc == RC_LIMIT)
        rc = fail(fault, for_url, what, "is too long");
    else if (rc == RC_OK && is_null)
        rc = fail(fault, for_url, what,
                  for_url ? "is null, and the URL needs it" : "is null, and the header needs it");
    else if (rc == RC_OK)
        rc = write_text(p, str_c(buf_cstr(&text)), for_url, false, what, out, fault);
    buf_free(&text);
    return rc;
}

enum rc text_template_write(const struct text_template *t, bool for_url,
                            const struct template_input *in, const struct str *taken,
                            struct buf *out, struct template_fault *fault)
{
    size_t start = out->len;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < t->n_parts; i++) {
        const struct text_part *p = &t->parts[i];
        if (p->kind == PART_LITERAL)
            buf_add_str(out, p->text);
        else if (p->kind == PART_FIELD)
            rc = write_field(p, for_url, in, out, fault);
        else
            rc = write_text(p, p->kind == PART_TAKEN ? taken[p->index] : p->text, for_url, i == 0,
                            p->kind == PART_TAKEN ? "the token's answer" : "a parameter", out,
                            fault);
    }
    if (rc != RC_OK || buf_rc(out) != RC_OK)
        return rc != RC_OK ? rc : buf_rc(out);
    if (for_url && out->len > start &&
        url_has_dot_segment((struct str){out->data + start, out->len - start}))
        return fail(fault, for_url, "the URL", "would have . or .. as a segment of its path");
    return RC_OK;
}
