/* SIGINT, SIGTERM and SIGHUP stop a run: after the first one, requests in flight may still end; the second one
 * ends the program at once. */
#ifndef LEADPIPE_CMD_SIGNALS_H
#define LEADPIPE_CMD_SIGNALS_H

#include <stdatomic.h>
#include <sys/types.h>

#include "core/run/run.h"

/* From now on signals stop `run`. NULL: the run is being freed; from now on they end the program. A signal that was
 * ignored at the start (as with nohup) stays ignored. */
void signals_watch(struct run *run);

struct stop_timer;

/* For commands without a run: from now on the first signal is stored in signals_flag(), which is 0 before, and starts the
 * timer; the second one ends the program at once. NULL: from now on signals end the program. */
void signals_watch_flag(const struct stop_timer *timer);
const atomic_int *signals_flag(void);

/* The run has ended with this status. A signal still ends the program, which may be waiting for a reader of its messages,
 * but the exit status is that of the run. */
void signals_forget(int exit_status);

/* A process group to be ended before the program; 0: none. */
void signals_hook(pid_t group);

/* The name, such as "SIGINT". */
const char *signals_name(int number);

/* The signal received, or 0. */
int signals_received(void);

#endif
