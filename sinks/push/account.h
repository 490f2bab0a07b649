/* What an answer of a CRM says about each item that was sent to it. Pure; any thread.
 *
 * Every item is accounted for: accepted or failed, never assumed. */
#ifndef LEADPIPE_ACCOUNT_H
#define LEADPIPE_ACCOUNT_H

#include "core/base/arena.h"
#include "core/json/json_pointer.h"

/* [403, "REQUEST_LIMIT_EXCEEDED"]: a status, with or without a code in the body. */
struct answer_match {
    int status;
    struct str code; /* absent: whatever the body says */
};

/* Where the entries are that speak of single items, and how an entry finds its item. */
struct answer_entries {
    bool is_given;          /* there is an `at` */
    struct json_pointer at; /* an array of entries; else the value is the only entry */
    bool
        by_position; /* the n-th entry is of the n-th item, and there are as many; else by two values that
                         are alike: */
    struct json_pointer entry, item;
    bool has_success; /* only of `results`: the entry says whether it was accepted ... */
    struct json_pointer success;
    struct str success_text; /* ... by a value that is this text; absent: that is true */
    bool has_code, has_message;
    struct json_pointer code, message;
};

struct answer_rules {
    int ok[16]; /* which statuses are good answers */
    size_t n_ok;
    struct answer_entries results, errors;
    bool unaccounted_ok;        /* what is in neither is accepted: of APIs that answer nothing */
    const struct str *retry_if; /* codes of single items that are sent again, alone */
    size_t n_retry_if;
    int bisect_on[16]; /* a request that is refused as a whole with these is cut in halves */
    size_t n_bisect_on;
    bool has_code, has_message; /* of a whole refusal; else those of `errors`, then of `results` */
    struct json_pointer code, message;
};

/* More than is shown of a text and the longest secret together: it is redacted first, and cut then. */
#define ACCOUNT_TEXT_MAX ((size_t)24 << 10)

enum item_fate {
    ITEM_ACCEPTED,
    ITEM_FAILED,
    ITEM_AGAIN, /* to be sent again, alone */
};

struct item_answer {
    enum item_fate fate;
    struct str code,
        message; /* of ITEM_FAILED and ITEM_AGAIN: the API's; absent: it gave none. One line of
                                 valid UTF-8, at most ACCOUNT_TEXT_MAX bytes; in the arena; not redacted */
};

enum answer_kind {
    ANSWER_ITEMS,  /* every item has its fate */
    ANSWER_BISECT, /* refused as a whole, and there is more than one item: cut it in halves */
};

/* *out: the body's tree, in the arena; NULL: it is no JSON. RC_LIMIT: the arena is full; RC_NOMEM. */
enum rc account_parse(struct str body, struct arena *a, const cJSON **out);

/* `status` is final: neither retryable nor of a gate or a renewal. `items`: the JSON text of each of the `n`
 * items that were sent, in order; `body` as account_parse() gave it. Fills all of `out`: of ANSWER_BISECT with
 * what the whole refusal says. RC_LIMIT: the arena is full; RC_NOMEM. */
enum rc account_answer(const struct answer_rules *rules, int status, const cJSON *body,
                       const struct str *items, size_t n, struct arena *a, struct item_answer *out,
                       enum answer_kind *kind);

/* The code that a body gives which is no list of results, or its first element where it is an array; absent:
 * there is none. In the arena. */
struct str account_code(const struct answer_rules *rules, const cJSON *body, struct arena *a);

/* Is it one of these? */
bool answer_matches(const struct answer_match *matches, size_t n, int status, struct str code);

#endif
