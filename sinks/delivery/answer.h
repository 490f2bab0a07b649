/* What the end of a request to a receiver says about the leads in it. Pure; any thread. */
#ifndef LEADPIPE_ANSWER_H
#define LEADPIPE_ANSWER_H

#include "core/base/arena.h"
#include "core/http/http.h"
#include "core/sink.h"

#define ANSWER_BYTES_MAX 8192 /* of an answer's body that are read */
#define ANSWER_SHOWN_MAX 200  /* of these in a message */

/* What a verdict points to. */
struct answer_texts {
    char code[16];
    char error[640];
};

/* 2xx is accepted, all else has failed; not for HTTP_ABORTED. The error is one line of valid UTF-8
 * without control characters, redacted by `secrets`. */
struct verdict answer_verdict(const struct http_request *r, struct secrets *secrets,
                              struct answer_texts *texts);

#define ANSWER_TEXT_SIZE 2048

/* A verdict (accepted or failed) as a text for the state; texts longer than any verdict has are
 * cut. */
struct str answer_text(const struct verdict *v, char out[ANSWER_TEXT_SIZE]);

/* The verdict that answer_text() was given; its texts are made in `arena`. RC_SYNTAX: it is damaged;
 * RC_NOMEM. */
enum rc answer_take(struct arena *arena, struct str text, struct verdict *out);

#endif
