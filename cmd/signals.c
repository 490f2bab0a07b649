#include "cmd/signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "cmd/commands.h"
#include "core/base/stop_timer.h"

/* How long writing the last message may take. */
#define MESSAGE_SECONDS 1
/* How long a command without a run still waits for the reader of its output. */
#define FLAG_GRACE_MS 100

static const int watched[] = {SIGINT, SIGTERM, SIGHUP};

/* A handler's only argument is the signal number: this is the only place that needs globals. */
static _Atomic(struct run *) run_to_stop;
static _Atomic(const struct stop_timer *) flag_timer; /* NULL: first_signal is not used */
static atomic_int first_signal;
static atomic_int last_signal;       /* the one that ends the program at once */
static atomic_int ended_status = -1; /* exit status of the run that has ended; -1: it has not */
static atomic_int hook_group;        /* of a command that is running; 0: none */
static pthread_t main_thread;        /* set before the handlers are */

static void give_up_message(int number)
{
    (void)number;
    _exit(EXIT_STATUS_SIGNAL + atomic_load(&last_signal));
}

/* A reader of standard error that has stalled (a pager, a terminal after Ctrl-S) must not keep the program from ending. It
 * would not be enough to check whether there is room, because other programs write there, too. */
static void limit_message(void)
{
    struct sigaction action = {.sa_handler = give_up_message};
    sigset_t alarms;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGALRM, &action, NULL);
    (void)sigemptyset(&alarms);
    (void)sigaddset(&alarms, SIGALRM);
    (void)pthread_sigmask(SIG_UNBLOCK, &alarms, NULL); /* the parent process may have blocked it */
    (void)alarm(MESSAGE_SECONDS);
}

/* In a signal handler, only write() is safe. */
static void stop_at_once(int number)
{
    static const char message[] =
        "\nleadpipe: stopped immediately; unfinished files (.*.leadpipe-part) may remain;\n"
        "a run with --state needs them to resume\n";
    atomic_store(&last_signal, number);
    limit_message();
    ssize_t written = write(STDERR_FILENO, message, sizeof message - 1);
    (void)written; /* there is no other way to report it */
    _exit(EXIT_STATUS_SIGNAL + number);
}

static void on_signal(int number)
{
    int saved_errno = errno, none = 0;
    /* The run's threads block signals, but libraries have threads of their own, such as for looking
     * up names. run_stop() must be called where the loop is. */
    if (!pthread_equal(pthread_self(), main_thread)) {
        (void)pthread_kill(main_thread, number);
        errno = saved_errno;
        return;
    }
    struct run *run = atomic_load(&run_to_stop);
    const struct stop_timer *timer = atomic_load(&flag_timer);
    if (timer) {
        if (!atomic_compare_exchange_strong(&first_signal, &none, number))
            stop_at_once(number);
        stop_timer_start(timer, FLAG_GRACE_MS);
        errno = saved_errno;
        return;
    }
    int ended = atomic_load(&ended_status);
    if (!run && atomic_load(&hook_group))
        (void)kill(-atomic_load(&hook_group), SIGKILL);
    if (!run) /* no run, or it has ended: then with its exit status */
        _exit(ended < 0 ? EXIT_STATUS_SIGNAL + number : ended);
    if (!atomic_compare_exchange_strong(&first_signal, &none, number))
        stop_at_once(number);
    run_stop(run, number);
    errno = saved_errno;
}

void signals_watch(struct run *run)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
    (void)sigemptyset(&action.sa_mask);
    main_thread = pthread_self();
    atomic_store(&run_to_stop, run);
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++) {
        if (sigaction(watched[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            (void)sigaction(watched[i], &action, NULL);
    }
    /* The parent process may have ignored it; then it would not be known how a command has ended. */
    action = (struct sigaction){.sa_handler = SIG_DFL};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGCHLD, &action, NULL);
}

void signals_watch_flag(const struct stop_timer *timer)
{
    atomic_store(&flag_timer, timer);
    signals_watch(NULL);
}

const atomic_int *signals_flag(void)
{
    return &first_signal;
}

void signals_forget(int exit_status)
{
    atomic_store(&ended_status, exit_status);
    atomic_store(&run_to_stop, NULL);
}

void signals_hook(pid_t group)
{
    atomic_store(&hook_group, (int)group);
}

const char *signals_name(int number)
{
    switch (number) {
    case SIGINT:
        return "SIGINT";
    case SIGTERM:
        return "SIGTERM";
    case SIGHUP:
        return "SIGHUP";
    default:
        return "a signal";
    }
}

int signals_received(void)
{
    return atomic_load(&first_signal);
}
