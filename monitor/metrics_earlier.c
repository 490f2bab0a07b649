/* What is kept from the metrics of an earlier run: the time of the last success. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file/fd_io.h"
#include "core/json/number.h"
#include "monitor/metrics.h"
#include "monitor/metrics_label.h"

#define EARLIER_BYTES_MAX ((size_t)4 << 20)

/* How far in the future a time may be, because the clocks of two machines differ a little. */
#define AHEAD_MS_MAX ((int64_t)60 * 1000)

/* A time in the future would otherwise say for ever that all is well. */
static bool is_time(struct str text, int64_t now_wall_ms, int64_t *out_ms)
{
    int64_t ms = 0;
    if (!number_is_json(text) || !number_to_scaled(text, 3, &ms) || ms < 0 ||
        ms > now_wall_ms + AHEAD_MS_MAX)
        return false;
    *out_ms = ms;
    return true;
}

static bool starts_with(struct str text, struct str start)
{
    return text.ptr && text.len >= start.len && memcmp(text.ptr, start.ptr, start.len) == 0;
}

/* The value in the only line that begins with `sample`. */
static bool find_time(struct str text, struct str sample, int64_t now_wall_ms, int64_t *out_ms)
{
    unsigned found = 0;
    int64_t ms = 0;
    while (text.len) {
        const char *end = memchr(text.ptr, '\n', text.len);
        struct str line = {text.ptr, end ? (size_t)(end - text.ptr) : text.len};
        text.ptr += line.len + (end != NULL);
        text.len -= line.len + (end != NULL);
        if (!starts_with(line, sample))
            continue;
        struct str value = {line.ptr + sample.len, line.len - sample.len};
        if (++found > 1 || !end || !is_time(value, now_wall_ms, &ms))
            return false;
    }
    if (found)
        *out_ms = ms;
    return found == 1;
}

/* Has it the sample of a job, but not of this one? Damage aside. */
static bool is_of_another_job(struct str text, struct str sample)
{
    static const char any[] = "\nleadpipe_" METRICS_LAST_SUCCESS "{job=";
    return memmem(text.ptr, text.len, any, sizeof any - 1) &&
           !memmem(text.ptr, text.len, sample.ptr, sample.len);
}

static enum rc find(const struct buf *text, const char *path, const char *job, int64_t now_wall_ms,
                    int64_t *out_ms, struct err *e)
{
    static const char begin[] = METRICS_BEGIN;
    struct buf sample;
    buf_init(&sample, 16 * METRICS_LABEL_BYTES_MAX);
    buf_adds(&sample, "leadpipe_" METRICS_LAST_SUCCESS "{");
    metrics_label_put(&sample, "job", job);
    buf_adds(&sample, "} ");
    enum rc rc = buf_rc(&sample);
    if (rc != RC_OK)
        rc = err_nomem(e);
    else if (!starts_with(buf_str(text), STR(begin)))
        rc = err_set(e, RC_SYNTAX, "%s: what was there is no file of metrics", path);
    else if (is_of_another_job(buf_str(text), buf_str(&sample)))
        rc = err_set(
            e, RC_SYNTAX,
            "%s: what was there is of another job than \"%s\", and each job needs a file of "
            "its own (--job-name names a job)",
            path, job);
    else if (!find_time(buf_str(text), buf_str(&sample), now_wall_ms, out_ms))
        rc = err_set(e, RC_SYNTAX,
                     "%s: what was there has no time of the last success of this job that can be "
                     "used",
                     path);
    buf_free(&sample);
    return rc;
}

static enum rc read_all(int fd, const char *path, struct buf *out, struct err *e)
{
    struct stat st;
    size_t got = 0;
    if (fstat(fd, &st) != 0)
        return err_sys(e, RC_IO, errno, "%s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, RC_SYNTAX, "%s: it is not a regular file", path);
    if ((uint64_t)st.st_size > EARLIER_BYTES_MAX)
        return err_set(e, RC_SYNTAX, "%s: what was there is larger than a file of metrics", path);
    char *room = st.st_size ? buf_reserve(out, (size_t)st.st_size) : NULL;
    if (st.st_size && !room)
        return err_nomem(e);
    enum rc rc = room ? fd_read_at(fd, path, 0, room, (size_t)st.st_size, &got, e) : RC_OK;
    out->len += got;
    return rc;
}

enum rc metrics_last_success(const char *path, const char *job, int64_t now_wall_ms,
                             int64_t *out_ms, struct err *e)
{
    struct buf text;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno != ENOENT)
        return err_sys(e, RC_IO, errno, "%s", path);
    *out_ms = 0;
    if (fd < 0)
        return RC_OK;
    buf_init(&text, EARLIER_BYTES_MAX);
    enum rc rc = read_all(fd, path, &text, e);
    (void)close(fd); /* it was only read */
    if (rc == RC_OK && text.len)
        rc = find(&text, path, job, now_wall_ms, out_ms, e);
    buf_free(&text);
    return rc;
}
