/* SIGINT, SIGTERM and SIGHUP stop a run: the first one lets what is in flight end, the second one
 * ends the program at once. */
#ifndef LEADPIPE_CMD_SIGNALS_H
#define LEADPIPE_CMD_SIGNALS_H

#include "core/run.h"

/* From now on signals stop `run`. A signal that is ignored (as by nohup) stays ignored. */
void signals_watch(struct run *run);

/* Signals still end the program, but `run` is not touched any more. */
void signals_forget(void);

/* The name such as "SIGINT". */
const char *signals_name(int number);

/* The signal that came, or 0. */
int signals_received(void);

#endif
