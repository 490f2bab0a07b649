/* SIGINT, SIGTERM and SIGHUP stop a run: the first one lets what is in flight end, the second one
 * ends the program at once. */
#ifndef LEADPIPE_CMD_SIGNALS_H
#define LEADPIPE_CMD_SIGNALS_H

#include <stdatomic.h>
#include <sys/types.h>

#include "core/run/run.h"

/* From now on signals stop `run`; NULL: it is being freed, and they end the program. A signal that is ignored
 * (as by nohup) stays ignored. */
void signals_watch(struct run *run);

struct stop_timer;

/* From now on the first signal is stored in signals_flag(), which is 0 before, and starts the timer, and the second one
 * ends the program at once; NULL: they end it again. For what is no run. */
void signals_watch_flag(const struct stop_timer *timer);
const atomic_int *signals_flag(void);

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
