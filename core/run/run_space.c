#include "core/run/run_space.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "core/base/checked.h"
#include "core/base/units.h"
#include "core/file/outfile.h"

#define BYTES_MIN ((uint64_t)1 << 20) /* with less nothing works */
#define BYTES_FEW ((uint64_t)64 << 20)
#define FILES_FEW 100

/* The folder of `path`, or the nearest one above it that is there: the run makes the others. malloc'd; NULL: out of
 * memory, or there is none. `path` has at least one character. */
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

static void report_item(const struct run_space_item *item, const struct findings *f)
{
    char left[UNITS_BYTES_CHARS], then[UNITS_BYTES_CHARS];
    units_bytes(left, sizeof left, item->bytes_free);
    units_bytes(then, sizeof then, item->bytes_then);
    bool is_full = item->bytes_free < item->bytes_then || item->bytes_free < BYTES_MIN;
    bool is_tight = item->bytes_free / 2 < item->bytes_then || item->bytes_free < BYTES_FEW;
    if (item->counts_files && item->files_free < FILES_FEW)
        findings_add(f, FINDING_FAIL, "disk",
                     "%s: the file system can hold only %" PRIu64
                     " more files; delete some, or write elsewhere",
                     item->folder, item->files_free);
    else if (is_full || is_tight)
        findings_add(f, is_full ? FINDING_FAIL : FINDING_WARN, "disk",
                     "%s: %s left on the file system%s%s%s; make room, or write elsewhere",
                     item->folder, left,
                     item->bytes_then ? ", and the files of the last run have " : "",
                     item->bytes_then ? then : "",
                     item->bytes_then ? ", beside which the new ones are written" : "");
    else
        findings_add(f, FINDING_OK, "disk", "%s: %s left on the file system%s%s", item->folder,
                     left, item->bytes_then ? "; the files of the last run have " : "",
                     item->bytes_then ? then : "");
}

void run_space_report(const struct run_space *s, const struct findings *f)
{
    for (size_t i = 0; i < s->n; i++)
        report_item(&s->items[i], f);
}
