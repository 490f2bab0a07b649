/* What is found out before a run about what the run will need: points, each of which is fine, a warning or a
 * failure. Whoever finds something reports it; nothing is decided here. */
#ifndef LEADPIPE_FINDINGS_H
#define LEADPIPE_FINDINGS_H

enum finding_level { FINDING_OK, FINDING_WARN, FINDING_FAIL };

struct findings {
    void *ctx;
    /* `subject`: a word such as "provider", "output" or a sink's name. `text`: what it is about first, then what
     * was found, and what to do where it is not fine. Any bytes; secrets are redacted by the receiver. */
    void (*add)(void *ctx, enum finding_level level, const char *subject, const char *text);
};

/* A text that is too long is cut. */
void findings_add(const struct findings *f, enum finding_level level, const char *subject,
                  const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
