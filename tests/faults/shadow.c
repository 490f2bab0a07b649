#include "shadow.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel.h"

#define NODES_MAX 8192 /* a power of two */
#define SPANS_MAX 256
#define COPY_BYTES ((size_t)256 * 1024)
#define KEPT_NAME_BYTES 64

struct span {
    off_t from, to;
};

/* An inode, and what was written to it since it was last copied. */
struct node {
    ino_t ino;
    char kept_name[KEPT_NAME_BYTES]; /* "" where the slot is free */
    bool whole, mapped;
    struct span spans[SPANS_MAX];
    size_t n_spans;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all that follows */
static int journal_fd = -1;
static int log_fd = -1;
static struct node *nodes;
static unsigned made;

static void shadow_init(void)
{
    const char *path = getenv("FAULTFS_JOURNAL");
    if (!scope_is_on() || !path || *path == '\0')
        return;
    journal_fd = kernel_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (journal_fd >= 0)
        log_fd = kernel_open(journal_fd, "log", O_WRONLY | O_APPEND | O_CLOEXEC, 0);
    nodes = calloc(NODES_MAX, sizeof *nodes);
    if (journal_fd < 0 || log_fd < 0 || !nodes)
        scope_give_up("FAULTFS_JOURNAL was not made by powercut.py", path);
}

bool shadow_is_on(void)
{
    (void)pthread_once(&once, shadow_init);
    return journal_fd >= 0;
}

/* ---- the log -------------------------------------------------------------------------------- */

/* Appends the path, percent-encoded so far that blanks and line ends divide. "" becomes ".". */
static char *log_path(char *at, const char *path)
{
    *at++ = ' ';
    if (*path == '\0')
        *at++ = '.';
    for (const unsigned char *p = (const unsigned char *)path; *p; p++) {
        if (*p <= ' ' || *p == '%')
            at += sprintf(at, "%%%02x", *p);
        else
            *at++ = (char)*p;
    }
    return at;
}

static void log_add(char what, const char *a, const char *b)
{
    static char line[8 * PATH_MAX]; /* under the lock */
    char *at = line;
    *at++ = what;
    at = log_path(at, a);
    if (b)
        at = log_path(at, b);
    *at++ = '\n';
    if (kernel_write(log_fd, line, (size_t)(at - line)) != at - line)
        scope_give_up("cannot write the journal's log", a);
}

/* ---- inodes --------------------------------------------------------------------------------- */

static struct node *node_slot(ino_t ino)
{
    for (size_t i = 0; i < NODES_MAX; i++) {
        struct node *n = &nodes[(ino * 2654435761U + i) % NODES_MAX];
        if (*n->kept_name == '\0' || n->ino == ino)
            return n;
    }
    scope_give_up("too many files", scope_folder());
}

/* NULL: an inode that was never seen. */
static struct node *node_find(ino_t ino)
{
    struct node *n = node_slot(ino);
    if (*n->kept_name)
        return n;
    char link[64];
    (void)snprintf(link, sizeof link, "ino/%ju", (uintmax_t)ino);
    ssize_t len = readlinkat(journal_fd, link, n->kept_name, sizeof n->kept_name - 1);
    if (len < 0)
        return NULL;
    n->kept_name[len] = '\0';
    n->ino = ino;
    n->whole = true;
    return n;
}

static struct node *node_make(ino_t ino, const struct rel *name, bool whole)
{
    struct node *n = node_slot(ino);
    char link[64];
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)snprintf(link, sizeof link, "ino/%ju", (uintmax_t)ino);
    (void)snprintf(n->kept_name, sizeof n->kept_name, "%d-%lld%09ld-%u", (int)getpid(),
                   (long long)now.tv_sec, now.tv_nsec, made++);
    n->ino = ino;
    n->whole = whole;
    n->n_spans = 0;
    (void)kernel_unlink(journal_fd, link, 0); /* of an inode that is gone */
    if (symlinkat(n->kept_name, journal_fd, link) != 0)
        scope_give_up("cannot write the journal", link);
    log_add('L', name->text, n->kept_name);
    return n;
}

/* What a name leads to, NULL if that is no regular file; known from then on. */
static struct node *node_of_name(const struct rel *name)
{
    char path[2 * PATH_MAX];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/%s", scope_folder(), name->text);
    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return NULL;
    struct node *n = node_find(st.st_ino);
    return n ? n : node_make(st.st_ino, name, true);
}

static struct node *node_of_fd(int fd, const struct stat *st)
{
    struct node *n = node_find(st->st_ino);
    struct rel name;
    struct stat again;
    if (!n && st->st_nlink > 0 && scope_fd(fd, &name, &again))
        n = node_make(st->st_ino, &name, true);
    return n;
}

/* ---- contents ------------------------------------------------------------------------------- */

static void node_dirty(struct node *n, off_t from, off_t to)
{
    struct span *last = n->n_spans ? &n->spans[n->n_spans - 1] : NULL;
    if (last && from <= last->to && to >= last->from) {
        last->from = from < last->from ? from : last->from;
        last->to = to > last->to ? to : last->to;
    } else if (n->n_spans < SPANS_MAX) {
        n->spans[n->n_spans++] = (struct span){from, to};
    } else {
        n->whole = true;
    }
}

static void copy_span(int from, int to, off_t at, off_t end, const char *name)
{
    static char block[COPY_BYTES]; /* under the lock */
    while (at < end) {
        size_t want = end - at < (off_t)sizeof block ? (size_t)(end - at) : sizeof block;
        ssize_t got = syscall(SYS_pread64, from, block, want, at);
        if (got == 0)
            return; /* it was cut meanwhile */
        if (got < 0 || kernel_pwrite(to, block, (size_t)got, at) != got)
            scope_give_up("cannot copy into the journal", name);
        at += got;
    }
}

/* What the file holds now becomes what the disk holds. A kill in the middle leaves some blocks old
 * and some new, as it may on a disk. */
static void node_copy(struct node *n, int fd)
{
    char path[64];
    char disk[KEPT_NAME_BYTES + 8];
    struct stat st;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    (void)snprintf(disk, sizeof disk, "disk/%s", n->kept_name);
    int from = kernel_open(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    int to = kernel_open(journal_fd, disk, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (from < 0 || to < 0 || fstat(from, &st) != 0)
        scope_give_up("cannot copy into the journal", path);
    if (n->whole || n->mapped)
        copy_span(from, to, 0, st.st_size, path);
    for (size_t i = 0; i < n->n_spans && !n->whole; i++)
        copy_span(from, to, n->spans[i].from, n->spans[i].to, path);
    if (kernel_truncate_fd(to, st.st_size) != 0)
        scope_give_up("cannot cut in the journal", path);
    (void)close(from);
    (void)close(to);
    n->whole = false;
    n->n_spans = 0;
}

void shadow_created(int fd, const struct rel *name)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        scope_give_up("fstat", name->text);
    (void)pthread_mutex_lock(&lock);
    (void)node_make(st.st_ino, name, false);
    (void)pthread_mutex_unlock(&lock);
}

void shadow_wrote(int fd, const struct stat *st, off_t at, size_t n)
{
    (void)pthread_mutex_lock(&lock);
    struct node *node = node_of_fd(fd, st);
    if (node)
        node_dirty(node, at, at + (off_t)n);
    (void)pthread_mutex_unlock(&lock);
}

void shadow_changed(int fd, const struct stat *st)
{
    (void)pthread_mutex_lock(&lock);
    struct node *node = node_of_fd(fd, st);
    if (node)
        node->whole = true;
    (void)pthread_mutex_unlock(&lock);
}

void shadow_mapped(int fd, const struct stat *st)
{
    (void)pthread_mutex_lock(&lock);
    struct node *node = node_of_fd(fd, st);
    if (node)
        node->mapped = true;
    (void)pthread_mutex_unlock(&lock);
}

void shadow_synced(int fd, const struct stat *st)
{
    (void)pthread_mutex_lock(&lock);
    struct node *node = node_of_fd(fd, st);
    if (node)
        node_copy(node, fd);
    (void)pthread_mutex_unlock(&lock);
}

void shadow_lost(int fd, const struct stat *st)
{
    int errnum = errno;
    (void)pthread_mutex_lock(&lock);
    struct node *node = node_of_fd(fd, st);
    if (node) {
        node->whole = false;
        node->n_spans = 0;
    }
    (void)pthread_mutex_unlock(&lock);
    errno = errnum;
}

/* ---- names ---------------------------------------------------------------------------------- */

static void shadow_log(char what, const struct rel *name)
{
    (void)pthread_mutex_lock(&lock);
    log_add(what, name->text, NULL);
    (void)pthread_mutex_unlock(&lock);
}

void shadow_folder_synced(const struct rel *folder)
{
    shadow_log('S', folder);
}

void shadow_unlinked(const struct rel *name)
{
    shadow_log('U', name);
}

void shadow_folder_made(const struct rel *name)
{
    shadow_log('D', name);
}

void shadow_folder_removed(const struct rel *name)
{
    shadow_log('R', name);
}

void shadow_linked(const struct rel *name)
{
    (void)pthread_mutex_lock(&lock);
    struct node *n = node_of_name(name);
    if (n)
        log_add('L', name->text, n->kept_name);
    (void)pthread_mutex_unlock(&lock);
}

static bool same_folder(const char *a, const char *b)
{
    const char *slash_a = strrchr(a, '/');
    const char *slash_b = strrchr(b, '/');
    size_t n = slash_a ? (size_t)(slash_a - a) : 0;
    return n == (slash_b ? (size_t)(slash_b - b) : 0) && strncmp(a, b, n) == 0;
}

/* Within a folder it is one step; between two, one of them may be lost and the other not. */
void shadow_renamed(const struct rel *from, const struct rel *to)
{
    if (!from || !to || !same_folder(from->text, to->text)) {
        if (to)
            shadow_linked(to);
        if (from)
            shadow_unlinked(from);
        return;
    }
    (void)pthread_mutex_lock(&lock);
    log_add('M', from->text, to->text);
    (void)pthread_mutex_unlock(&lock);
}

void shadow_bury(const struct rel *name)
{
    char path[2 * PATH_MAX];
    char grave[KEPT_NAME_BYTES + 8];
    (void)snprintf(path, sizeof path, "%s/%s", scope_folder(), name->text);
    int errnum = errno;
    (void)pthread_mutex_lock(&lock);
    struct node *n = node_of_name(name);
    if (n) {
        (void)snprintf(grave, sizeof grave, "grave/%s", n->kept_name);
        if (kernel_link(AT_FDCWD, path, journal_fd, grave, 0) != 0 && errno != EEXIST)
            scope_give_up("cannot keep what is removed", name->text);
    }
    (void)pthread_mutex_unlock(&lock);
    errno = errnum;
}
