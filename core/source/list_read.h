/* For leadpipe list: reads the lists of a provider to their end, with its own event loop and HTTP engine. Blocks. */
#ifndef LEADPIPE_LIST_READ_H
#define LEADPIPE_LIST_READ_H

#include "core/source/lister.h"

struct list_read_cfg {
    struct lister_cfg lister;      /* without `done` */
    struct http_engine_cfg engine; /* without loop, owner and callbacks */
    /* SIGINT, SIGTERM and SIGHUP end the reading, unless they are ignored. False: signals are left alone. */
    bool takes_signals;
};

/* RC_OK: all lists have been read. RC_STOPPED: by signal `*signal_number`. Other errors as from lister_new() and
 * lister_take(); RC_TLS, RC_LIMIT, RC_NET, RC_INTERNAL: of the engine. */
enum rc list_read(const struct list_read_cfg *cfg, struct lister_result *out, int *signal_number,
                  struct err *e);

#endif
