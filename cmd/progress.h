/* Shows the progress of a run: a live line on a terminal, or a line every few seconds. */
#ifndef LEADPIPE_CMD_PROGRESS_H
#define LEADPIPE_CMD_PROGRESS_H

#include "core/run/run.h"
#include "cmd/messages.h"
#include "cmd/options.h"

#define PROGRESS_INTERVAL_MS 200 /* for run_cfg */

struct progress {
    struct messages *messages;
    bool live;  /* show a live line */
    bool lines; /* show a line from time to time */
    bool said_stopping;
    uint64_t estimate;    /* number of unique IDs; 0: not known */
    double line_due_s;    /* when the next line is due, in seconds since the start */
    double last_s, per_s; /* the last update; leads per second, smoothed */
    uint64_t last_done;
};

/* `terminal`: standard error is a terminal, and nothing else is written to it. */
void progress_init(struct progress *p, struct messages *m, enum progress_mode mode, bool quiet,
                   bool terminal);

/* The callback run_cfg.progress; `progress` is a struct progress. */
void progress_show(void *progress, const struct run_progress *now);

/* Removes the live line. */
void progress_end(struct progress *p);

/* "120/1000  12%  40/s  ETA 22s  8 in flight  3 retries  0 failed", at most `width` columns; items at the end that do
 * not fit are omitted. Pure; public for tests. */
struct progress_view {
    const struct run_progress *now;
    uint64_t estimate; /* as above */
    double per_s;
    bool stopping; /* a signal was received */
};
void progress_format(char *out, size_t size, size_t width, const struct progress_view *v);

/* "22s", "3m05s", "2h07m". */
void progress_duration(char *out, size_t size, double seconds);

#endif
