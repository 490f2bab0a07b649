/* What a source of IDs is: the interface of the pipeline's beginning, as sink.h is
 * that of its end.
 *
 * A const table of functions and an instance whose first member points to it. Whoever makes a source
 * opens it (ids_open() for files, pipes and the command line); the run's intake takes one item after
 * another, on a thread of its own. A source finds no duplicates: the intake does, whatever the source. */
#ifndef LEADPIPE_SOURCE_H
#define LEADPIPE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/str.h"

#define ID_BYTES_MAX 512

/* One ID, or one line that is none. */
struct id_item {
    struct str id; /* NUL behind it; of a bad line: absent unless it could be read as a whole */
    struct str *params; /* in the order of profile->params, NUL behind each; of a bad line: absent
                           where it has none; NULL without parameters */
    const char *bad;    /* NULL, or why it is none: names what is allowed */
    const char *file;   /* where it is from, for messages; lives as long as the source */
    uint64_t line;      /* from 1 */
    /* Not NULL: nobody has asked for this one, it is only to be exported once more. So it does not count where it
     * repeats. The intake says whether it did not: an answer that the next next() may read. */
    bool *once_more;
};

struct ids_counts {
    uint64_t read;       /* IDs and bad lines; of a shard its own, as the next two */
    uint64_t unique;     /* bad lines included */
    uint64_t duplicates; /* read - unique */
    uint64_t others;     /* IDs and bad lines that belong to other shards */
    uint64_t expected; /* unique ones of the whole list: what --expect is about, and 0 without it */
};

/* What happens around a read that may take long, as from a pipe. */
struct source_wait {
    int cancel_fd;             /* readable: the read ends and next() is RC_STOPPED; 0: none */
    void (*before)(void *ctx); /* called before each such read; NULL: nothing */
    void *ctx;
};

struct id_source;

/* When a queue is told how far its messages are done: its offsets are committed ... */
enum source_commits {
    SOURCE_COMMITS_AT_END,  /* ... by commit() alone, once the outputs are visible */
    SOURCE_COMMITS_SETTLED, /* ... now and then as far as all are settled, and by commit() */
    SOURCE_COMMITS_BY_SINK, /* ... by a sink, together with what it writes: place() */
};

/* How much of a queue a run has, if others read it as well. */
struct source_share {
    uint64_t part, whole; /* partitions */
};

/* The run's share of what all may do together. A run that has nothing at the moment may still be finishing what it had: it
 * counts as the smallest part. */
static inline double source_share_of(const struct source_share *s, double together)
{
    uint64_t part = s->part ? s->part : 1;
    return part >= s->whole ? together : together * (double)part / (double)s->whole;
}

struct id_source_ops {
    /* The next item; its texts live in `a`. RC_END at the end. RC_IO: it could not be read to its end, so
     * the run must stop. RC_STOPPED: the wait was cancelled. RC_USAGE: it is not what it was said to be.
     * RC_NOMEM. */
    enum rc (*next)(struct id_source *s, struct arena *a, struct id_item *out, struct err *e);
    void (*close)(struct id_source *s);

    /* The rest is a queue's, which remembers how far it was read, so that a message comes again unless it is said to be
     * done. All are NULL where the source is read anew by each run. Items are counted from 1, as next() returns them. */

    /* The item is done: there is an outcome, or it is a repeat. Any thread; not after close(). */
    void (*settle)(struct id_source *s, uint64_t item);
    /* An item is only done at the end of the run. Other runs that share the source may wait for it. May be NULL. Any
     * thread; not after close(). */
    void (*hold_back)(struct id_source *s);
    /* Commits the offsets of what is settled, as far as all before it are; `all`: of everything that next() returned.
     * RC_BUSY: others have its messages now, and do them again; RC_NET, RC_AUTH, RC_IO, RC_STOPPED, RC_NOMEM. */
    enum rc (*commit)(struct id_source *s, bool all, struct err *e);
    /* Before anything appears that commit() follows: have others its messages by now? Errors as commit(). Any thread. */
    enum rc (*check)(struct id_source *s, struct err *e);
    /* With SOURCE_COMMITS_BY_SINK. settle() is for repeats only; the first `item` items are done, and those that are
     * settled behind them: appends what a sink has to commit with them, an opaque text; nothing where there is nothing
     * new. An error: these items belong to others now, and must not be committed. Any thread. */
    enum rc (*place)(struct id_source *s, uint64_t item, struct buf *out, struct err *e);
    /* What the last place(), for `item`, appended has been committed. Any thread. */
    void (*placed)(struct id_source *s, uint64_t item);
    /* Others wait until the first `item` items are committed. Any thread; cheap where nobody waits. */
    bool (*is_awaited)(struct id_source *s, uint64_t item);
    /* next() has returned no item so far. */
    bool (*is_empty)(struct id_source *s);

    /* How much of the queue this run has now. Any thread. */
    struct source_share (*share)(struct id_source *s);

    /* With SOURCE_COMMITS_AT_END, where a sink records with its rows what was read, in one transaction, so that a run that is
     * killed after that and before commit() is not repeated. Texts are opaque to the sink. */

    /* Names the queue in the records: another one has another name, and it is the same whatever its servers are called. As
     * long as the source. */
    const char *(*identity)(const struct id_source *s);
    /* Before the first next(): what an earlier run has recorded, the latest first. `is_confirmed`: its commit() came to its
     * end. RC_USAGE: malformed. */
    enum rc (*recall)(struct id_source *s, struct str record, bool is_confirmed, struct err *e);
    /* Everything was recalled: reading begins. Errors as when it is opened. */
    enum rc (*begin)(struct id_source *s, struct err *e);
    /* Appends what is to be recorded of this run, after the last next(); nothing: nothing was read. An error: nothing may be
     * recorded. Any thread. */
    enum rc (*record)(struct id_source *s, struct buf *out, struct err *e);
    /* RC_BUSY: another run, which has ended since recall(), has recorded messages that are in record(), too. RC_USAGE as
     * above; other errors as check(). Any thread. */
    enum rc (*compare)(struct id_source *s, struct str record, struct err *e);
};

struct id_source {
    const struct id_source_ops *ops;
};

#endif
