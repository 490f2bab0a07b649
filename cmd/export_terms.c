/* What must be the same for a run to go on. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/export.h"

#define VALUE_BYTES_MAX ((size_t)1 << 20)

static const char *const url_words[] = {"strip", "keep", "drop"}; /* of enum signed_urls */

void terms_free(struct terms *t)
{
    arena_free(&t->memory);
    free(t->items);
    *t = (struct terms){0};
}

enum rc terms_add(struct terms *t, const char *name, struct str value, struct err *e)
{
    if (!t->items) {
        t->items = calloc(TERMS_MAX, sizeof *t->items);
        arena_init(&t->memory, (size_t)TERMS_MAX * VALUE_BYTES_MAX);
    }
    if (!t->items)
        return err_nomem(e);
    if (t->n == TERMS_MAX)
        return err_set(e, RC_USAGE, "--state: a command can have at most %d options", TERMS_MAX);
    char *copy = arena_strdup(&t->memory, value);
    if (!copy)
        return err_nomem(e);
    t->items[t->n++] = (struct state_term){str_c(name), {copy, value.len}};
    return RC_OK;
}

static enum rc add_buf(struct export *x, const char *name, struct buf *value, struct err *e)
{
    enum rc rc =
        buf_rc(value) == RC_OK ? terms_add(&x->terms, name, buf_str(value), e) : err_nomem(e);
    buf_clear(value);
    return rc;
}

/* A profile of a file is what is in it, not what it is called. */
static enum rc add_provider(struct export *x, struct buf *value, struct err *e)
{
    buf_add_str(value, x->profile->name);
    if (x->profile->digest)
        buf_addf(value, " (%016llx)", (unsigned long long)x->profile->digest);
    enum rc rc = add_buf(x, "--provider", value, e);
    arguments_redact_url(value, x->cfg.base_url);
    return rc == RC_OK ? add_buf(x, "the server", value, e) : rc;
}

static enum rc add_params(struct export *x, struct buf *value, struct err *e)
{
    const struct profile *p = x->profile;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < p->n_params; i++) {
        if (!x->defaults[i].ptr)
            continue;
        buf_add_str(value, p->params[i]);
        buf_addc(value, '=');
        buf_add_str(value, x->defaults[i]);
        rc = add_buf(x, "--param", value, e);
    }
    return rc;
}

/* What a sink accepted counts for the same sink with leads of the same origin only. */
static enum rc set_identity(struct export *x, size_t sink, struct buf *value, struct err *e)
{
    buf_addf(value, " of %s at ", x->profile->name.ptr);
    arguments_redact_url(value, x->cfg.base_url);
    buf_addf(value, ", URLs %s", url_words[x->options.signed_urls]);
    x->run_sinks[sink].identity = arena_strdup(&x->terms.memory, buf_str(value));
    bool made = buf_rc(value) == RC_OK && x->run_sinks[sink].identity;
    buf_clear(value);
    return made ? RC_OK : err_nomem(e);
}

static enum rc add_sinks(struct export *x, struct buf *value, struct err *e)
{
    char folder[PATH_MAX];
    enum rc rc = RC_OK;
    if (!getcwd(folder, sizeof folder))
        return err_sys(e, RC_USAGE, errno, "the working directory");
    for (size_t i = 0; rc == RC_OK && i < x->n_specs; i++) {
        const char *target = x->specs[i].target;
        sink_spec_identity(&x->specs[i], value);
        if (!strstr(target, "://") && target[0] != '/')
            buf_addf(value, " in %s", folder); /* what it is relative to */
        rc =
            buf_rc(value) == RC_OK ? terms_add(&x->terms, "--to", buf_str(value), e) : err_nomem(e);
        if (rc == RC_OK)
            rc = set_identity(x, i, value, e);
    }
    return rc;
}

static enum rc add_rows(struct export *x, struct buf *value, struct err *e)
{
    const struct export_options *o = &x->options;
    enum rc rc = terms_add(&x->terms, "--order", str_c(o->order == ORDER_ANY ? "any" : "input"), e);
    if (rc == RC_OK)
        rc = terms_add(&x->terms, "--signed-urls", str_c(url_words[o->signed_urls]), e);
    buf_addf(value, "%lld", (long long)o->max_body_bytes);
    if (rc == RC_OK)
        rc = add_buf(x, "--max-body", value, e);
    buf_addf(value, "%lld", (long long)o->max_columns);
    if (rc == RC_OK)
        rc = add_buf(x, "--max-columns", value, e);
    if (rc == RC_OK && o->changed_only)
        rc = terms_add(&x->terms, "--changed-only", STR(""), e);
    if (rc == RC_OK && o->resend)
        rc = terms_add(&x->terms, "--resend", STR(""), e);
    return rc;
}

enum rc export_set_terms(struct export *x, struct err *e)
{
    struct buf value;
    buf_init(&value, VALUE_BYTES_MAX);
    /* Another version may write other bytes. */
    enum rc rc = terms_add(&x->terms, "leadpipe", STR(LEADPIPE_VERSION), e);
    if (rc == RC_OK)
        rc = add_provider(x, &value, e);
    if (rc == RC_OK)
        rc = add_params(x, &value, e);
    if (rc == RC_OK)
        rc = add_sinks(x, &value, e);
    if (rc == RC_OK)
        rc = add_rows(x, &value, e);
    buf_free(&value);
    x->cfg.terms = x->terms.items;
    x->cfg.n_terms = x->terms.n;
    return rc;
}
