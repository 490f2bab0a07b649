/* "auth" of a destination, and where credentials are. */
#include <stdio.h>
#include <strings.h>

#include "core/base/http_field.h"
#include "sinks/push/destination_internal.h"

#define NAME_BYTES_MAX 128
#define FILE_BYTES_MAX 4096
#define SCOPE_BYTES_MAX 4096
#define TAKE_MAX 16
#define MATCHES_MAX 32
#define CODE_BYTES_MAX 256

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

/* ---- credentials ---------------------------------------------------------------------------- */

static enum rc read_variable(const struct reader *r, const struct member *at, const char **out)
{
    struct str name;
    enum rc rc = member_some_text(&r->json, at, NAME_BYTES_MAX, &name);
    if (rc != RC_OK)
        return rc;
    /* what is wrong may be the credential itself: it is not repeated */
    if (strspn(name.ptr, LETTERS DIGITS "_") != name.len || strchr(DIGITS, name.ptr[0]))
        return member_refuse(&r->json, at,
                             "must be the name of an environment variable: letters, digits and _, "
                             "such as CRM_TOKEN");
    *out = name.ptr;
    return RC_OK;
}

static enum rc read_path(const struct reader *r, const struct member *at, const char **out)
{
    struct str path;
    enum rc rc = member_some_text(&r->json, at, FILE_BYTES_MAX, &path);
    if (rc == RC_OK)
        *out = path.ptr;
    return rc;
}

enum rc credential_read(const struct reader *r, const struct member *object, const char *name,
                        bool is_needed, struct credential_place *out, bool *is_given)
{
    char env_name[32], file_name[32];
    const char *joint = *name ? "_" : "";
    (void)snprintf(env_name, sizeof env_name, "%s%senv", name, joint);
    (void)snprintf(file_name, sizeof file_name, "%s%sfile", name, joint);
    struct member env = member_of(object, env_name), file = member_of(object, file_name);
    *is_given = env.json || file.json;
    /* the names above end with this function */
    if (env.json)
        env.name = env.json->string;
    if (file.json)
        file.name = file.json->string;
    if (env.json && file.json)
        return member_refuse(&r->json, &file, "cannot stand beside \"%s\": give one of them",
                             env_name);
    if (env.json)
        return read_variable(r, &env, &out->env);
    if (file.json)
        return read_path(r, &file, &out->file);
    return is_needed
               ? member_refuse(&r->json, object, "needs \"%s\" or \"%s\"", env_name, file_name)
               : RC_OK;
}

/* ---- lists ---------------------------------------------------------------------------------- */

static enum rc read_match(const struct reader *r, const struct member *at, void *out)
{
    struct answer_match *match = out;
    size_t n = 0;
    uint64_t status = 0;
    enum rc rc = member_list(&r->json, at, 1, 2, &n);
    if (rc != RC_OK)
        return rc;
    struct member m = member_first(at);
    rc = member_whole(&r->json, &m, 400, 599, &status);
    match->status = (int)status;
    member_next(&m);
    return rc == RC_OK && n == 2 ? member_some_text(&r->json, &m, CODE_BYTES_MAX, &match->code)
                                 : rc;
}

enum rc matches_read(const struct reader *r, const struct member *at,
                     const struct answer_match **out, size_t *n)
{
    void *list = NULL;
    enum rc rc = member_each(r, at, MATCHES_MAX, sizeof **out, read_match, &list, n);
    *out = list;
    return rc;
}

static enum rc read_taken(const struct reader *r, const struct member *at, void *out)
{
    struct str name;
    enum rc rc = member_some_text(&r->json, at, 64, &name);
    if (rc != RC_OK)
        return rc;
    if (strspn(name.ptr, LETTERS DIGITS "_") != name.len || strchr(DIGITS, name.ptr[0]))
        return member_refuse(&r->json, at,
                             "must be letters, digits and _, so that it can stand in braces");
    if (reader_param(r, name))
        return member_refuse(&r->json, at, "is a parameter, too: param=%s was given", name.ptr);
    *(struct str *)out = name;
    return RC_OK;
}

/* ---- OAuth 2 -------------------------------------------------------------------------------- */

/* Parameters are known: it becomes a text. */
static enum rc read_scope(const struct reader *r, const struct member *at, const char **out)
{
    struct text_template t = {.parts = NULL};
    struct str text = STR("");
    if (!at->json)
        return RC_OK;
    enum rc rc = text_template_read(r, at, TEXT_SCOPE, &t);
    if (rc != RC_OK)
        return rc;
    struct buf b;
    buf_init(&b, (size_t)1 << 20);
    for (size_t i = 0; i < t.n_parts; i++)
        buf_add_str(&b, t.parts[i].text);
    if (buf_rc(&b) == RC_LIMIT || b.len > SCOPE_BYTES_MAX)
        rc = member_refuse(&r->json, at, "must have at most %d bytes", SCOPE_BYTES_MAX);
    else
        rc = buf_rc(&b) == RC_OK ? member_copy(&r->json, buf_str(&b), &text)
                                 : err_nomem(r->json.err);
    buf_free(&b);
    if (rc == RC_OK)
        *out = text.ptr;
    return rc;
}

static enum rc read_oauth2(const struct reader *r, const struct member *at,
                           struct destination_auth *out)
{
    enum rc rc = member_object(&r->json, at,
                               "grant token_url id_env id_file secret_env secret_file refresh_env "
                               "refresh_file scope take renew_on");
    if (rc != RC_OK)
        return rc;
    const struct member grant = member_of(at, "grant"), url = member_of(at, "token_url"),
                        scope = member_of(at, "scope"), take = member_of(at, "take"),
                        renew_on = member_of(at, "renew_on");
    unsigned kind = 0;
    bool is_given;
    rc = member_choice(&r->json, &grant, "client_credentials refresh_token", &kind);
    out->grant = kind ? GRANT_REFRESH_TOKEN : GRANT_CLIENT_CREDENTIALS;
    if (rc == RC_OK)
        rc = text_template_read(r, &url, TEXT_TOKEN_URL, &out->token_url);
    if (rc == RC_OK)
        rc = credential_read(r, at, "id", true, &out->id, &is_given);
    if (rc == RC_OK)
        rc = credential_read(r, at, "secret", true, &out->secret, &is_given);
    if (rc == RC_OK)
        rc = credential_read(r, at, "refresh", kind == 1, &out->refresh, &is_given);
    if (rc == RC_OK && is_given && kind == 0)
        return member_refuse(&r->json, at,
                             "has a refresh token, which belongs to the grant \"refresh_token\"");
    if (rc == RC_OK)
        rc = read_scope(r, &scope, &out->scope);
    void *list = NULL;
    if (rc == RC_OK)
        rc = member_each(r, &take, TAKE_MAX, sizeof *out->take, read_taken, &list, &out->n_take);
    out->take = list;
    return rc == RC_OK ? matches_read(r, &renew_on, &out->renew_on, &out->n_renew_on) : rc;
}

/* ---- the others ----------------------------------------------------------------------------- */

static enum rc read_header(const struct reader *r, const struct member *at,
                           struct destination_auth *out)
{
    const struct member header = member_of(at, "header");
    struct str name;
    const char *why = NULL;
    bool is_given;
    enum rc rc = member_some_text(&r->json, &header, 256, &name);
    if (rc != RC_OK)
        return rc;
    if (!http_field_is_name(name.ptr))
        return member_refuse(&r->json, &header,
                             "is not the name of a header (RFC 9110, section 5.6.2)");
    if (http_field_owner(name.ptr, &why) != HTTP_FIELD_ANYONE)
        return member_refuse(&r->json, &header, "is a header that a destination cannot set; %s %s",
                             name.ptr, why);
    if (strcasecmp(name.ptr, "content-type") == 0)
        return member_refuse(&r->json, &header,
                             "says what the body is, and is no place for a credential");
    out->header = name.ptr;
    return credential_read(r, at, "", true, &out->token, &is_given);
}

static enum rc read_basic(const struct reader *r, const struct member *at,
                          struct destination_auth *out)
{
    bool is_given;
    enum rc rc = member_object(&r->json, at, "user_env user_file password_env password_file");
    if (rc == RC_OK)
        rc = credential_read(r, at, "user", true, &out->user, &is_given);
    return rc == RC_OK ? credential_read(r, at, "password", false, &out->password, &is_given) : rc;
}

static enum rc read_scheme(const struct reader *r, const struct member *at,
                           struct destination_auth *out)
{
    struct str scheme = STR("Bearer");
    if (at->json && out->kind != AUTH_BEARER && out->kind != AUTH_OAUTH2)
        return member_refuse(&r->json, at,
                             "stands with \"bearer_env\", \"bearer_file\" or \"oauth2\" only");
    enum rc rc = at->json ? member_some_text(&r->json, at, 64, &scheme) : RC_OK;
    if (rc == RC_OK && !http_field_is_name(scheme.ptr))
        return member_refuse(&r->json, at,
                             "must be one word such as Bearer (RFC 9110, section 11.1)");
    out->scheme = scheme.ptr;
    return rc;
}

/* Which kinds there are, each by the member that only it has. */
static enum rc find_kind(const struct reader *r, const struct member *at, enum auth_kind *out)
{
    static const struct {
        const char *member;
        enum auth_kind kind;
    } kinds[] = {{"bearer_env", AUTH_BEARER},
                 {"bearer_file", AUTH_BEARER},
                 {"header", AUTH_HEADER},
                 {"basic", AUTH_BASIC},
                 {"oauth2", AUTH_OAUTH2}};
    const char *first = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct member m = member_of(at, kinds[i].member);
        if (!m.json)
            continue;
        if (first && *out != kinds[i].kind)
            return member_refuse(&r->json, &m, "cannot stand beside \"%s\": give one of them",
                                 first);
        first = kinds[i].member;
        *out = kinds[i].kind;
    }
    if (!first)
        return member_refuse(&r->json, at,
                             "must have one of bearer_env, bearer_file, header, basic, oauth2");
    return RC_OK;
}

enum rc auth_read(const struct reader *r, const struct member *at, struct destination_auth *out)
{
    if (!at->json)
        return RC_OK;
    enum rc rc =
        member_object(&r->json, at, "bearer_env bearer_file scheme header env file basic oauth2");
    if (rc == RC_OK)
        rc = find_kind(r, at, &out->kind);
    if (rc != RC_OK)
        return rc;
    const struct member basic = member_of(at, "basic"), oauth2 = member_of(at, "oauth2"),
                        env = member_of(at, "env"), file = member_of(at, "file"),
                        scheme = member_of(at, "scheme");
    const struct member *stray = env.json ? &env : &file;
    if (stray->json && out->kind != AUTH_HEADER)
        return member_refuse(&r->json, stray, "stands with \"header\" only");
    bool is_given;
    rc = read_scheme(r, &scheme, out);
    if (rc != RC_OK)
        return rc;
    switch (out->kind) {
    case AUTH_BEARER:
        return credential_read(r, at, "bearer", true, &out->token, &is_given);
    case AUTH_HEADER:
        return read_header(r, at, out);
    case AUTH_BASIC:
        return read_basic(r, &basic, out);
    case AUTH_OAUTH2:
        return read_oauth2(r, &oauth2, out);
    case AUTH_NONE:
        break;
    }
    return RC_OK;
}
