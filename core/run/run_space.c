#include "core/run/run_space.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "core/base/checked.h"
#include "core/base/units.h"
#include "core/file/outfile.h"

#define BYTES_MIN ((uint64_t)1 << 20) /* less is reported as a failure */
#define BYTES_FEW ((uint64_t)64 << 20)
#define FILES_FEW 100

/* The folder of `path`, or its nearest ancestor that exists (the run makes the others). The caller frees it. NULL: out of
 * memory, or none exists. `path` must not be empty. */
static char *folder_there(const char *path, struct stat *st)
{
    char *folder = strdup(path);
    while (folder) {
        char *slash = strrchr(folder, '/');
        if (slash == folder)
            slash[1] = '\0';
        else if (slash)
            *slash = '\0';
        else
            memcpy(folder, ".", 2);
        if (stat(folder, st) == 0 && S_ISDIR(st->st_mode))
            return folder;
        if (!slash || slash == folder)
            break;
    }
    free(folder);
    return NULL;
}

static struct run_space_item *item_of(struct run_space *s, const char *path)
{
    struct stat st;
    struct statvfs fs;
    struct run_space_item *item = NULL;
    char *folder = *path ? folder_there(path, &st) : NULL;
    for (size_t i = 0; folder && i < s->n; i++) {
        if (s->items[i].device == st.st_dev)
            item = &s->items[i];
    }
    if (folder && !item && s->n < RUN_SPACE_FILE_SYSTEMS_MAX && statvfs(folder, &fs) == 0) {
        item = &s->items[s->n++];
        *item = (struct run_space_item){
            .device = st.st_dev,
            .bytes_free = (uint64_t)fs.f_bavail * fs.f_frsize,
            .files_free = fs.f_favail,
            .counts_files = fs.f_files > 0,
        };
        (void)snprintf(item->folder, sizeof item->folder, "%s", folder);
    }
    free(folder);
    return item;
}

void run_space_add_bytes(struct run_space *s, const char *path, uint64_t bytes)
{
    if (outfile_is_url(path) || !outfile_is_file(path))
        return;
    struct run_space_item *item = item_of(s, path);
    if (item && !u64_add(item->bytes_then, bytes, &item->bytes_then))
        item->bytes_then = UINT64_MAX; /* as a damaged record may say */
}

uint64_t run_space_add(struct run_space *s, const char *path)
{
    struct stat st;
    bool is_there = !outfile_is_url(path) && outfile_is_file(path) && stat(path, &st) == 0;
    uint64_t bytes = is_there && st.st_size > 0 ? (uint64_t)st.st_size : 0;
    run_space_add_bytes(s, path, bytes);
    return bytes;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Of free bytes: with less than these the point is a failure, and with less than those a warning. New files are
 * written beside those of the last run; twice their size leaves room for a night with more leads. */
static void limits_of(const struct run_space_item *item, uint64_t *fails, uint64_t *warns)
{
    uint64_t twice = 0;
    if (!u64_add(item->bytes_then, item->bytes_then, &twice))
        twice = UINT64_MAX;
    *fails = larger(item->bytes_then, BYTES_MIN);
    *warns = larger(twice, BYTES_FEW);
}

static void report_bytes(const struct run_space_item *item, const char *files,
                         const struct findings *f)
{
    char bytes_free[UNITS_BYTES_CHARS], then[UNITS_BYTES_CHARS];
    char fails_below[UNITS_BYTES_CHARS], warns_below[UNITS_BYTES_CHARS];
    uint64_t fails, warns;
    limits_of(item, &fails, &warns);
    units_bytes(bytes_free, sizeof bytes_free, item->bytes_free);
    units_bytes(then, sizeof then, item->bytes_then);
    units_bytes(fails_below, sizeof fails_below, fails);
    units_bytes(warns_below, sizeof warns_below, warns);
    enum finding_level level = item->bytes_free < fails   ? FINDING_FAIL
                               : item->bytes_free < warns ? FINDING_WARN
                                                          : FINDING_OK;
    findings_add(f, level, "disk",
                 "%s: %s%s free on its file system; %s%s%s%s (warns below %s, fails below %s)%s",
                 item->folder, level == FINDING_OK ? "" : "only ", bytes_free,
                 item->bytes_then ? files : "how much a run needs there is not known",
                 item->bytes_then ? " have " : "", item->bytes_then ? then : "",
                 item->bytes_then ? ", and new ones are written beside them" : "", warns_below,
                 fails_below, level == FINDING_OK ? "" : "; make room, or write elsewhere");
}

static void report_item(const struct run_space_item *item, const char *files,
                        const struct findings *f)
{
    if (item->counts_files && item->files_free < FILES_FEW)
        findings_add(f, FINDING_FAIL, "disk",
                     "%s: its file system can hold only %" PRIu64
                     " more files (fails below %d); delete some, or write elsewhere",
                     item->folder, item->files_free, FILES_FEW);
    else
        report_bytes(item, files, f);
}

void run_space_report(const struct run_space *s, const struct findings *f)
{
    const char *files = s->has_last_run ? "the files of the last run" : "the existing files";
    for (size_t i = 0; i < s->n; i++)
        report_item(&s->items[i], files, f);
}
