#include "sinks/sqlite/shard_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/grow.h"
#include "core/base/units.h"
#include "core/file/folder.h"
#include "core/file/part.h"

#define MEMORY_MAX ((size_t)1 << 30)
#define NAMES_BYTES_MAX ((size_t)1 << 16)
#define RETRY_MS 20
#define SAY_AFTER_MS 2000
#define SAY_EVERY_MS 60000
#define LOCK_TRIES 100
#define SET_CHARS 16 /* of its digest, in names */
#define LEFT_AFTER_S (INT64_C(7) * 86400)

void sqlite_shard_files_init(struct sqlite_shard_files *f, const struct sqlite_place *p,
                             const struct sqlite_stage *s)
{
    *f = (struct sqlite_shard_files){.place = p, .stage = s, .lock = -1};
    arena_init(&f->memory, MEMORY_MAX);
}

/* ---- names ---------------------------------------------------------------------------------- */

static const char *name_of(const char *path)
{
    return strrchr(path, '/') + 1; /* they are absolute */
}

typedef enum rc found_fn(struct sqlite_shard_files *f, const char *path, struct str rest,
                         struct err *e);

/* Calls `found` for each name in `dir` that is that of `prefix` and something more, which it gets with the path. */
static enum rc each_entry(struct sqlite_shard_files *f, DIR *dir, const char *prefix,
                          found_fn *found, struct err *e)
{
    const char *name = name_of(prefix);
    size_t len = strlen(name);
    struct buf path;
    enum rc rc = RC_OK;
    buf_init(&path, NAMES_BYTES_MAX);
    while (rc == RC_OK) {
        errno = 0;
        /* cppcheck-suppress readdirCalled ; no other thread reads this stream */
        const struct dirent *entry = readdir(dir);
        if (!entry && errno)
            rc = err_sys(e, RC_IO, errno, "%.*s", (int)(name - prefix), prefix);
        if (!entry)
            break;
        if (strncmp(entry->d_name, name, len) != 0)
            continue;
        buf_clear(&path);
        buf_addf(&path, "%.*s%s", (int)(name - prefix), prefix, entry->d_name);
        rc = buf_rc(&path) == RC_OK ? found(f, buf_cstr(&path), str_c(entry->d_name + len), e)
                                    : err_nomem(e);
    }
    buf_free(&path);
    return rc == RC_END ? RC_OK : rc;
}

/* For each file whose path begins with `prefix`. RC_END of `found` ends the search. */
static enum rc each_file(struct sqlite_shard_files *f, const char *prefix, found_fn *found,
                         struct err *e)
{
    char *folder = folder_of(prefix);
    if (!folder)
        return err_nomem(e);
    DIR *dir = opendir(folder);
    enum rc rc =
        dir ? each_entry(f, dir, prefix, found, e) : err_sys(e, RC_IO, errno, "%s", folder);
    if (dir)
        (void)closedir(dir);
    free(folder);
    return rc;
}

/* "I-of-N-SET" */
static bool take_name(struct sqlite_loaded *l, struct str text)
{
    struct str word;
    uint64_t index = 0;
    uint64_t of = 0;
    if (!text_take_uint(&text, '-', &index) || !text_take(&text, '-', &word) ||
        !str_eq_c(word, "of") || !text_take_uint(&text, '-', &of) || of > UINT32_MAX ||
        index >= of || text.len != SET_CHARS)
        return false;
    l->index = (uint32_t)index;
    l->of = (uint32_t)of;
    l->set = text;
    return strspn(text.ptr, "0123456789abcdef") == text.len;
}

bool sqlite_shard_files_is_of(const struct sqlite_loaded *l, const char *set)
{
    return strncmp(l->set.ptr, set, SET_CHARS) == 0;
}

/* ---- the lock ------------------------------------------------------------------------------- */

static enum rc wait_for_lock(const struct sqlite_shard_files *f, struct err *e)
{
    for (int64_t ms = 0; flock(f->lock, LOCK_EX | LOCK_NB) != 0; ms += RETRY_MS) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_sys(e, RC_IO, errno, "%s", f->place->lock);
        if (sqlite_db_is_stopped(&f->stage->db))
            return err_set(
                e, RC_STOPPED,
                "%s: the run was stopped while it waited for another shard, which merges",
                f->place->spec);
        if (ms % SAY_EVERY_MS == SAY_AFTER_MS)
            log_msg(f->place->log, LOG_LEVEL_WARN, f->place->spec,
                    "waiting for another shard, which merges");
        (void)sqlite3_sleep(RETRY_MS);
    }
    return RC_OK;
}

static void close_lock(struct sqlite_shard_files *f)
{
    (void)close(f->lock);
    f->lock = -1;
}

enum rc sqlite_shard_files_lock(struct sqlite_shard_files *f, struct err *e)
{
    const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    for (int i = 0; i < LOCK_TRIES; i++) {
        bool is_regular = false;
        f->lock = open(f->place->lock, flags, 0666);
        if (f->lock < 0) {
            (void)err_sys(e, RC_IO, errno, "%s", f->place->lock);
            sqlite_explain(&f->stage->db, f->place->path, e);
            return RC_IO;
        }
        enum rc rc = wait_for_lock(f, e);
        if (rc == RC_OK && part_is_still_there(f->lock, f->place->lock, &is_regular))
            return RC_OK;
        close_lock(f);
        if (rc != RC_OK)
            return rc;
    }
    return err_set(e, RC_BUSY, "%s: other shards keep starting and ending; try again",
                   f->place->spec);
}

static enum rc note_file(struct sqlite_shard_files *f, const char *path, struct str rest,
                         struct err *e)
{
    (void)path;
    (void)rest;
    (void)e;
    f->n++;
    return RC_END;
}

/* The last one that has nothing loaded removes the file, before it unlocks it: who waits for it makes a new one. */
void sqlite_shard_files_free(struct sqlite_shard_files *f)
{
    struct err ignored;
    if (f->lock >= 0) {
        f->n = 0;
        if (each_file(f, f->place->loaded, note_file, &ignored) == RC_OK && f->n == 0)
            (void)unlink(f->place->lock);
        close_lock(f);
    }
    free(f->items);
    f->items = NULL;
    f->n = f->cap = 0;
    arena_free(&f->memory);
}

/* ---- what is loaded --------------------------------------------------------------------------- */

/* A file of another user may hold anything. */
static enum rc check_owner(const char *path, struct err *e)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return err_sys(e, RC_IO, errno, "%s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, RC_IO, "%s: is in the way, and is not a regular file", path);
    if (st.st_uid != geteuid())
        return err_set(
            e, RC_IO, "%s: belongs to another user (%lu); run all shards as one user, or remove it",
            path, (unsigned long)st.st_uid);
    return RC_OK;
}

/* l->is_damaged: there is no record in the file, or one of another shard. */
static enum rc read_record(struct sqlite_shard_files *f, struct sqlite_loaded *l, struct err *e)
{
    struct err ignored;
    const struct sqlite_db *d = &f->stage->db;
    const struct str value = str_c(l->path);
    enum rc rc = sqlite_run_with(d, "attach ?1 as part", &value, 1, e);
    if (rc == RC_OK) {
        rc = sqlite_shard_record_read(d, "part", &f->memory, &l->record, e);
        bool detached = sqlite_run(d, "detach part", &ignored) == RC_OK;
        if (rc == RC_OK && !detached)
            return err_set(e, RC_INTERNAL, "%s: is still in use", l->path);
    }
    l->is_damaged = rc == RC_SYNTAX || rc == RC_USAGE ||
                    (rc == RC_OK && (l->record.index != l->index || l->record.of != l->of ||
                                     !sqlite_shard_files_is_of(l, l->record.set.ptr)));
    return l->is_damaged ? RC_OK : rc;
}

/* Are its rows in the database? */
static enum rc is_merged(const struct sqlite_shard_files *f, const struct sqlite_loaded *l,
                         bool *out, struct err *e)
{
    *out = false;
    if (l->is_damaged || !f->stage->is_attached)
        return RC_OK;
    return sqlite_target_has_run(&f->stage->db, l->record.token, out, e);
}

/* Files of other names are those that SQLite makes, or nobody knows whose. */
static enum rc add_loaded(struct sqlite_shard_files *f, const char *path, struct str rest,
                          struct err *e)
{
    bool merged = false;
    struct sqlite_loaded *items = list_grow(f->items, f->n, &f->cap, sizeof *items);
    if (!items)
        return err_nomem(e);
    f->items = items;
    struct sqlite_loaded *l = &items[f->n];
    *l = (struct sqlite_loaded){.path = arena_strdup(&f->memory, str_c(path))};
    if (!l->path)
        return err_nomem(e);
    if (!take_name(l, str_c(l->path + strlen(path) - rest.len)))
        return RC_OK;
    enum rc rc = check_owner(l->path, e);
    if (rc == RC_OK)
        rc = read_record(f, l, e);
    if (rc == RC_OK)
        rc = is_merged(f, l, &merged, e);
    if (rc == RC_OK && merged)
        return sqlite_shard_files_remove(l, e);
    f->n += rc == RC_OK;
    return rc;
}

enum rc sqlite_shard_files_read(struct sqlite_shard_files *f, struct err *e)
{
    f->n = 0;
    return each_file(f, f->place->loaded, add_loaded, e);
}

/* ---- changing names --------------------------------------------------------------------------- */

enum rc sqlite_shard_files_remove(const struct sqlite_loaded *l, struct err *e)
{
    if (unlink(l->path) != 0 && errno != ENOENT)
        return err_sys(e, RC_IO, errno, "%s", l->path);
    return RC_OK;
}

static enum rc remove_staging(const char *path, struct err *e)
{
    struct buf journal;
    buf_init(&journal, NAMES_BYTES_MAX);
    buf_addf(&journal, "%s-journal", path);
    enum rc rc = buf_rc(&journal) == RC_OK ? RC_OK : err_nomem(e);
    if (rc == RC_OK) {
        (void)unlink(path);
        (void)unlink(buf_cstr(&journal));
    }
    buf_free(&journal);
    return rc;
}

/* Not the file of a run that goes on, however long it has waited: that one is locked. And not our own: closing a
 * descriptor of it would end its lock. */
static enum rc remove_left(struct sqlite_shard_files *f, const char *path, struct str rest,
                           struct err *e)
{
    struct stat st;
    long pid;
    bool is_ours = strcmp(path, f->place->staging) == 0;
    bool is_journal = rest.len >= 8 && strcmp(rest.ptr + rest.len - 8, "-journal") == 0;
    if (is_ours || is_journal || lstat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
        st.st_uid != geteuid() || st.st_mtime > time(NULL) - LEFT_AFTER_S ||
        sqlite_stage_is_locked(path, &pid))
        return RC_OK;
    return remove_staging(path, e);
}

enum rc sqlite_shard_files_tidy(struct sqlite_shard_files *f, struct err *e)
{
    return each_file(f, f->place->loading, remove_left, e);
}

/* The connection has been closed, so the journal has nothing that is needed. */
enum rc sqlite_shard_files_keep(const struct sqlite_shard_files *f,
                                const struct sqlite_shard_record *r, struct err *e)
{
    struct buf path;
    buf_init(&path, NAMES_BYTES_MAX);
    buf_addf(&path, "%s-journal", f->place->staging);
    if (buf_rc(&path) == RC_OK)
        (void)unlink(buf_cstr(&path));
    buf_clear(&path);
    buf_addf(&path, "%s%" PRIu32 "-of-%" PRIu32 "-%.*s", f->place->loaded, r->index, r->of,
             SET_CHARS, r->set.ptr);
    enum rc rc = buf_rc(&path) == RC_OK ? RC_OK : err_nomem(e);
    if (rc == RC_OK && rename(f->place->staging, buf_cstr(&path)) != 0)
        rc = err_sys(e, RC_IO, errno, "%s", f->place->staging);
    buf_free(&path);
    char *folder = rc == RC_OK ? folder_of(f->place->path) : NULL;
    if (rc == RC_OK)
        rc = folder ? folder_sync(folder, e) : err_nomem(e);
    free(folder);
    return rc;
}
