/* Lists all leads of a provider, page by page, by what its profile says ("list"): makes the requests, reads the
 * answers, and hands out each lead once. Whoever owns the HTTP engine sends the requests, so that pages share its
 * retries, its rate and the origin's gate with all others. On the engine's thread. */
#ifndef LEADPIPE_LISTER_H
#define LEADPIPE_LISTER_H

#include "core/base/log.h"
#include "core/base/secrets.h"
#include "core/http/http.h"
#include "core/provider/profile.h"

struct lister;

/* After a page: which list it was of, and has that been read to its end? */
struct lister_page {
    size_t list; /* of lister_cfg.n_lists, from 0 */
    bool ends, is_incomplete;
    uint64_t bad; /* at its end: elements of the list without a valid ID */
};

/* All of it is the caller's, and lives as long as the lister. */
struct lister_cfg {
    const struct profile *profile; /* with a list */
    const char *base_url;
    /* The lists to read, one after the other: for each of them a value for each of the profile's parameters, absent
     * where it is in the elements. */
    const struct str *params;
    size_t n_lists;
    bool has_since, has_until; /* only those that the list can filter by */
    int64_t since_ms, until_ms;
    const char *credential_source; /* for messages */
    /* Bytes that a page may take in all: its body, its tree, and the leads that are handed out. 0: a page is bounded
     * by the engine's max_body alone. */
    size_t max_memory;
    size_t max_body; /* of a page, in bytes; 0: the engine's */
    struct secrets *secrets;
    const struct log_hook *log;
    /* A lead that was not listed before. The texts are valid until it returns. Another result than RC_OK ends the
     * listing. */
    enum rc (*found)(void *ctx, struct str id, const struct str *params, struct err *e);
    /* After the leads of a page, before the next one is requested; likewise. */
    enum rc (*page_end)(void *ctx, const struct lister_page *page, struct err *e);
    void *ctx;
    void (*done)(void *ctx, struct http_request *r); /* of the requests; `ctx` is the engine's */
};

struct lister_result {
    uint64_t leads;  /* handed out */
    uint64_t pages;  /* read, in all passes */
    uint64_t bad;    /* elements without a valid ID */
    bool incomplete; /* the list may have more leads; the log says why */
};

/* RC_USAGE: a value cannot be in the URL; RC_NOMEM. */
enum rc lister_new(struct lister **out, const struct lister_cfg *cfg, struct err *e);
void lister_free(struct lister *l); /* may be NULL */

/* The listing of an earlier process continues, with the same leads: `list` is the first that it had not read to its
 * end, and those before it are not requested. Of that list its first page is: rows may have moved since, and the
 * place of the next page may be worth nothing any more. Times as in lister_cfg. RC_USAGE, RC_NOMEM. */
struct lister_start {
    size_t list;
    bool has_since, has_until;
    int64_t since_ms, until_ms;
};
enum rc lister_begin_at(struct lister *l, const struct lister_start *start, struct err *e);
/* After that: a lead of the list, which was handed out before and is not handed out again. RC_NOMEM, RC_INTERNAL. */
enum rc lister_know(struct lister *l, struct str id, const struct str *params, struct err *e);

/* The request for the next page; NULL: none now. */
struct http_request *lister_next(struct lister *l);

/* A request of lister_next() is done. RC_OK: the list continues: http_engine_kick(). RC_END: all lists have been
 * read. RC_STOPPED: the engine was stopped. RC_AUTH, RC_NET, RC_SYNTAX: the list is refused, cannot be reached or
 * is no list; RC_NOMEM, or as `found`. `h` NULL: what is no page is not asked for again. */
enum rc lister_take(struct lister *l, struct http_engine *h, struct http_request *r, struct err *e);

void lister_result(const struct lister *l, struct lister_result *out);

/* Whose list is being read: "convocore, agentId A1". */
const char *lister_name(struct lister *l);

#endif
