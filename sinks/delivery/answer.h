/* What the end of a request to a receiver says about the leads in it. Pure; any thread. */
#ifndef LEADPIPE_ANSWER_H
#define LEADPIPE_ANSWER_H

#include "core/base/arena.h"
#include "core/http/http.h"
#include "core/sink.h"

#define ANSWER_BYTES_MAX 8192 /* of an answer's body that are read */
#define ANSWER_SHOWN_MAX 200  /* of these in a message */
#define ANSWER_BARE_BYTES 128 /* of a verdict as a text, without its reason; more than any has */

/* What a verdict points to. */
struct answer_texts {
    char code[16];
    char error[640];
};

/* 2xx is accepted, all else has failed; not for HTTP_ABORTED. The error is one line of valid UTF-8
 * without control characters, redacted by `secrets`. */
struct verdict answer_verdict(const struct http_request *r, struct secrets *secrets,
                              struct answer_texts *texts);

/* What is said of the leads of a message: one verdict for all of them, or one for each, in the order of the
 * body. */
struct verdicts {
    const struct verdict *list;
    size_t n;
};

/* Of the lead at this place of the body. */
static inline const struct verdict *verdict_at(const struct verdicts *v, size_t position)
{
    return &v->list[v->n == 1 ? 0 : position];
}

/* What stands for a failed lead's reason where there is no memory for it. */
#define ANSWER_NO_REASON "failed; out of memory when the reason was to be recorded"

/* Makes a buffer with room for what answer_text() makes of a message of at most so many leads when memory has run
 * out: nothing that was answered may be sent again because its answer could not be recorded. RC_NOMEM. */
enum rc answer_reserve(struct buf *out, size_t n_leads);

/* Puts them into answer_reserve()'s buffer as a text for the state; texts longer than any verdict has are cut.
 * VERDICT_PENDING is that of a lead that is in another delivery now. Out of memory: without the reasons of
 * each. Cannot fail. */
void answer_text(const struct verdicts *v, struct buf *out);

/* What answer_text() was given, of a message of `n_leads`; all is made in `arena`. RC_SYNTAX: it is damaged;
 * RC_NOMEM. */
enum rc answer_take(struct arena *arena, struct str text, size_t n_leads, struct verdicts *out);

#endif
