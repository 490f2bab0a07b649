/* Which lists are read, for --all and `leadpipe list`. */
#include "cmd/export.h"
#include "cmd/list_lists.h"

static enum rc set_times(struct export *x, struct err *e)
{
    const struct export_options *o = &x->options;
    const struct list_spec *spec = x->profile->list;
    struct lister_cfg *cfg = &x->listing;
    const int64_t now_ms = clock_wall_ms(&clock_system);
    const char *missing = o->created_since && !spec->since.name.ptr   ? "created-since"
                          : o->created_until && !spec->until.name.ptr ? "created-until"
                                                                      : NULL;
    if (missing)
        return err_set(e, RC_USAGE, "--%s: the list of " STR_FMT " does not have this filter",
                       missing, STR_ARG(x->profile->name));
    cfg->has_since = o->created_since != NULL;
    cfg->has_until = o->created_until != NULL;
    enum rc rc = RC_OK;
    if (cfg->has_since)
        rc = list_time("created-since", o->created_since, now_ms, &cfg->since_ms, e);
    if (rc == RC_OK && cfg->has_until)
        rc = list_time("created-until", o->created_until, now_ms, &cfg->until_ms, e);
    if (rc == RC_OK && cfg->has_since && cfg->has_until && cfg->since_ms > cfg->until_ms)
        return err_set(e, RC_USAGE, "--created-since: must not be later than --created-until");
    return rc;
}

enum rc export_set_listing(struct export *x, struct err *e)
{
    if (!x->profile->list)
        return err_set(e, RC_USAGE,
                       "--provider: the profile of " STR_FMT " does not say how leads are listed "
                       "(member \"list\")",
                       STR_ARG(x->profile->name));
    enum rc rc = lists_of(x->profile, &x->options.params, &x->lists, &x->n_lists, e);
    x->listing = (struct lister_cfg){
        .profile = x->profile,
        .base_url = x->cfg.base_url,
        .params = x->lists,
        .n_lists = x->n_lists,
        .credential_source = x->cfg.credential_source,
        .secrets = x->secrets,
        .log = &x->messages->hook,
        .max_memory = (size_t)x->options.max_memory_bytes / RUN_LISTING_SHARE,
    };
    return rc == RC_OK ? set_times(x, e) : rc;
}
