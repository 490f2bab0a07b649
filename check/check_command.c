#include "check/check_command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/shell_quote.h"
#include "monitor/hook.h"

#define SUBJECT "command"
#define PATH_DEFAULT "/bin:/usr/bin" /* of the C library, where there is no PATH */
#define WORD_BYTES_MAX ((size_t)64 << 10)
#define HEAD_BYTES 256 /* that the kernel reads for a first line */

/* ---- where it is ---------------------------------------------------------------------------- */

/* 0, or an errno. */
static int can_run(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return errno;
    if (!S_ISREG(st.st_mode))
        return EACCES;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

/* In the directories of PATH, an empty one being the working directory. The last that may not be executed is named
 * where none may. */
static int find_in_path(const char *name, char out[PATH_MAX])
{
    const char *rest = getenv("PATH");
    int failed = ENOENT;
    rest = rest ? rest : PATH_DEFAULT;
    for (;;) {
        char path[PATH_MAX];
        size_t n = strcspn(rest, ":");
        int length = snprintf(path, sizeof path, "%.*s%s%s", (int)n, rest, n ? "/" : "./", name);
        int why = length < 0 || length >= PATH_MAX ? ENAMETOOLONG : can_run(path);
        if (why == 0 || why == EACCES) {
            memcpy(out, path, (size_t)length + 1);
            failed = why;
        }
        if (why == 0 || !rest[n])
            return failed;
        rest += n + 1;
    }
}

/* As posix_spawnp() looks for it. 0, or an errno; *out is of use with 0 and EACCES. */
static int find(const char *name, char out[PATH_MAX])
{
    if (!strchr(name, '/'))
        return find_in_path(name, out);
    if (strlen(name) >= PATH_MAX)
        return ENAMETOOLONG;
    memcpy(out, name, strlen(name) + 1);
    return can_run(name);
}

static void report_not_found(const char *option, const char *name, int why,
                             const struct findings *f)
{
    const char *path = getenv("PATH");
    if (strchr(name, '=')) /* its value may be a secret */
        findings_add(f, FINDING_FAIL, SUBJECT,
                     "%s: a variable before the program (NAME=value) is for a shell, and there is "
                     "none: write env NAME=value PROGRAM, or sh -c '...'",
                     option);
    else if (why == ENOENT && !strchr(name, '/'))
        findings_add(f, FINDING_FAIL, SUBJECT,
                     "%s: there is no program %s in the directories of PATH (%s); install it, or "
                     "give its whole path",
                     option, name, path ? path : PATH_DEFAULT);
    else
        findings_add(f, FINDING_FAIL, SUBJECT, "%s: %s: %s", option, name, strerror(why));
}

static void report_no_right(const char *option, const char *path, const struct findings *f)
{
    struct stat st;
    struct buf word;
    buf_init(&word, WORD_BYTES_MAX);
    shell_quote_path(&word, path);
    if (stat(path, &st) != 0)
        findings_add(f, FINDING_FAIL, SUBJECT, "%s: %s: %s", option, path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        findings_add(f, FINDING_FAIL, SUBJECT, "%s: %s is %s, and not a program", option, path,
                     S_ISDIR(st.st_mode) ? "a directory" : "no regular file");
    else
        findings_add(f, FINDING_FAIL, SUBJECT,
                     "%s: %s: this user may not execute it (mode %04o); run: chmod a+x %s", option,
                     path, (unsigned)st.st_mode & 07777, buf_cstr(&word));
    buf_free(&word);
}

/* ---- what it is ----------------------------------------------------------------------------- */

/* -1: it cannot be read. */
static ssize_t read_head(const char *path, char out[HEAD_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ssize_t n = fd >= 0 ? read(fd, out, HEAD_BYTES - 1) : -1;
    if (fd >= 0)
        (void)close(fd); /* it was only read */
    out[n > 0 ? n : 0] = '\0';
    return n;
}

/* A script whose first line does not name a program that is there cannot be started, and the system then says that
 * the script itself is not there. What cannot be read, or is binary, is left to the system. */
static bool is_good_script(const char *option, const char *path, const struct findings *f)
{
    char head[HEAD_BYTES];
    ssize_t n = read_head(path, head);
    if (n < 0 || memchr(head, '\0', (size_t)n))
        return true;
    bool is_script = strncmp(head, "#!", 2) == 0;
    char *program = head + (is_script ? 2 : 0);
    program += strspn(program, " \t");
    program[strcspn(program, " \t\n")] = '\0';
    if (!is_script || !*program) {
        findings_add(f, FINDING_FAIL, SUBJECT,
                     "%s: %s is %s, and it is run without a shell: it must begin with #!/bin/sh",
                     option, path,
                     n ? "a text file whose first line names no program" : "an empty file");
        return false;
    }
    int why = can_run(program);
    bool is_crlf = *program && program[strlen(program) - 1] == '\r';
    if (why)
        findings_add(f, FINDING_FAIL, SUBJECT, "%s: %s: its first line names %s: %s%s", option,
                     path, program, strerror(why),
                     is_crlf ? "; its lines end as on Windows (CR LF): convert them" : "");
    return why == 0;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void check_program(const char *option, const char *name, const struct findings *f)
{
    char path[PATH_MAX];
    int why = find(name, path);
    if (why == EACCES)
        report_no_right(option, path, f);
    else if (why)
        report_not_found(option, name, why, f);
    else if (is_good_script(option, path, f))
        findings_add(f, path[0] == '/' ? FINDING_OK : FINDING_WARN, SUBJECT,
                     path[0] == '/' ? "%s: %s can be started (it was not)"
                                    : "%s: %s can be started from the current directory; cron and "
                                      "systemd begin in another one: give its whole path",
                     option, path);
}

void check_command(const char *option, const char *command, const struct findings *f)
{
    struct hook_words words = {0};
    struct err e;
    if (hook_split(&words, command, &e) == RC_OK)
        check_program(option, words.items[0], f);
    else
        findings_add(f, FINDING_FAIL, SUBJECT, "%s: %s", option, e.msg);
    hook_words_free(&words);
}
