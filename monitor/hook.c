#include "monitor/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How often it is checked whether the command has ended. */
#define STEP_MS 20

/* ---- starting ------------------------------------------------------------------------------- */

/* Returns an errno. The command gets a process group of its own, so that its children can be ended with it, and default
 * signal handling. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t all, none;
    (void)sigfillset(&all);
    (void)sigemptyset(&none);
    int failed = posix_spawnattr_setpgroup(attributes, 0);
    failed = failed ? failed : posix_spawnattr_setsigdefault(attributes, &all);
    failed = failed ? failed : posix_spawnattr_setsigmask(attributes, &none);
    return failed ? failed
                  : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP |
                                                             POSIX_SPAWN_SETSIGDEF |
                                                             POSIX_SPAWN_SETSIGMASK);
}

static int set_files(posix_spawn_file_actions_t *files, int input_fd, int output_fd)
{
    int failed = posix_spawn_file_actions_adddup2(files, input_fd, STDIN_FILENO);
    failed = failed ? failed : posix_spawn_file_actions_adddup2(files, output_fd, STDOUT_FILENO);
    return failed ? failed : posix_spawn_file_actions_adddup2(files, output_fd, STDERR_FILENO);
}

static int spawn(pid_t *out, const struct hook_cfg *cfg, int input_fd)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int failed = posix_spawn_file_actions_init(&files);
    if (failed)
        return failed;
    failed = posix_spawnattr_init(&attributes);
    if (!failed) {
        failed = set_files(&files, input_fd, cfg->output_fd);
        failed = failed ? failed : set_attributes(&attributes);
        failed = failed ? failed
                        : posix_spawnp(out, cfg->words[0], &files, &attributes, cfg->words,
                                       cfg->environment);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&files);
    return failed;
}

static enum rc start(const struct hook_cfg *cfg, pid_t *out_pid, int *out_fd, struct err *e)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_sys(e, RC_IO, errno, "a pipe to the command");
    if (fcntl(ends[1], F_SETFL, O_NONBLOCK) != 0) {
        int errnum = errno;
        (void)close(ends[0]);
        (void)close(ends[1]);
        return err_sys(e, RC_IO, errnum, "a pipe to the command");
    }
    int failed = spawn(out_pid, cfg, ends[0]);
    (void)close(ends[0]);
    if (failed) {
        (void)close(ends[1]);
        return err_sys(e, RC_USAGE, failed, "the command cannot be started");
    }
    *out_fd = ends[1];
    return RC_OK;
}

/* ---- waiting -------------------------------------------------------------------------------- */

struct running {
    pid_t pid;
    int fd; /* our end of its standard input; -1: all is written, or it does not read */
    struct str left;
    int status; /* of waitpid(), once it has ended */
};

static void close_input(struct running *r)
{
    (void)close(r->fd); /* a pipe: close() cannot lose data */
    r->fd = -1;
}

static void write_input(struct running *r)
{
    while (r->left.len) {
        ssize_t n = write(r->fd, r->left.ptr, r->left.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            break; /* EPIPE: the command does not read it */
        r->left.ptr += n;
        r->left.len -= (size_t)n;
    }
    close_input(r);
}

static void step(struct running *r)
{
    struct pollfd waits = {.fd = r->fd, .events = POLLOUT};
    (void)poll(&waits, 1,
               STEP_MS); /* EINTR only means an earlier check; with a negative fd it just waits */
}

/* Has it ended? Waits for at most `ms`. */
static bool wait_for(struct running *r, const struct clock *clock, int64_t ms)
{
    int64_t end_us = clock_mono_us(clock) + ms * 1000;
    for (;;) {
        if (r->fd >= 0)
            write_input(r);
        pid_t got = waitpid(r->pid, &r->status, WNOHANG);
        if (got == r->pid || (got < 0 && errno != EINTR))
            return true;
        if (clock_mono_us(clock) >= end_us)
            return false;
        step(r);
    }
}

/* Signals the command and its descendants, except for those that have left its group. */
static void end_group(struct running *r, const struct hook_cfg *cfg)
{
    (void)kill(-r->pid, SIGTERM);
    bool ended = wait_for(r, cfg->clock, cfg->kill_ms);
    (void)kill(-r->pid, SIGKILL);
    while (!ended && waitpid(r->pid, &r->status, 0) < 0 && errno == EINTR) {}
}

/* Signals are blocked between the start and the call of started(), so that a signal handler always knows the group. */
static enum rc start_and_notify(struct running *r, const struct hook_cfg *cfg, struct err *e)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    int failed = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (failed)
        return err_sys(e, RC_IO, failed, "the signal mask");
    enum rc rc = start(cfg, &r->pid, &r->fd, e);
    if (rc == RC_OK && cfg->started)
        cfg->started(r->pid);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

enum rc hook_run(const struct hook_cfg *cfg, struct hook_end *out, struct err *e)
{
    struct running r = {.left = cfg->input};
    enum rc rc = start_and_notify(&r, cfg, e);
    if (rc != RC_OK)
        return rc;
    bool timed_out = !wait_for(&r, cfg->clock, cfg->limit_ms);
    if (timed_out)
        end_group(&r, cfg);
    if (cfg->started)
        cfg->started(0);
    if (r.fd >= 0)
        close_input(&r);
    *out = (struct hook_end){
        .exit_status = WIFEXITED(r.status) ? WEXITSTATUS(r.status) : 0,
        .signal = WIFSIGNALED(r.status) ? WTERMSIG(r.status) : 0,
        .timed_out = timed_out,
    };
    return RC_OK;
}
