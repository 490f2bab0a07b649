/* A destination from its JSON form: everything but "auth", "answer" and the templates. */
#include <stdio.h>
#include <strings.h>

#include "core/base/http_field.h"
#include "core/base/units.h"
#include "core/sink.h"
#include "sinks/push/destination_internal.h"

#define ABOUT_BYTES_MAX 1024
#define HEADERS_MAX 32
#define BODY_BYTES_DEFAULT ((size_t)4 << 20)
#define BODY_BYTES_MIN 1024
#define CONCURRENCY_MAX 1000
#define RATE_MAX 100000.0

/* ---- names ---------------------------------------------------------------------------------- */

static enum rc read_version(const struct reader *r, const struct member *top)
{
    const struct member version = member_of(top, "destination");
    if (!version.json)
        return member_refuse(&r->json, &version, "is missing: the version of the format, 1");
    if (!cJSON_IsNumber(version.json) || strcmp(version.json->valuestring, "1") != 0)
        return member_refuse(&r->json, &version, "must be 1, the version of the format");
    return RC_OK;
}

static enum rc read_names(const struct reader *r, const struct member *top, struct destination *d)
{
    static const enum http_method methods[] = {HTTP_POST, HTTP_PUT, HTTP_PATCH};
    const struct member about = member_of(top, "about"), method = member_of(top, "method");
    struct str text = STR("");
    unsigned which = 0;
    enum rc rc = about.json ? member_some_text(&r->json, &about, ABOUT_BYTES_MAX, &text) : RC_OK;
    d->about = text.ptr;
    if (rc == RC_OK)
        rc = member_choice(&r->json, &method, "POST PUT PATCH", &which);
    d->method = methods[which];
    return rc;
}

/* ---- batch ---------------------------------------------------------------------------------- */

/* "2M", or a number of bytes. */
static enum rc read_size(const struct reader *r, const struct member *at, size_t *out)
{
    uint64_t n = 0;
    bool is_text = cJSON_IsString(at->json);
    if (!is_text && !cJSON_IsNumber(at->json))
        return member_refuse(&r->json, at, "must be " UNITS_SIZE_TEXT);
    bool is_size =
        is_text ? units_size(json_text(at->json), &n) : units_uint(json_text(at->json), &n);
    if (!is_size)
        return member_refuse(&r->json, at, "must be " UNITS_SIZE_TEXT);
    if (n < BODY_BYTES_MIN || n > DESTINATION_BODY_MAX)
        return member_refuse(&r->json, at, "must be from 1K to %zuM", DESTINATION_BODY_MAX >> 20);
    *out = (size_t)n;
    return RC_OK;
}

static enum rc read_batch(const struct reader *r, const struct member *at, struct destination *d)
{
    d->max_items = 1;
    d->max_bytes = BODY_BYTES_DEFAULT;
    if (!at->json)
        return RC_OK;
    enum rc rc = member_object(&r->json, at, "max_items max_bytes unique_by");
    const struct member items = member_of(at, "max_items"), bytes = member_of(at, "max_bytes");
    uint64_t n = 1;
    if (rc == RC_OK && items.json)
        rc = member_whole(&r->json, &items, 1, DESTINATION_ITEMS_MAX, &n);
    d->max_items = (size_t)n;
    if (rc == RC_OK && bytes.json)
        rc = read_size(r, &bytes, &d->max_bytes);
    return rc;
}

static enum rc read_unique_by(const struct reader *r, const struct member *batch,
                              const struct member *item, struct destination *d)
{
    const struct member unique_by = member_of(batch, "unique_by");
    d->has_unique_by = unique_by.json != NULL;
    return unique_by.json ? item_pointer_read(r, &unique_by, item, &d->unique_by) : RC_OK;
}

/* ---- URL and headers ------------------------------------------------------------------------ */

static enum rc read_url(const struct reader *r, const struct member *top, struct destination *d)
{
    const struct member url = member_of(top, "url");
    bool is_given = false;
    enum rc rc = credential_read(r, top, "url", false, &d->url_place, &is_given);
    if (rc != RC_OK)
        return rc;
    if (url.json && is_given)
        return member_refuse(&r->json, &url, "cannot stand beside \"%s\": give one of them",
                             d->url_place.env ? "url_env" : "url_file");
    if (is_given)
        return RC_OK;
    if (!url.json)
        return member_refuse(&r->json, &url, "is missing (allowed: url, url_env, url_file)");
    return text_template_read(r, &url, TEXT_URL, &d->url);
}

static enum rc read_header(const struct reader *r, const struct member *at,
                           const struct destination *d, struct destination_header *out)
{
    const char *why = NULL;
    struct str name;
    enum rc rc = member_copy(&r->json, json_member_name(at->json), &name);
    if (rc != RC_OK)
        return rc;
    if (!http_field_is_name(name.ptr))
        return member_refuse(&r->json, at, "is not the name of a header (RFC 9110, section 5.6.2)");
    if (http_field_owner(name.ptr, &why) != HTTP_FIELD_ANYONE)
        return member_refuse(&r->json, at, "is a header that a destination cannot set; it %s", why);
    if (strcasecmp(name.ptr, "authorization") == 0)
        return member_refuse(&r->json, at,
                             "is set by \"auth\", so that no credential is in the file");
    if (d->auth.header && strcasecmp(name.ptr, d->auth.header) == 0)
        return member_refuse(&r->json, at, "is set by \"auth\", too");
    for (size_t i = 0; i < d->n_headers; i++) {
        if (strcasecmp(name.ptr, d->headers[i].name) == 0)
            return member_refuse(&r->json, at, "is the header \"%s\" again", d->headers[i].name);
    }
    out->name = name.ptr;
    return text_template_read(r, at, TEXT_HEADER, &out->value);
}

static enum rc read_headers(const struct reader *r, const struct member *at, struct destination *d)
{
    if (!at->json)
        return RC_OK;
    if (!json_is_object(at->json))
        return member_refuse(&r->json, at, "must be an object of names and values");
    d->headers = arena_array(r->json.arena, HEADERS_MAX, sizeof *d->headers);
    if (!d->headers)
        return err_nomem(r->json.err);
    for (struct member m = member_first(at); m.json; member_next(&m)) {
        if (d->n_headers == HEADERS_MAX)
            return member_refuse(&r->json, at, "must have at most %d members", HEADERS_MAX);
        enum rc rc = read_header(r, &m, d, &d->headers[d->n_headers]);
        if (rc != RC_OK)
            return rc;
        d->n_headers++;
    }
    return RC_OK;
}

/* ---- limits --------------------------------------------------------------------------------- */

static enum rc read_limits(const struct reader *r, const struct member *at, struct destination *d)
{
    if (!at->json)
        return RC_OK;
    enum rc rc = member_object(&r->json, at, "rate concurrency gate");
    const struct member rate = member_of(at, "rate"), concurrency = member_of(at, "concurrency"),
                        gate = member_of(at, "gate");
    uint64_t n = 0;
    if (rc == RC_OK && rate.json) {
        bool is_text = cJSON_IsString(rate.json) || cJSON_IsNumber(rate.json);
        if (!is_text || !units_rate(json_text(rate.json), &d->rate_per_s))
            return member_refuse(&r->json, &rate, "must be " UNITS_RATE_TEXT);
        if (d->rate_per_s > RATE_MAX)
            return member_refuse(&r->json, &rate, "must be at most %.0f/s", RATE_MAX);
    }
    if (rc == RC_OK && concurrency.json)
        rc = member_whole(&r->json, &concurrency, 1, CONCURRENCY_MAX, &n);
    d->concurrency = (unsigned)n;
    return rc == RC_OK ? matches_read(r, &gate, &d->gate, &d->n_gate) : rc;
}

/* ---- templates ------------------------------------------------------------------------------ */

static enum rc read_templates(const struct reader *r, const struct member *top,
                              struct destination *d)
{
    const struct member body = member_of(top, "body"), item = member_of(top, "item");
    bool has_items = false;
    enum rc rc = RC_OK;
    struct member directive = {.json = NULL};
    if (!item.json)
        return member_refuse(&r->json, &item, "is missing (allowed: an object)");
    if (json_is_object(item.json))
        rc = directive_of(r, &item, &directive);
    if (rc == RC_OK && (!json_is_object(item.json) || directive.json))
        return member_refuse(&r->json, &item, "must be an object that is not itself a directive");
    if (rc == RC_OK)
        rc = template_compile(r, &item, IN_ITEM, &d->item, &has_items);
    if (rc == RC_OK && !body.json && d->max_items > 1)
        return member_refuse(&r->json, &body,
                             "is missing: a request of up to %zu items needs "
                             "{\"$items\": true} somewhere",
                             d->max_items);
    if (rc != RC_OK || !body.json)
        return rc;
    rc = template_compile(r, &body, IN_BODY, &d->body, &has_items);
    if (rc == RC_OK && !has_items)
        return member_refuse(&r->json, &body,
                             "has no {\"$items\": true}, so no item would be sent");
    return rc;
}

/* ---- parameters ----------------------------------------------------------------------------- */

/* Names in braces that the file has and no parameter gives have been refused before: what is left over is
 * a slip of the pen, or of another destination. */
static enum rc check_params(const struct reader *r, const struct member *top)
{
    const struct param *unused = NULL;
    struct buf used;
    buf_init(&used, (size_t)64 << 10);
    for (size_t i = 0; i < r->n_params; i++) {
        if (r->params[i].is_used)
            buf_addf(&used, "%s ", r->params[i].name.ptr);
        else if (!unused)
            unused = &r->params[i];
    }
    enum rc rc = RC_OK;
    if (buf_rc(&used) == RC_NOMEM)
        rc = err_nomem(r->json.err);
    else if (unused && used.len == 0)
        rc =
            member_refuse(&r->json, top, "unknown parameter \"%s\": it has none", unused->name.ptr);
    else if (unused)
        rc = member_unknown(&r->json, top, "parameter", unused->name, buf_cstr(&used));
    buf_free(&used);
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------------ */

enum rc destination_read(struct reader *r, const struct member *top, struct destination *d)
{
    const struct member auth = member_of(top, "auth"), batch = member_of(top, "batch"),
                        headers = member_of(top, "headers"), limits = member_of(top, "limits"),
                        item = member_of(top, "item"), answer = member_of(top, "answer");
    enum rc rc = member_object(&r->json, top,
                               "destination about method url url_env url_file headers auth batch "
                               "body item limits answer");
    if (rc == RC_OK)
        rc = read_version(r, top);
    if (rc == RC_OK)
        rc = read_names(r, top, d);
    if (rc == RC_OK)
        rc = read_batch(r, &batch, d);
    r->one_item = d->max_items == 1;
    if (rc == RC_OK)
        rc = auth_read(r, &auth, &d->auth);
    r->take = d->auth.take;
    r->n_take = d->auth.n_take;
    if (rc == RC_OK)
        rc = read_url(r, top, d);
    if (rc == RC_OK)
        rc = read_headers(r, &headers, d);
    if (rc == RC_OK)
        rc = read_templates(r, top, d);
    if (rc == RC_OK)
        rc = read_unique_by(r, &batch, &item, d);
    if (rc == RC_OK)
        rc = read_limits(r, &limits, d);
    if (rc == RC_OK)
        rc = answer_read(r, &answer, &item, d->max_items, &d->answer);
    return rc == RC_OK ? check_params(r, top) : rc;
}
