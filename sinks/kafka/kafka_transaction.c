/* The transactions of kafka_out.h. */
#include "core/kafka/kafka_place.h"
#include "sinks/kafka/kafka_out_internal.h"

#define STEP_MS 1000 /* one wait for the cluster; then it is checked whether the run was stopped */

/* Takes (and destroys) the error of one step. RC_BUSY: try the same step again. */
static enum rc step(struct kafka_out *o, rd_kafka_error_t *error, const char *what,
                    int64_t least_us, int64_t until_us, struct err *e)
{
    if (!error)
        return RC_OK;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    o->must_abort |= rd_kafka_error_txn_requires_abort(error) != 0;
    bool again = rd_kafka_error_is_retriable(error) && clock_mono_us(o->clock) < until_us;
    enum rc rc = RC_BUSY;
    if (again && kafka_out_is_over(o, least_us))
        rc = kafka_out_stopped(o, e);
    else if (!again)
        rc = kafka_client_error(&o->client, code, rd_kafka_error_string(error), what, e);
    if (code == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT)
        rc = err_set(e, RC_USAGE,
                     "%s: the cluster does not allow transactions that last so long; set "
                     "property=transaction.timeout.ms to its transaction.max.timeout.ms or less",
                     o->subject);
    else if (rc != RC_BUSY && kafka_client_is_out(code))
        rc = err_set(e, RC_IO,
                     "%s: the group that reads the IDs has taken partitions away from this run "
                     "before their leads were committed, and others do them (%s); nothing of them "
                     "was published here: run it again",
                     o->subject, rd_kafka_err2str(code));
    rd_kafka_error_destroy(error);
    if (rc == RC_BUSY)
        kafka_client_serve(&o->client, 0);
    else
        kafka_out_break(o, e);
    return rc;
}

static int64_t until(const struct kafka_out *o)
{
    return clock_mono_us(o->clock) + o->config->retry_max_ms * 1000;
}

/* While sinks are being opened, nobody calls kafka_out_stop(): the run's own timer says whether it was stopped. */
enum rc kafka_out_begin(struct kafka_out *o, struct err *e)
{
    int64_t until_us = until(o);
    enum rc rc;
    do {
        if (stop_timer_has_begun(o->client.cfg.stop))
            return kafka_out_stopped(o, e);
        rc = step(o, rd_kafka_init_transactions(o->client.handle, STEP_MS),
                  "cannot begin transactions", 0, until_us, e);
    } while (rc == RC_BUSY);
    return rc;
}

enum rc kafka_out_begin_transaction(struct kafka_out *o, struct err *e)
{
    if (!o->transactions || o->in_transaction)
        return RC_OK;
    enum rc rc = step(o, rd_kafka_begin_transaction(o->client.handle), "cannot begin a transaction",
                      0, 0, e);
    o->in_transaction = rc == RC_OK;
    return rc;
}

static enum rc end_transaction(struct kafka_out *o, int64_t least_us, int64_t until_us,
                               struct err *e)
{
    enum rc rc;
    do
        rc = step(o, rd_kafka_commit_transaction(o->client.handle, STEP_MS), "cannot commit",
                  least_us, until_us, e);
    while (rc == RC_BUSY);
    /* Any other error: the next run finds out whether it was committed. */
    o->in_transaction = rc != RC_OK && o->must_abort;
    return rc;
}

/* The transaction, and with it the offsets of a group; begins one first if none is open. */
static enum rc commit_with(struct kafka_out *o, const rd_kafka_topic_partition_list_t *offsets,
                           const rd_kafka_consumer_group_metadata_t *group, const char *what,
                           struct err *e)
{
    int64_t until_us = until(o);
    int64_t least_us = clock_mono_us(o->clock) + KAFKA_PATIENCE_US;
    enum rc rc = kafka_out_begin_transaction(o, e);
    if (rc != RC_OK)
        return rc;
    do
        rc =
            step(o, rd_kafka_send_offsets_to_transaction(o->client.handle, offsets, group, STEP_MS),
                 what, least_us, until_us, e);
    while (rc == RC_BUSY);
    return rc == RC_OK ? end_transaction(o, least_us, until_us, e) : rc;
}

/* The number is committed as an offset of the consumer group that is named like the transactional id. */
enum rc kafka_out_commit(struct kafka_out *o, uint64_t number, struct err *e)
{
    rd_kafka_consumer_group_metadata_t *group =
        rd_kafka_consumer_group_metadata_new(o->transactions);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *p =
        list ? rd_kafka_topic_partition_list_add(list, o->marker_topic, 0) : NULL;
    if (p)
        p->offset = (int64_t)number;
    enum rc rc = group && p ? commit_with(o, list, group, "cannot note the transaction's number", e)
                            : err_nomem(e);
    if (list)
        rd_kafka_topic_partition_list_destroy(list);
    if (group)
        rd_kafka_consumer_group_metadata_destroy(group);
    return rc;
}

enum rc kafka_out_commit_place(struct kafka_out *o, struct str place, struct err *e)
{
    rd_kafka_consumer_group_metadata_t *member = NULL;
    rd_kafka_topic_partition_list_t *list = NULL;
    enum rc rc = kafka_place_read(place, &member, &list);
    if (rc != RC_OK)
        return err_set(e, rc, "%s: cannot read the offsets: %s", o->subject, rc_text(rc));
    rc = commit_with(o, list, member, "cannot commit the offsets of the IDs' topic", e);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_group_metadata_destroy(member);
    return rc;
}
