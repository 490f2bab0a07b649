#include "cmd/progress.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/units.h"
#include "cmd/signals.h"

#define LINE_EVERY_S 5.0
#define SMOOTHING_S 5.0 /* time constant of the average, in seconds */
#define WIDTH_DEFAULT 80

void progress_init(struct progress *p, struct messages *m, enum progress_mode mode, bool quiet,
                   bool terminal)
{
    const char *term = getenv("TERM");
    bool can_erase = !term || strcmp(term, "dumb") != 0;
    bool live = terminal && can_erase && m->format == MESSAGES_TEXT && !quiet;
    *p = (struct progress){
        .messages = m,
        .live = live && mode != PROGRESS_NEVER,
        .lines = mode == PROGRESS_ALWAYS && !live,
        .line_due_s = LINE_EVERY_S,
    };
}

static uint64_t done_of(const struct ledger_counts *c)
{
    return c->exported + c->unchanged + c->missing + c->failed;
}

static void measure(struct progress *p, const struct run_progress *now)
{
    uint64_t done = done_of(&now->ledger);
    double elapsed_s = now->seconds - p->last_s;
    if (elapsed_s <= 0)
        return;
    if (p->last_s <= 0)
        p->last_done = now->done_before;
    double more = done > p->last_done ? (double)(done - p->last_done) : 0;
    double per_s = more / elapsed_s;
    /* At first the average since the start, then that of the last seconds. */
    double span_s = now->seconds < SMOOTHING_S ? now->seconds : SMOOTHING_S;
    double weight = elapsed_s < span_s ? elapsed_s / span_s : 1;
    p->per_s += (per_s - p->per_s) * weight;
    p->last_s = now->seconds;
    p->last_done = done;
}

/* ---- the line ------------------------------------------------------------------------------- */

void progress_duration(char *out, size_t size, double seconds)
{
    uint64_t s = seconds < 0 ? 0 : (uint64_t)(seconds + 0.5);
    if (s < 60)
        (void)snprintf(out, size, "%" PRIu64 "s", s);
    else if (s < 3600)
        (void)snprintf(out, size, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
    else
        (void)snprintf(out, size, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
}

struct line {
    char *out;
    size_t len, max; /* `max`: columns, without the NUL */
    bool full;
};

/* Adds a part if it fits; the first one that does not fit ends the line. */
static void add_part(struct line *line, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add_part(struct line *line, const char *fmt, ...)
{
    char part[96];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(part, sizeof part, fmt, args);
    va_end(args);
    size_t gap = line->len ? 2 : 0;
    if (n < 0 || line->full || line->len + gap + (size_t)n > line->max) {
        line->full = true;
        return;
    }
    (void)snprintf(line->out + line->len, gap + (size_t)n + 1, "%*s%s", (int)gap, "", part);
    line->len += gap + (size_t)n;
}

/* The expected number of unique IDs; 0: not known. */
static uint64_t total_of(const struct progress_view *v)
{
    return v->now->ids_ended ? v->now->ids.unique : v->estimate;
}

static void add_count(struct line *line, const struct progress_view *v)
{
    uint64_t done = done_of(&v->now->ledger), total = total_of(v);
    if (v->now->is_listing && !v->now->ids_ended) {
        char listed[UNITS_COUNT_CHARS], so_far[UNITS_COUNT_CHARS];
        units_count(listed, v->now->ids.unique);
        units_count(so_far, done);
        add_part(line, "%s of %s+", so_far, listed);
        return;
    }
    if (!v->now->ids_ended && total < v->now->ids.unique) {
        add_part(line, "%" PRIu64 " done", done);
        return;
    }
    add_part(line, "%" PRIu64 "/%s%" PRIu64, done, v->now->ids_ended ? "" : "~", total);
    if (total)
        add_part(line, "%d%%", (int)(100.0 * (double)done / (double)total));
}

static void add_speed(struct line *line, const struct progress_view *v)
{
    char eta[32];
    uint64_t done = done_of(&v->now->ledger), total = total_of(v);
    add_part(line, v->per_s < 10 ? "%.1f/s" : "%.0f/s", v->per_s);
    if (total <= done || v->per_s < 0.01)
        return;
    progress_duration(eta, sizeof eta, (double)(total - done) / v->per_s);
    add_part(line, "ETA %s", eta);
}

static void add_origin(struct line *line, const struct http_stats *http)
{
    char wait[32];
    progress_duration(wait, sizeof wait, (double)http->held_back_ms / 1000);
    if (http->down)
        add_part(line, "server down");
    else if (http->held_back_ms > 0)
        add_part(line, "paused %s", wait);
}

void progress_format(char *out, size_t size, size_t width, const struct progress_view *v)
{
    const struct run_progress *now = v->now;
    struct line line = {.out = out, .max = width < size ? width : size - 1};
    out[0] = '\0';
    add_count(&line, v);
    if (v->stopping)
        add_part(&line, "stopping");
    else
        add_speed(&line, v);
    add_origin(&line, &now->http);
    add_part(&line, "%u in flight", now->http.in_flight);
    add_part(&line, now->http.retries == 1 ? "%" PRIu64 " retry" : "%" PRIu64 " retries",
             now->http.retries);
    add_part(&line, "%" PRIu64 " failed", now->ledger.failed);
    if (now->ledger.missing)
        add_part(&line, "%" PRIu64 " missing", now->ledger.missing);
}

/* ---- showing it ----------------------------------------------------------------------------- */

static size_t terminal_width(int fd)
{
    struct winsize size;
    uint64_t columns = 0;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col != 0)
        return size.ws_col;
    const char *text = getenv("COLUMNS");
    bool is_given =
        text && units_uint(str_c(text), &columns) && columns > 0 && columns <= UINT16_MAX;
    return is_given ? (size_t)columns : WIDTH_DEFAULT;
}

/* In the background (Ctrl-Z and "bg", or "&") the live line must not overwrite the shell's prompt. If the terminal cannot be
 * asked, the program is assumed to be in the foreground. */
static bool is_in_background(int fd)
{
    pid_t group = tcgetpgrp(fd);
    return group > 0 && group != getpgrp();
}

static void show_live(struct progress *p, const struct progress_view *v)
{
    char line[LIVE_LINE_BYTES_MAX];
    if (is_in_background(p->messages->writer.fd)) {
        messages_forget_live(p->messages);
        return;
    }
    /* The last column stays empty, because some terminals wrap after it. */
    progress_format(line, sizeof line, terminal_width(p->messages->writer.fd) - 1, v);
    messages_live(p->messages, line);
}

static void say_stopping(struct progress *p)
{
    int number = signals_received();
    if (!number || p->said_stopping)
        return;
    p->said_stopping = true;
    if (p->messages->hook.level >= LOG_LEVEL_WARN)
        messages_writef(p->messages, LOG_LEVEL_WARN, NULL,
                        "%s: finishing the requests in flight; send it again to stop immediately",
                        signals_name(number));
}

void progress_show(void *progress, const struct run_progress *now)
{
    struct progress *p = progress;
    char line[LIVE_LINE_BYTES_MAX];
    measure(p, now);
    say_stopping(p);
    const struct progress_view v = {now, p->estimate, p->per_s, signals_received() != 0};
    if (p->live) {
        show_live(p, &v);
    } else if (p->lines && now->seconds >= p->line_due_s) {
        progress_format(line, sizeof line, sizeof line - 1, &v);
        messages_write(p->messages, LOG_LEVEL_INFO, "progress", line);
        p->line_due_s = now->seconds + LINE_EVERY_S;
    }
}

void progress_end(struct progress *p)
{
    if (p->live && !is_in_background(p->messages->writer.fd))
        messages_live(p->messages, NULL);
}
