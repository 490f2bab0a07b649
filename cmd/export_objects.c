#include "cmd/export_objects.h"

#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/loopback.h"
#include "core/base/url.h"
#include "core/file/places.h"
#include "core/http/proxy.h"
#include "core/object/aws_credentials.h"
#include "core/object/object_store.h"

#define REGION_DEFAULT "us-east-1"
#define ENDPOINT_BYTES_MAX 1024
/* A part takes longer than an answer about a lead: this is 70 KB/s. A check sends none. */
#define TIMEOUT_MS_MIN 120000

struct export_objects {
    struct aws_credentials *credentials;
    struct buf endpoint;
    const char *endpoint_source; /* for messages: the option or variable that it comes from */
    struct object_store_cfg cfg;
    struct object_store *store;
    struct place_scheme scheme;
    struct places places;
};

/* The value of a variable; no thread changes the environment. */
static const char *variable(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe) */
    return value && *value ? value : NULL;
}

static const char *region_of(const struct export_options *o)
{
    if (o->s3_region)
        return o->s3_region;
    const char *region = variable("AWS_REGION");
    if (!region)
        region = variable("AWS_DEFAULT_REGION");
    return region ? region : REGION_DEFAULT;
}

/* It becomes a part of a header and, without an endpoint, of a host name. */
static enum rc check_region(const char *region, struct err *e)
{
    size_t n = strspn(region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    if (n > 0 && n < 64 && region[n] == '\0')
        return RC_OK;
    return err_set(e, RC_USAGE,
                   "--s3-region: letters, digits and - are allowed, as in eu-central-1");
}

/* As the tools of AWS have it. It counts as the option does, so that a run is not resumed elsewhere. */
static void find_endpoint(struct export_objects *o, struct export *x)
{
    static const char *const names[] = {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"};
    const char *ignored = variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    bool is_ignored = ignored && strcasecmp(ignored, "true") == 0;
    o->endpoint_source = "--s3-endpoint";
    for (size_t i = 0; i < 2 && !x->options.s3_endpoint && !is_ignored; i++) {
        x->options.s3_endpoint = variable(names[i]);
        if (x->options.s3_endpoint)
            o->endpoint_source = names[i];
    }
}

static enum rc check_endpoint(const struct export_objects *o, const struct export *x, struct err *e)
{
    const char *endpoint = o->cfg.endpoint;
    enum rc rc = url_check(str_c(endpoint), e);
    const char *host = strstr(endpoint, "://");
    if (rc == RC_OK && strchr(host + 3, '/'))
        rc = err_set(e, RC_SYNTAX, "must not have a path");
    if (rc == RC_OK && url_is_plain_http(endpoint) && !x->options.allow_http &&
        !url_is_loopback(endpoint))
        rc = err_set(e, RC_SYNTAX,
                     "must be https:// (plain http:// to other machines needs --allow-http)");
    if (rc == RC_OK && o->cfg.addressing == S3_ADDRESSING_VIRTUAL && url_has_address(endpoint))
        return err_set(
            e, RC_USAGE,
            "--s3-addressing: virtual puts the bucket before the name of the server, but %s is "
            "an IP address: give --s3-addressing path, or the server's name",
            o->endpoint_source);
    if (rc == RC_OK && !url_bypasses_proxy(endpoint, x->options.allow_http))
        return proxy_check_for(endpoint, x->options.proxy, e);
    if (rc == RC_OK)
        return RC_OK;
    err_prefix(e, "%s", o->endpoint_source);
    return rc == RC_SYNTAX ? (e->rc = RC_USAGE) : rc;
}

static enum rc set_endpoint(struct export_objects *o, struct export *x, struct err *e)
{
    find_endpoint(o, x);
    const char *given = x->options.s3_endpoint;
    buf_init(&o->endpoint, ENDPOINT_BYTES_MAX);
    if (given)
        buf_add_str(&o->endpoint, url_trim(str_c(given)));
    else
        buf_addf(&o->endpoint, "https://s3.%s.amazonaws.com", o->cfg.http.region);
    o->cfg.endpoint = buf_cstr(&o->endpoint);
    if (buf_rc(&o->endpoint) != RC_OK)
        return buf_rc(&o->endpoint) == RC_LIMIT
                   ? err_set(e, RC_USAGE, "%s: at most %d bytes are allowed", o->endpoint_source,
                             ENDPOINT_BYTES_MAX)
                   : err_nomem(e);
    bool by_path = x->options.s3_addressing == ADDRESSING_AUTO
                       ? given != NULL
                       : x->options.s3_addressing == ADDRESSING_PATH;
    o->cfg.addressing = by_path ? S3_ADDRESSING_PATH : S3_ADDRESSING_VIRTUAL;
    return check_endpoint(o, x, e);
}

static enum rc set_spool_dir(struct export_objects *o, const struct export *x, struct err *e)
{
    struct stat st;
    const char *given = x->options.spool_dir;
    const char *dir = given ? given : variable("TMPDIR");
    o->cfg.spool_dir = dir ? dir : "/var/tmp";
    o->cfg.spool_dir_source = given ? "--spool-dir"
                              : dir ? "TMPDIR (--spool-dir chooses another directory)"
                                    : "the default of --spool-dir";
    if (given && (stat(given, &st) != 0 || !S_ISDIR(st.st_mode)))
        return err_set(e, RC_USAGE, "--spool-dir: %s is not a directory", given);
    return RC_OK;
}

static void set_http(struct export_objects *o, const struct export *x)
{
    struct object_http_cfg *http = &o->cfg.http;
    http->credentials = o->credentials;
    http->user_agent = x->cfg.user_agent;
    http->cacert = x->cfg.cacert;
    http->proxy =
        url_bypasses_proxy(o->cfg.endpoint, x->options.allow_http) ? "" : x->options.proxy;
    http->version = x->cfg.http_version;
    http->retry = x->cfg.retry;
    if (http->retry.timeout_ms < TIMEOUT_MS_MIN && !x->only_checks)
        http->retry.timeout_ms = TIMEOUT_MS_MIN;
    http->clock = x->cfg.clock;
    http->log = x->cfg.log;
    http->stop = x->cfg.stop;
    http->secrets = x->secrets;
    o->cfg.owns_keys = x->cfg.state_path != NULL;
}

enum rc export_set_objects(struct export *x, struct err *e)
{
    static const struct places none; /* so that a message about another scheme names s3:// */
    x->cfg.places = &none;
    if (!export_has_objects(x))
        return RC_OK;
    struct export_objects *o = x->objects = calloc(1, sizeof *o);
    if (!o)
        return err_nomem(e);
    o->cfg.http.region = region_of(&x->options);
    enum rc rc = check_region(o->cfg.http.region, e);
    if (rc == RC_OK)
        rc = set_endpoint(o, x, e);
    if (rc == RC_OK)
        rc = set_spool_dir(o, x, e);
    if (rc == RC_OK)
        rc = aws_credentials_load(&o->credentials, x->secrets, e);
    if (rc != RC_OK)
        return rc;
    set_http(o, x);
    rc = object_store_new(&o->store, &o->cfg, e);
    o->scheme = (struct place_scheme){S3_SCHEME, &place_object, o->store};
    o->places = (struct places){&o->scheme, 1};
    x->cfg.places = &o->places;
    return rc;
}

void export_objects_free(struct export_objects *o)
{
    if (!o)
        return;
    object_store_free(o->store);
    aws_credentials_free(o->credentials);
    buf_free(&o->endpoint);
    free(o);
}
