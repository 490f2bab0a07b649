#include "rules.h"

#include <errno.h>
#include <fnmatch.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "scope.h"

#define RULES_MAX 16

static const char *const op_names[OP_N] = {"write",  "truncate", "sync",
                                           "create", "rename",   "unlink"};

struct rule {
    unsigned ops;        /* a bit an operation */
    char glob[PATH_MAX]; /* of the path; a star matches slashes, too */
    uint64_t from, to;   /* calls that it hits, counted from 1 */
    uint64_t after_bytes;
    bool has_bytes;
    int errnum;
    char kill[8];
    uint64_t calls, bytes; /* seen so far */
};

static struct rule rules[RULES_MAX];
static size_t n_rules;
static int log_fd = -1;
static bool logs_all;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const struct {
    const char *name;
    int errnum;
} errors[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO},       {"EDQUOT", EDQUOT},
              {"EROFS", EROFS},   {"EACCES", EACCES}, {"EFBIG", EFBIG}};

static int errnum_of(const char *name)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (strcmp(name, errors[i].name) == 0)
            return errors[i].errnum;
    scope_give_up("FAULTFS_RULES: no such error", name);
}

static unsigned ops_of(const char *name)
{
    if (strcmp(name, "any") == 0)
        return (1U << OP_N) - 1;
    for (unsigned i = 0; i < OP_N; i++)
        if (strcmp(name, op_names[i]) == 0)
            return 1U << i;
    scope_give_up("FAULTFS_RULES: no such operation", name);
}

static uint64_t number_of(const char *text)
{
    char *end = NULL;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno || end == text || *end != '\0')
        scope_give_up("FAULTFS_RULES: no number", text);
    return value;
}

static void rule_set(struct rule *r, const char *name, const char *value)
{
    if (strcmp(name, "op") == 0)
        r->ops |= ops_of(value);
    else if (strcmp(name, "path") == 0)
        (void)snprintf(r->glob, sizeof r->glob, "%s", value);
    else if (strcmp(name, "from") == 0)
        r->from = number_of(value);
    else if (strcmp(name, "to") == 0)
        r->to = number_of(value);
    else if (strcmp(name, "after_bytes") == 0)
        r->after_bytes = number_of(value), r->has_bytes = true;
    else if (strcmp(name, "fail") == 0)
        r->errnum = errnum_of(value);
    else if (strcmp(name, "kill") == 0)
        (void)snprintf(r->kill, sizeof r->kill, "%s", value);
    else
        scope_give_up("FAULTFS_RULES: no such word", name);
}

static void rule_parse(char *text)
{
    if (n_rules == RULES_MAX)
        scope_give_up("FAULTFS_RULES", "too many");
    struct rule *r = &rules[n_rules++];
    *r = (struct rule){.glob = "*", .from = 1, .to = UINT64_MAX};
    char *save = NULL;
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        char *equals = strchr(word, '=');
        if (!equals)
            scope_give_up("FAULTFS_RULES: not NAME=VALUE", word);
        *equals = '\0';
        rule_set(r, word, equals + 1);
    }
    if (r->ops == 0 || (r->errnum == 0) == (*r->kill == '\0'))
        scope_give_up("FAULTFS_RULES", "each rule has an op, and either fail or kill");
}

static void rules_init(void)
{
    const char *path = getenv("FAULTFS_LOG");
    if (path && *path) {
        log_fd = kernel_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (log_fd < 0)
            scope_give_up("FAULTFS_LOG", path);
    }
    logs_all = getenv("FAULTFS_LOG_ALL") != NULL;
    const char *given = getenv("FAULTFS_RULES");
    char *text = strdup(given ? given : "");
    char *save = NULL;
    if (!text)
        scope_give_up("FAULTFS_RULES", "out of memory");
    for (char *one = strtok_r(text, ";", &save); one; one = strtok_r(NULL, ";", &save))
        rule_parse(one);
    free(text);
}

static void rules_log(const char *what, enum op op, const char *path, size_t bytes)
{
    char line[PATH_MAX + 64];
    int n = snprintf(line, sizeof line, "%s %s %zu %s\n", what, op_names[op], bytes, path);
    if (log_fd >= 0 && n > 0)
        (void)kernel_write(log_fd, line, strlen(line));
}

/* The rule counts this call; does it hit? Then *bytes is how much of a write may still be done. */
static bool rule_hits(struct rule *r, enum op op, const char *path, size_t *bytes)
{
    if (!(r->ops & 1U << op) || fnmatch(r->glob, path, 0) != 0)
        return false;
    r->calls++;
    uint64_t before = r->bytes;
    r->bytes += *bytes;
    if (r->calls < r->from || r->calls > r->to)
        return false;
    if (!r->has_bytes) {
        *bytes = 0;
        return true;
    }
    if (r->bytes <= r->after_bytes)
        return false;
    *bytes = before < r->after_bytes ? (size_t)(r->after_bytes - before) : 0;
    r->bytes = r->after_bytes > before ? r->after_bytes : before;
    return true;
}

struct verdict rules_apply(enum op op, const char *path, size_t bytes)
{
    (void)pthread_once(&once, rules_init);
    struct verdict v = {.bytes = bytes};
    (void)pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_rules && v.errnum == 0 && !v.kill; i++) {
        size_t allowed = bytes;
        if (!rule_hits(&rules[i], op, path, &allowed))
            continue;
        if (*rules[i].kill)
            v.kill = rules[i].kill;
        else if (allowed > 0)
            v.bytes = allowed;
        else
            v.errnum = rules[i].errnum;
    }
    if (v.kill || v.errnum || v.bytes < bytes || logs_all)
        rules_log(v.kill            ? v.kill
                  : v.errnum        ? "fail"
                  : v.bytes < bytes ? "short"
                                    : "done",
                  op, path, bytes);
    (void)pthread_mutex_unlock(&lock);
    if (v.kill && strcmp(v.kill, "before") == 0)
        rules_die();
    if (v.kill && strcmp(v.kill, "mid") == 0)
        v.bytes = bytes / 2;
    return v;
}

void rules_after(const struct verdict *v)
{
    if (v->kill)
        rules_die();
}

void rules_die(void)
{
    (void)syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        (void)pause();
}
