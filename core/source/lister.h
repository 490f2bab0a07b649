/* Lists all leads of a provider, page by page, as its profile says ("list"): makes the requests, reads the responses, and
 * hands out each lead once. The owner of the HTTP engine sends the requests, so that pages share retries, rate and the
 * origin's gate with all other requests. On the engine's thread. */
#ifndef LEADPIPE_LISTER_H
#define LEADPIPE_LISTER_H

#include "core/base/log.h"
#include "core/base/secrets.h"
#include "core/http/http.h"
#include "core/provider/profile.h"

struct lister;

/* Describes a page that has been read. */
struct lister_page {
    size_t list;              /* of lister_cfg.n_lists, from 0 */
    bool ends, is_incomplete; /* it was the list's last page; but the list may have more leads */
    uint64_t bad;             /* if it ends: elements of the list without a valid ID */
};

/* The caller owns all of it, and keeps it alive for as long as the lister. */
struct lister_cfg {
    const struct profile *profile; /* with a list */
    const char *base_url;
    /* The lists to read, one after the other: for each list one value for each of the profile's parameters, absent if the
     * value comes from the elements. */
    const struct str *params;
    size_t n_lists;
    bool has_since, has_until;     /* only if the list has this filter */
    int64_t since_ms, until_ms;    /* Unix time */
    const char *credential_source; /* for messages */
    /* Maximum bytes for a page: its body, its tree, and the leads that are handed out. 0: only max_body applies. */
    size_t max_memory;
    size_t max_body; /* bytes; 0: the engine's */
    struct secrets *secrets;
    const struct log_hook *log;
    /* Called for each lead that was not listed before. The texts are valid during the call. Any result but RC_OK ends the
     * listing. */
    enum rc (*found)(void *ctx, struct str id, const struct str *params, struct err *e);
    /* Called after the leads of a page, before the next page is requested. Likewise. */
    enum rc (*page_end)(void *ctx, const struct lister_page *page, struct err *e);
    void *ctx;
    void (*done)(
        void *ctx,
        struct http_request *r); /* becomes `done` of the requests; `ctx` is the engine's */
};

struct lister_result {
    uint64_t leads;  /* handed out */
    uint64_t pages;  /* read, in all passes */
    uint64_t bad;    /* elements without a valid ID */
    bool incomplete; /* the list may have more leads; the log says why */
};

/* RC_USAGE: a parameter cannot be put into the URL; RC_NOMEM. */
enum rc lister_new(struct lister **out, const struct lister_cfg *cfg, struct err *e);
void lister_free(struct lister *l); /* may be NULL */

/* Continues the listing of an earlier process: `list` is the first list that was not read to its end; earlier ones are not
 * requested. It is read again from its first page, because rows may have moved since and a token may have expired. Times as
 * in lister_cfg. RC_USAGE, RC_NOMEM. */
struct lister_start {
    size_t list;
    bool has_since, has_until;
    int64_t since_ms, until_ms;
};
enum rc lister_begin_at(struct lister *l, const struct lister_start *start, struct err *e);
/* After lister_begin_at(), for each lead that was handed out before: it is not handed out again. RC_NOMEM, RC_INTERNAL. */
enum rc lister_know(struct lister *l, struct str id, const struct str *params, struct err *e);

/* The request for the next page, owned by the lister; NULL: none now. */
struct http_request *lister_next(struct lister *l);

/* A request of lister_next() is done. RC_OK: the list continues; call http_engine_kick(). RC_END: all lists have been read.
 * RC_STOPPED: the engine was stopped. RC_AUTH, RC_NET, RC_SYNTAX: the list is refused, cannot be reached, or is not a list;
 * RC_NOMEM, or the result of a callback. `h`: the engine, to retry a response that is not a page; NULL: do not retry. */
enum rc lister_take(struct lister *l, struct http_engine *h, struct http_request *r, struct err *e);

void lister_result(const struct lister *l, struct lister_result *out);

/* Names the list that is being read, for messages: "convocore, agentId A1". */
const char *lister_name(struct lister *l);

#endif
