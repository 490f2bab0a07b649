/* A CRM as data: how a lead looks there, where it is sent, and what the answers mean. docs/destinations.md
 * describes the JSON form member by member.
 *
 * Immutable after loading; any thread; lives until destination_free(). */
#ifndef LEADPIPE_DESTINATION_H
#define LEADPIPE_DESTINATION_H

#include "core/base/builtin.h"
#include "core/base/option.h"
#include "core/http/http.h"
#include "sinks/push/account.h"
#include "sinks/push/template.h"

/* A text with {names} in it, cut at them. */
struct text_part {
    struct str text; /* literal, or the name */
    enum text_part_kind {
        PART_LITERAL,
        PART_PARAM, /* an option param=NAME=VALUE: `text` is its value */
        PART_TAKEN, /* what the token's answer gave: number `index` of oauth2.take */
        PART_FIELD, /* a column of the lead: with one item a request only */
    } kind;
    size_t index;
    const struct template *field; /* PART_FIELD */
    bool
        is_quoted; /* of a URL: it stands between single quotes, as in OData's leads(key='{lead_id}') */
};

struct text_template {
    struct text_part *parts;
    size_t n_parts;
    bool has_field, has_taken;
};

struct destination_header {
    const char *name;
    struct text_template value;
};

/* Where a credential is: exactly one of both is given. */
struct credential_place {
    const char *env, *file; /* name of a variable; path */
};

enum auth_kind { AUTH_NONE, AUTH_BEARER, AUTH_HEADER, AUTH_BASIC, AUTH_OAUTH2 };
enum oauth2_grant { GRANT_CLIENT_CREDENTIALS, GRANT_REFRESH_TOKEN };

struct destination_auth {
    enum auth_kind kind;
    const char *scheme;                     /* AUTH_BEARER, AUTH_OAUTH2: "Bearer" */
    const char *header;                     /* AUTH_HEADER: its name */
    struct credential_place token;          /* AUTH_BEARER, AUTH_HEADER */
    struct credential_place user, password; /* AUTH_BASIC; no password: it is empty */
    /* AUTH_OAUTH2 */
    enum oauth2_grant grant;
    struct text_template token_url;     /* with parameters only */
    struct credential_place id, secret; /* of the client */
    struct credential_place refresh;    /* GRANT_REFRESH_TOKEN */
    const char *scope;                  /* or NULL */
    const struct str *take;             /* members of the token's answer that become parameters */
    size_t n_take;
    const struct answer_match *renew_on; /* answers that ask for a new token; 401 in any case */
    size_t n_renew_on;
};

struct destination {
    const char *name; /* as the user gave it, for messages */
    const char *about;
    enum http_method method; /* POST, PUT, PATCH */
    struct text_template url;
    struct credential_place url_place; /* in the place of `url`, where it is the secret itself */
    struct destination_header *headers;
    size_t n_headers;
    struct destination_auth auth;
    size_t max_items; /* of a request, at least 1 */
    size_t max_bytes; /* of a request's body */
    bool has_unique_by;
    struct json_pointer unique_by; /* into an item: no two of a request have the same value there */
    const struct template *body;   /* NULL: an item is the body, and max_items is 1 */
    const struct template *item;
    double rate_per_s;               /* 0: none; an option beats it, as the next */
    unsigned concurrency;            /* 0: not given */
    const struct answer_match *gate; /* answers that hold back every request, like a 429 */
    size_t n_gate;
    struct answer_rules answer;
    unsigned needs;  /* of enum sink_wants: what its directives read */
    uint64_t digest; /* of its JSON and the parameters: the same destination has the same */
    struct arena memory;
};

#define DESTINATION_BYTES_MAX (1024 * 1024)
#define DESTINATION_ITEMS_MAX 1000
#define DESTINATION_BODY_MAX ((size_t)64 << 20)

/* `name` is a built-in one, or the path of a file (contains "/" or ends in ".json", or exists). `params`:
 * "NAME=VALUE". RC_USAGE: names the destination, the JSON pointer of the place, what is wrong and what is
 * allowed; RC_NOMEM. */
enum rc destination_load(struct destination **out, const char *name, const struct profile *profile,
                         const struct text_list *params, struct err *e);

/* The same of a text; `source` names it in messages. */
enum rc destination_parse(struct destination **out, struct str json, const char *source,
                          const struct profile *profile, const struct text_list *params,
                          struct err *e);
void destination_free(struct destination *d); /* may be NULL */

/* The built-in ones, in order of name; NULL beyond the last. */
const struct builtin *destination_builtin(size_t i);

/* Appends the text, each {name} filled in: for a URL percent-encoded (RFC 3986: all but unreserved
 * characters; what was taken and stands at the very beginning is a URL itself and stays as it is); for a
 * header's value as it is. `taken` in the order of oauth2.take. RC_USAGE: null, empty where a URL needs
 * more, "." or "..", or a character that no header may have, as *fault says. */
enum rc text_template_write(const struct text_template *t, bool for_url,
                            const struct template_input *in, const struct str *taken,
                            struct buf *out, struct template_fault *fault);

#endif
