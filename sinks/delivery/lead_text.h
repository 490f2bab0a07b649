/* Leads as a text: what is kept, in marks and with recorded deliveries, of those whose verdict may not
 * be known when a run is resumed. Pure; any thread. */
#ifndef LEADPIPE_LEAD_TEXT_H
#define LEADPIPE_LEAD_TEXT_H

#include "core/base/arena.h"
#include "core/sink.h"

/* Appends one to those that are there. Errors stick in `out`. */
void lead_text_put(struct buf *out, const struct unacked_lead *lead, size_t n_params);

struct lead_note {
    struct unacked_lead lead; /* points to what is below, and into the text */
    unsigned char fingerprint[FINGERPRINT_BYTES];
};

/* All leads of a text, at least one, made in `arena`; the text must live as long. RC_SYNTAX: it is
 * damaged; RC_NOMEM. */
enum rc lead_text_take(struct arena *arena, struct str text, size_t n_params,
                       struct lead_note **out, size_t *n);

/* The first lead of a text, which begins behind it then; takes no memory. `params` has room for all of the lead's,
 * and is *out's as long as the text. False: the text is damaged, or empty. */
bool lead_text_next(struct str *text, size_t n_params, struct str *params, struct lead_note *out);

#endif
