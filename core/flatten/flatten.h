/* From a payload to rows, by the profile's tables.
 *
 * A plan is made once from the profile: a tree of member names with what is to be done at each, so
 * that a payload is walked once. Plans are shared by all workers and, guesses aside, immutable; the
 * profile must outlive them. */
#ifndef LEADPIPE_FLATTEN_H
#define LEADPIPE_FLATTEN_H

#include "core/lead.h"
#include "core/provider/profile.h"

enum signed_urls { SIGNED_URLS_STRIP, SIGNED_URLS_KEEP, SIGNED_URLS_DROP };

/* Texts of providers, in bytes. */
#define FLATTEN_MESSAGE_BYTES_MAX 500

struct flatten_plan;

enum rc flatten_plan_new(struct flatten_plan **out, const struct profile *p, enum signed_urls urls,
                         struct err *e);
void flatten_plan_free(struct flatten_plan *plan);

/* Parses lead->body and decides what it is. RC_OK: lead->doc, lead->root and lead->other_id are set.
 * RC_SYNTAX: the body is not JSON (worth another attempt).
 * RC_CLOSED: the provider did not hand out the lead. The text says why, with the provider's message, and
 * *code is the provider's code or ours, static or in the lead's arena: "success": false, or a required
 * object is missing.
 * RC_LIMIT (nested too deeply, over the arena's maximum), RC_NOMEM: as the text says.
 * `want` is of enum json_want; without JSON_TREE, lead->root is only set where a tree was needed to
 * decide. The body is kept (the caller frees it). */
enum rc flatten_parse(const struct flatten_plan *plan, struct lead *lead, unsigned want,
                      const char **code, struct err *e);

enum flatten_hash {
    FLATTEN_FINGERPRINT = 1,  /* lead->fingerprint; its beginning is lead->content_hash */
    FLATTEN_CONTENT_HASH = 2, /* lead->content_hash, as json_hash() */
};

/* Fills lead->tables from lead->root. The tree itself is never changed: sinks that write it as
 * received read lead->doc.root, of which lead->root is the part that makes rows; in the rows, also
 * within json values (which then point to copies), expiring URLs are stripped, kept or dropped. The `hashes`
 * (of enum flatten_hash) of the canonical payload in which every expiring URL is null are computed, too.
 * RC_NOMEM; RC_LIMIT: over the arena's maximum, or more repeated values than a lead may
 * have. */
enum rc flatten_rows(const struct flatten_plan *plan, struct lead *lead, unsigned hashes,
                     struct err *e);

/* The message and code that the provider gives in the body of an error answer, by the profile's
 * paths, as texts of one line in the lead's arena (at most FLATTEN_MESSAGE_BYTES_MAX, valid UTF-8);
 * NULL where there is none. Never fails: a body that is not JSON gives its beginning as the
 * message. */
void flatten_error_body(const struct flatten_plan *plan, struct lead *lead, struct str body,
                        const char **message, const char **code);

#endif
