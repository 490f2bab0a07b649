/* A machine that is unwell: a wall clock that jumps, a resolver that fails. To be preloaded.
 *
 * UNWELL_FOLDER holds what is wrong, and may be changed while the program runs:
 *   clock   seconds to be added to the wall clock
 *   dns     when it is there, no name is known; else names that end in ".example" are 127.0.0.1
 *   log     what was met is appended: "clock SECONDS" at each change, "dns NAME", "no dns NAME"
 *
 * The monotonic clock runs as it does. Waits that are given as a time of the wall clock are the
 * system's, which did not jump: a program that computes one from a clock that did is found out. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))
#define PATH_BYTES 4096

static int open_in_folder(const char *name, int flags)
{
    const char *folder = getenv("UNWELL_FOLDER");
    char path[PATH_BYTES];
    if (!folder || snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return -1;
    int errnum = errno;
    int fd = open(path, flags | O_CLOEXEC, 0600);
    errno = errnum;
    return fd;
}

static void note(const char *what, const char *about)
{
    char line[512];
    int n = snprintf(line, sizeof line, "%s %s\n", what, about);
    int fd = open_in_folder("log", O_WRONLY | O_CREAT | O_APPEND);
    if (fd < 0 || n <= 0 || n >= (int)sizeof line)
        return;
    if (write(fd, line, (size_t)n) != n) {
        /* Then the test misses it, and fails. */
    }
    (void)close(fd);
}

/* ---- the wall clock ------------------------------------------------------------------------- */

static time_t offset_s(void)
{
    static atomic_long last;
    char text[32] = "0";
    int fd = open_in_folder("clock", O_RDONLY);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    if (n > 0)
        text[n] = '\0';
    long offset = strtol(text, NULL, 10);
    if (atomic_exchange(&last, offset) != offset)
        note("clock", text);
    return offset;
}

PUBLIC int clock_gettime(clockid_t id, struct timespec *out)
{
    int failed = (int)syscall(SYS_clock_gettime, id, out);
    if (failed == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        out->tv_sec += offset_s();
    return failed;
}

PUBLIC int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *out = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

PUBLIC time_t time(time_t *out)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

/* ---- the resolver --------------------------------------------------------------------------- */

static int ends_in(const char *text, const char *end)
{
    size_t n = strlen(text);
    size_t n_end = strlen(end);
    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

PUBLIC int getaddrinfo(const char *restrict node, const char *restrict service,
                       const struct addrinfo *restrict hints, struct addrinfo **restrict out)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    int gone = open_in_folder("dns", O_RDONLY);
    if (gone >= 0)
        (void)close(gone);
    note(gone >= 0 ? "no dns" : "dns", node ? node : "");
    if (gone >= 0)
        return EAI_AGAIN;
    return real(node && ends_in(node, ".example") ? "127.0.0.1" : node, service, hints, out);
}
