/* leadpipe: leads by ID from HTTP APIs into files, databases and webhooks. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cmd/commands.h"
#include "cmd/completion.h"
#include "cmd/help.h"

/* "leadpipe COMMAND --help" is "leadpipe help COMMAND". Not for export and list, which parse --help themselves, because there
 * it may be the value of another option. */
static bool asks_for_help(const struct command *c, int argc, char *argv[])
{
    if (c->run == command_export || c->run == command_list)
        return false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

/* The name of the command, also if it is given as an option; it replaces the first argument, where commands expect it. */
static char *command_word(char *word)
{
    static char help[] = "help", version[] = "version";
    if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
        return help;
    if (strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0)
        return version;
    return word;
}

static int dispatch(struct messages *m, int argc, char *argv[])
{
    if (argc < 2) {
        help_print_short(stderr);
        return EXIT_STATUS_USAGE;
    }
    if (strcmp(argv[1], COMPLETE_COMMAND) == 0)
        return command_complete(m, argc - 1, argv + 1);
    argv[1] = command_word(argv[1]);
    const struct command *c = command_named(argv[1]);
    if (!c)
        return command_unknown(m, argv[1]);
    if (asks_for_help(c, argc - 1, argv + 1)) {
        help_print_command(stdout, c);
        return EXIT_STATUS_OK;
    }
    return c->run(m, argc - 1, argv + 1);
}

/* A write error of standard output, such as a full disk, is noticed here at the latest. Sinks write to the descriptor
 * directly, and check for errors themselves. */
static int close_stdout(struct messages *m, int status)
{
    bool failed = ferror(stdout) != 0;
    errno = 0;
    if (fflush(stdout) != 0)
        failed = true;
    if (!failed)
        return status;
    messages_writef(m, LOG_LEVEL_ERROR, "standard output", "%s",
                    errno ? strerror(errno) : "write error");
    return status == EXIT_STATUS_OK ? EXIT_STATUS_STOPPED : status;
}

/* If one of the three were closed, the next opened file would get its number, and messages might go into an output.
 * The replacement is opened so that reading standard input or writing the other two fails. */
static bool open_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        int flags = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
        /* O_CLOEXEC distinguishes it from an inherited one: see core/file/descriptor.h. */
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags | O_CLOEXEC) != fd)
            return false;
    }
    return true;
}

/* A crash must not write the API key to a core file, or to a pipe to a program that collects core files, to which
 * RLIMIT_CORE does not apply. Other processes of the same user must not read it with a debugger or through /proc. Builds
 * with sanitizers are excepted, because LeakSanitizer works like a debugger. */
static void forbid_core_dumps(void)
{
    struct rlimit limit;
#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    (void)prctl(PR_SET_DUMPABLE, 0); /* fails only for a value that is not allowed */
#endif
    if (getrlimit(RLIMIT_CORE, &limit) == 0) {
        limit.rlim_cur = 0; /* lowering it is always allowed */
        (void)setrlimit(RLIMIT_CORE, &limit);
    }
}

/* Large blocks go back to the system at once, even after larger ones have been freed (glibc would raise the threshold); but
 * the heap does not grow and shrink with every batch. */
static void tune_malloc(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, 128 * 1024); /* fails only for a value that is not allowed */
    (void)mallopt(M_TRIM_THRESHOLD, 4 << 20);
#endif
}

int main(int argc, char *argv[])
{
    static char
        stdout_buffer[1 << 16]; /* holds any help text, so that errors occur in close_stdout() */
    struct messages m;
    if (!open_standard_files())
        return EXIT_STATUS_STOPPED;
    forbid_core_dumps();
    tune_malloc();
    (void)setvbuf(stdout, stdout_buffer, _IOFBF, sizeof stdout_buffer);
    /* If a reader has gone, the write fails; the program must not be killed. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* likewise for a file-size limit */
    messages_init(&m, STDERR_FILENO, &clock_system);
    int status = dispatch(&m, argc, argv);
    status = close_stdout(&m, status);
    messages_free(&m);
    return status;
}
