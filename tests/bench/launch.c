/* Starts a program that does not outlive its starter, and reports what it cost.
 *
 *   launch COMMAND [ARG]...           becomes the command
 *   launch -o FILE COMMAND [ARG]...   waits for it, writes what it cost as JSON, ends as it did
 *
 * A program of its own, because the peak memory of a child begins with that of the process that
 * forked it, and a Python interpreter is larger than much of what is measured here. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_LAUNCH = 125, EXIT_NO_COMMAND = 127 };

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* Returns only when it fails. */
static int become(char *argv[], int death_signal)
{
    if (prctl(PR_SET_PDEATHSIG, death_signal) != 0) {
        perror("launch: prctl");
        return EXIT_LAUNCH;
    }
    execvp(argv[0], argv);
    fprintf(stderr, "launch: %s: %s\n", argv[0], strerror(errno));
    return EXIT_NO_COMMAND;
}

static int write_cost(const char *path, int status, double wall_s, const struct rusage *u)
{
    FILE *f = fopen(path, "w");
    if (!f) {
        fprintf(stderr, "launch: %s: %s\n", path, strerror(errno));
        return -1;
    }
    fprintf(f,
            "{\"status\": %d, \"wall_s\": %.6f, \"user_s\": %.6f, \"system_s\": %.6f, "
            "\"peak_bytes\": %lld, \"switches\": %ld}\n",
            status, wall_s, seconds(u->ru_utime), seconds(u->ru_stime),
            (long long)u->ru_maxrss * 1024, u->ru_nvcsw + u->ru_nivcsw);
    if (fclose(f) != 0) {
        fprintf(stderr, "launch: %s: %s\n", path, strerror(errno));
        return -1;
    }
    return 0;
}

static int measure(const char *path, char *argv[])
{
    double start_s = now_s();
    pid_t pid = fork();
    if (pid == 0)
        _exit(become(argv, SIGKILL));
    if (pid < 0) {
        perror("launch: fork");
        return EXIT_LAUNCH;
    }
    int w;
    struct rusage u;
    while (wait4(pid, &w, 0, &u) < 0) {
        if (errno != EINTR) {
            perror("launch: wait4");
            return EXIT_LAUNCH;
        }
    }
    double wall_s = now_s() - start_s;
    int status = WIFSIGNALED(w) ? 128 + WTERMSIG(w) : WEXITSTATUS(w);
    return write_cost(path, status, wall_s, &u) == 0 ? status : EXIT_LAUNCH;
}

int main(int argc, char *argv[])
{
    bool measured = argc > 1 && strcmp(argv[1], "-o") == 0;
    if (argc < (measured ? 4 : 2)) {
        fputs("usage: launch [-o FILE] COMMAND [ARG]...\n", stderr);
        return 2;
    }
    if (!measured)
        return become(argv + 1, SIGTERM);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) {
        perror("launch: prctl");
        return EXIT_LAUNCH;
    }
    return measure(argv[2], argv + 3);
}
