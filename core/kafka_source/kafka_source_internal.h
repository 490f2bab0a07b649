/* Private to core/kafka_source: the source, between the thread of the run that takes items (kafka_source.c) and its own
 * thread, which is the member of the group (kafka_member.c). */
#ifndef LEADPIPE_KAFKA_SOURCE_INTERNAL_H
#define LEADPIPE_KAFKA_SOURCE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/kafka/kafka_offsets.h"
#include "core/kafka_source/kafka_source.h"
#include "core/source/ids_message.h"

/* When reading goes on after a pause, librdkafka first waits for the broker's answer to its last request, up to
 * fetch.wait.max.ms; what is left in the queue then, a quarter, has to last as long. */
#define KAFKA_QUEUE_MESSAGES 16384
#define KAFKA_QUEUE_BYTES ((size_t)8 << 20)
#define KAFKA_TICK_MS 100

struct kafka_entry {
    rd_kafka_message_t *message; /* NULL: up to `position` there is none */
    size_t partition;
    int64_t position; /* KAFKA_OFFSET_NONE: the partition has gone back */
};

struct kafka_part {
    int64_t first, end;    /* when the source was opened; end: INT64_MAX if there is none */
    bool is_held;          /* by this member */
    bool is_read;          /* up to `end`; of one that is held */
    bool end_is_committed; /* by the group */
    bool has_items;        /* messages of it were handed on since this member holds it */
    int64_t began;         /* the first of these; KAFKA_OFFSET_NONE: there was none */
    int64_t next;          /* the message that comes next, at least; of one that is held */
    int64_t committed;     /* by this run; KAFKA_OFFSET_NONE: nothing */
    /* With cfg.is_recorded; KAFKA_OFFSET_NONE: no such offset. */
    int64_t from; /* what the group had committed when this member got the partition, or taken_up */
    int64_t
        taken_up; /* what an earlier run had recorded, where this one continues; until it is committed */
    int64_t recorded; /* by record(): what follows `from` up to there */
    struct {
        bool is_there, is_confirmed;
        int64_t from, to;
    } recalled;     /* the latest record of it */
    int64_t placed; /* what place() said last, and is not committed yet; or KAFKA_OFFSET_NONE */
};

struct kafka_source {
    struct id_source source; /* first */
    struct kafka_source_cfg cfg;
    struct source_wait wait;
    struct kafka_client client;
    char *identity; /* with cfg.is_recorded: "kafka:TOPIC?group=GROUP&cluster=ID" */
    size_t n_partitions;
    pthread_t thread;
    bool has_lock, has_thread;

    /* of the intake's thread */
    struct ids_messages *messages;
    rd_kafka_message_t *current; /* what the last item was made of */

    /* of its own thread */
    int64_t began_us, waits_since_us; /* without partitions */
    int64_t asked_us, committed_us;   /* when the others were asked, and when it committed last */
    int64_t taken_up_us;              /* when it last tried to commit what was taken up */
    int64_t *group_has;               /* scratch: what the group has committed, of each partition */
    int64_t down_since_us;            /* no broker answers; 0: one does */
    bool has_told, has_told_others;   /* what is waited for */
    bool is_paused;                   /* as the queue is full */
    bool was_assigned;                /* the group has ever said which partitions it holds */

    /* So many items have to be committed before partitions go to others; 0: none go. */
    _Atomic uint64_t awaited;

    pthread_mutex_t committing; /* held while offsets are committed; taken before `lock` */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under the lock */
    struct kafka_part *parts;
    struct kafka_offsets *offsets;
    int64_t *places; /* scratch, of each partition */
    struct kafka_entry queue[KAFKA_QUEUE_MESSAGES];
    size_t at, n;      /* entries in it */
    size_t n_bytes;    /* of their messages */
    bool is_assigned;  /* the group has said which partitions it holds; maybe none */
    bool is_cancelled; /* the run is stopped */
    bool is_closing;   /* nothing is waited for any more */
    bool has_ended;    /* no more items come */
    bool holds_back;   /* something is committed at the end only, although others are not */
    bool commit_ended; /* with or without an error: nothing is committed after it, nor waited for */
    enum rc failed;    /* and `why`; RC_OK: it has not */
    struct err why;
};

/* ---- kafka_shared.c ---- */

int64_t kafka_source_now(const struct kafka_source *s);
/* The run is stopped if the source's wait says so. True: it is closing. Without the lock. */
bool kafka_source_is_over(struct kafka_source *s);
/* kafka_source_fail(), without the lock. */
void kafka_source_break(struct kafka_source *s, const struct err *e);
/* The queue has room. Under the lock. */
void kafka_source_push(struct kafka_source *s, const struct kafka_entry *entry);
/* How many partitions are so. Under the lock. */
size_t kafka_source_count(const struct kafka_source *s, bool (*has)(const struct kafka_part *p));
/* NULL: a partition that is new since the topic was looked at. Nothing of it is read, as its end was not known at the
 * start. */
struct kafka_part *kafka_source_part(struct kafka_source *s, const rd_kafka_topic_partition_t *p);

/* ---- kafka_source.c ---- */

/* Connects without joining the group, and counts the topic's partitions; kafka_client_close() in any case. */
enum rc kafka_source_find(struct kafka_source *s, int64_t wait_ms, struct err *e);

/* ---- kafka_member.c, kafka_rebalance.c: its own thread ---- */

void *kafka_member_main(void *source);
void kafka_member_rebalance(void *source, rd_kafka_t *handle, rd_kafka_resp_err_t code,
                            rd_kafka_topic_partition_list_t *list);

/* ---- kafka_commit.c; any thread, without the lock but for the first ---- */

/* The first failure counts; under the lock. */
void kafka_source_fail(struct kafka_source *s, const struct err *why);

/* Commits what is done. */
enum rc kafka_source_commit(struct kafka_source *s, struct err *e);
/* Is there something to be committed? */
bool kafka_source_has_done(struct kafka_source *s);

/* Commits where partitions are continued by what an earlier run has recorded. */
enum rc kafka_source_commit_taken_up(struct kafka_source *s, int64_t wait_ms, struct err *e);

/* As those of id_source_ops. */
enum rc kafka_source_place(struct kafka_source *s, uint64_t item, struct buf *out, struct err *e);
void kafka_source_placed(struct kafka_source *s, uint64_t item);

/* ---- kafka_recorded.c ---- */

/* The group has given these partitions to this member: looks up where each begins, and sets the offset in `list`. Its own
 * thread, without the lock. */
void kafka_source_continue(struct kafka_source *s, rd_kafka_topic_partition_list_t *list);

/* As those of id_source_ops. */
enum rc kafka_source_recall(struct kafka_source *s, struct str record, bool is_confirmed,
                            struct err *e);
enum rc kafka_source_record(struct kafka_source *s, struct buf *out, struct err *e);
enum rc kafka_source_compare(struct kafka_source *s, struct str record, struct err *e);

#endif
