/* Reads the lists of a provider to their end, with an event loop and an HTTP engine of its own: `leadpipe list`. The
 * caller's thread waits. */
#ifndef LEADPIPE_LIST_READ_H
#define LEADPIPE_LIST_READ_H

#include "core/source/lister.h"

struct list_read_cfg {
    struct lister_cfg lister;      /* without `done` */
    struct http_engine_cfg engine; /* what is sent and how; without loop, owner and callbacks */
    /* SIGINT, SIGTERM and SIGHUP, unless they are ignored, end the reading; else they do what they did. */
    bool takes_signals;
};

/* As lister_new() and lister_take(), RC_OK being the end of all lists; RC_STOPPED: by `*signal_number`; RC_TLS,
 * RC_LIMIT, RC_NET, RC_INTERNAL: of the engine. */
enum rc list_read(const struct list_read_cfg *cfg, struct lister_result *out, int *signal_number,
                  struct err *e);

#endif
