/* From a payload to rows, by the profile's tables.
 *
 * A plan is made once from the profile: a tree of member names with what is to be done at each, so
 * that a payload is walked once. Plans are immutable and shared by all workers. */
#ifndef LEADPIPE_FLATTEN_H
#define LEADPIPE_FLATTEN_H

#include "lead.h"
#include "profile.h"

enum signed_urls { SIGNED_URLS_STRIP, SIGNED_URLS_KEEP, SIGNED_URLS_DROP };

struct flatten_plan;

enum rc flatten_plan_new(struct flatten_plan **out, const struct profile *p, enum signed_urls urls,
                         struct err *e);
void flatten_plan_free(struct flatten_plan *plan);

/* Parses lead->body and decides what it is. RC_OK: lead->doc and lead->root are set.
 * RC_SYNTAX: the body is not JSON (worth another attempt); lead->failure is not touched.
 * RC_CLOSED: the lead has failed and lead->failure says why: nested too deeply, "success": false
 * with the provider's message and code, a required object missing.
 * RC_NOMEM, RC_LIMIT (over the arena's maximum): as they say.
 * `want` is of enum json_want. The body is kept (the caller frees it). */
enum rc flatten_parse(const struct flatten_plan *plan, struct lead *lead, unsigned want,
                      struct err *e);

/* Fills lead->tables from lead->root. Expiring URLs are stripped, kept or dropped in the tree
 * itself first (also within json values). With `fingerprint`, lead->fingerprint is computed before,
 * as SHA-256 of the canonical payload with expiring URLs taken out.
 * RC_NOMEM or RC_LIMIT. */
enum rc flatten_rows(const struct flatten_plan *plan, struct lead *lead, bool fingerprint,
                     struct err *e);

/* The message and code that the provider gives in the body of an error answer, by the profile's
 * paths, as texts in the lead's arena (at most 500 bytes); NULL where there is none. Never fails:
 * a body that is not JSON gives its beginning as the message. */
void flatten_error_body(const struct flatten_plan *plan, struct lead *lead, struct str body,
                        const char **message, const char **code);

/* The payload's own ID where it has one and it is not lead->id, else absent. */
struct str flatten_other_id(const struct flatten_plan *plan, const struct lead *lead);

#endif
