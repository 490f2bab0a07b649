#include "cmd/estimate.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES 65536
#define COUNTED_BYTES_MAX ((uint64_t)64 << 20) /* some hundredths of a second */

static uint64_t count_line_ends(const char *p, size_t n)
{
    uint64_t count = 0;
    for (const char *end = p + n; (p = memchr(p, '\n', (size_t)(end - p))); p++)
        count++;
    return count;
}

static uint64_t lines_of(int fd, uint64_t size)
{
    char chunk[CHUNK_BYTES];
    uint64_t lines = 0, bytes = 0;
    ssize_t n;
    while (bytes < COUNTED_BYTES_MAX && (n = read(fd, chunk, sizeof chunk)) > 0) {
        lines += count_line_ends(chunk, (size_t)n);
        bytes += (uint64_t)n;
    }
    if (bytes >= size || bytes == 0)
        return lines;
    return (uint64_t)((double)lines * (double)size / (double)bytes);
}

static bool is_compressed(const char *file)
{
    size_t len = strlen(file);
    return len >= 3 && strcmp(file + len - 3, ".gz") == 0;
}

/* False: nobody knows. */
static bool add_file(uint64_t *total, const char *file)
{
    struct stat st;
    if (is_compressed(file) || strcmp(file, "-") == 0 || stat(file, &st) != 0 ||
        !S_ISREG(st.st_mode))
        return false;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    *total += lines_of(fd, (uint64_t)st.st_size);
    (void)close(fd);
    return true;
}

uint64_t estimate_ids(const struct export_options *o)
{
    uint64_t total = 0;
    if (o->expect > 0)
        return (uint64_t)o->expect;
    for (size_t i = 0; i < o->files.n; i++) {
        if (!add_file(&total, o->files.items[i]))
            return 0;
    }
    return total;
}
