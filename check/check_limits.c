#include "check/check_limits.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/base/units.h"

struct least {
    uint64_t bytes;
    const char *of; /* whose limit it is */
};

static void lower(struct least *l, uint64_t bytes, const char *of)
{
    if (bytes < l->bytes)
        *l = (struct least){bytes, of};
}

/* proc(5). */
static void by_machine(struct least *l)
{
    static const char name[] = "MemAvailable:";
    char line[256];
    FILE *f = fopen("/proc/meminfo", "re");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, name, sizeof name - 1) != 0)
            continue;
        unsigned long long kib = strtoull(line + sizeof name - 1, NULL, 10); /* 0: not a number */
        if (kib)
            lower(l, (uint64_t)kib * 1024, "the available memory is");
    }
    if (f)
        (void)fclose(f); /* it was only read */
}

static bool read_line(const char *path, const char *begins, char *out, size_t size)
{
    FILE *f = fopen(path, "re");
    bool found = false;
    while (f && !found && fgets(out, (int)size, f))
        found = strncmp(out, begins, strlen(begins)) == 0;
    if (f)
        (void)fclose(f);
    return found;
}

/* Version 2, and only the group of this process: those above it may not be visible. */
static void by_group(struct least *l)
{
    char line[2048], path[sizeof line + 64];
    uint64_t bytes;
    if (!read_line("/proc/self/cgroup", "0::/", line, sizeof line))
        return;
    line[strcspn(line, "\n")] = '\0';
    (void)snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", line + strlen("0::"));
    if (!read_line(path, "", line, sizeof line))
        return;
    line[strcspn(line, "\n")] = '\0';
    if (units_uint(str_c(line), &bytes)) /* else it is "max" */
        lower(l, bytes, "the control group allows");
}

static void by_process(struct least *l)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        lower(l, (uint64_t)limit.rlim_cur, "the process may use (ulimit -v)");
}

void check_memory(uint64_t max_memory, const struct findings *f)
{
    struct least l = {UINT64_MAX, NULL};
    char most[UNITS_BYTES_CHARS], left[UNITS_BYTES_CHARS];
    by_machine(&l);
    by_group(&l);
    by_process(&l);
    if (!l.of)
        return;
    units_bytes(most, sizeof most, max_memory);
    units_bytes(left, sizeof left, l.bytes);
    bool is_enough = max_memory <= l.bytes;
    findings_add(f, is_enough ? FINDING_OK : FINDING_WARN, "memory",
                 "--max-memory allows %s for leads and outputs, and %s %s%s", most, l.of, left,
                 is_enough ? "" : "; give a smaller --max-memory, or more memory");
}
