/* The options of the provider: profile, server, parameters, key. */
#include <stdlib.h>
#include <string.h>

#include "core/base/loopback.h"
#include "core/base/url.h"
#include "cmd/credential.h"
#include "cmd/export.h"

#define NAMES_BYTES_MAX ((size_t)64 << 10)

/* ---- server --------------------------------------------------------------------------------- */

static void add_name(struct buf *names, struct str name)
{
    if (names->len)
        buf_adds(names, ", ");
    buf_add_str(names, name);
}

static enum rc unknown_server(const struct profile *p, const char *name, struct err *e)
{
    struct buf names;
    buf_init(&names, NAMES_BYTES_MAX);
    for (size_t i = 0; i < p->n_servers; i++)
        add_name(&names, p->servers[i].name);
    enum rc rc =
        err_set(e, RC_USAGE, "--server: " STR_FMT " has no server \"%s\"; its servers are: %s",
                STR_ARG(p->name), name, buf_cstr(&names));
    buf_free(&names);
    return rc;
}

static enum rc pick_server(struct export *x, struct str *url, struct err *e)
{
    const struct profile *p = x->profile;
    const char *name = x->options.server;
    size_t i = 0;
    while (name && i < p->n_servers && !str_eq_c(p->servers[i].name, name))
        i++;
    if (i == p->n_servers)
        return unknown_server(p, name ? name : "", e);
    *url = p->servers[i].url;
    x->cfg.server = p->servers[i].name.ptr;
    return RC_OK;
}

/* The message does not quote the URL, which may contain a password. */
static enum rc own_url(struct export *x, struct str *url, struct err *e)
{
    struct str given = str_c(x->options.base_url);
    struct err why;
    enum rc rc = url_check(given, &why);
    if (rc == RC_SYNTAX)
        return err_set(e, RC_USAGE, "--base-url: the URL %s", why.msg);
    if (rc != RC_OK)
        return err_set(e, rc, "--base-url: %s", why.msg);
    *url = url_trim(given);
    return RC_OK;
}

static enum rc set_server(struct export *x, struct err *e)
{
    struct str url = STR_NONE;
    const char *option = x->options.base_url ? "--base-url" : "--server";
    enum rc rc = x->options.base_url ? own_url(x, &url, e) : pick_server(x, &url, e);
    if (rc != RC_OK)
        return rc;
    buf_add_str(&x->base_url, url);
    x->cfg.base_url = buf_cstr(&x->base_url);
    if (buf_rc(&x->base_url) != RC_OK)
        return err_nomem(e);
    if (x->options.base_url)
        x->cfg.server = x->cfg.base_url;
    if (url_is_plain_http(x->cfg.base_url) && !url_is_loopback(x->cfg.base_url) &&
        !x->options.allow_http)
        return err_set(
            e, RC_USAGE,
            "%s: plain http:// would expose the API key to the network; use https://, or "
            "allow it with --allow-http",
            option);
    return RC_OK;
}

/* ---- parameters ----------------------------------------------------------------------------- */

static enum rc unknown_param(const struct profile *p, struct str name, struct err *e)
{
    struct buf names;
    buf_init(&names, NAMES_BYTES_MAX);
    for (size_t i = 0; i < p->n_params; i++)
        add_name(&names, p->params[i]);
    enum rc rc = names.len ? err_set(e, RC_USAGE,
                                     "--param: " STR_FMT " has no parameter \"" STR_FMT
                                     "\"; its parameters are: %s",
                                     STR_ARG(p->name), STR_ARG(name), buf_cstr(&names))
                           : err_set(e, RC_USAGE, "--param: " STR_FMT " has no parameters",
                                     STR_ARG(p->name));
    buf_free(&names);
    return rc;
}

static enum rc set_param(struct export *x, const char *text, struct err *e)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || !equals[1])
        return err_set(e, RC_USAGE, "--param: \"%s\" is not NAME=VALUE", text);
    struct str name = {text, (size_t)(equals - text)};
    int i = profile_param(x->profile, name);
    if (i < 0)
        return unknown_param(x->profile, name, e);
    if (x->defaults[i].ptr)
        return err_set(e, RC_USAGE, "--param: " STR_FMT " is given more than once", STR_ARG(name));
    enum rc rc = id_check(str_c(equals + 1), e); /* the rules for values are those for IDs */
    if (rc != RC_OK) {
        err_prefix(e, "--param " STR_FMT, STR_ARG(name));
        return rc == RC_SYNTAX ? (e->rc = RC_USAGE) : rc;
    }
    x->defaults[i] = str_c(equals + 1);
    return RC_OK;
}

static enum rc set_params(struct export *x, struct err *e)
{
    x->defaults = calloc(x->profile->n_params + 1, sizeof *x->defaults);
    if (!x->defaults)
        return err_nomem(e);
    if (x->options.all)
        return RC_OK; /* export_set_listing() */
    for (size_t i = 0; i < x->options.params.n; i++) {
        enum rc rc = set_param(x, x->options.params.items[i], e);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static enum rc set_credential(struct export *x, struct err *e)
{
    enum rc rc =
        credential_load(&x->credential, x->profile, x->options.api_key_file, x->secrets, e);
    if (rc != RC_OK)
        return rc;
    buf_init(&x->key_source, NAMES_BYTES_MAX);
    if (x->options.api_key_file) /* it was read, so this is the name of a file, and no key */
        buf_addf(&x->key_source, "the file %s (--api-key-file%s)", x->options.api_key_file,
                 credential_is_of_systemd(x->options.api_key_file)
                     ? "; systemd has copied it from the path in the unit's LoadCredential="
                     : "");
    else
        buf_addf(&x->key_source, "the environment variable " STR_FMT,
                 STR_ARG(x->profile->key_variable));
    x->cfg.credential_source = buf_cstr(&x->key_source);
    if (buf_rc(&x->key_source) != RC_OK)
        return err_nomem(e);
    x->cfg.credential = buf_cstr(&x->credential);
    return RC_OK;
}

enum rc export_set_provider(struct export *x, struct err *e)
{
    buf_init(&x->base_url, SERVER_URL_BYTES_MAX + 1);
    enum rc rc = profile_load(&x->profile, x->options.provider, e);
    if (rc != RC_OK) {
        err_prefix(e, "--provider");
        return rc;
    }
    rc = set_server(x, e);
    if (rc == RC_OK)
        rc = set_params(x, e);
    if (rc != RC_OK)
        return rc;
    x->cfg.profile = x->profile;
    return set_credential(x, e);
}
