/* SIGINT, SIGTERM and SIGHUP stop a run: the first one lets what is in flight end, the second one
 * ends the program at once. */
#ifndef LEADPIPE_CMD_SIGNALS_H
#define LEADPIPE_CMD_SIGNALS_H

#include <sys/types.h>

#include "core/run/run.h"

/* From now on signals stop `run`; NULL: it is being freed, and they end the program. A signal that is ignored
 * (as by nohup) stays ignored. */
void signals_watch(struct run *run);

/* The run has ended, with that status: a signal still ends the program, which may be waiting for
 * somebody to read its messages, but does not change how the run went. */
void signals_forget(int exit_status);

/* That process group is ended before the program is; 0: none. */
void signals_hook(pid_t group);

/* The name such as "SIGINT". */
const char *signals_name(int number);

/* The signal received, or 0. */
int signals_received(void);

#endif
