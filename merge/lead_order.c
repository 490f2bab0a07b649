#include "merge/lead_order.h"

#include <stdlib.h>

#define ROOM_ALL ((size_t)16 << 20)
#define ROOM_MIN ((size_t)8 << 10)
#define ROOM_MAX ((size_t)256 << 10)

/* Reads the shard's next lead; RC_END: there is none. */
static enum rc read_lead(struct lead_order *o, size_t shard, struct err *e)
{
    struct shard_rows *r = &o->rows[shard];
    enum rc rc = o->columns_only ? shard_rows_next_columns(r, e) : shard_rows_next(r, e);
    if (rc == RC_OK && r->lead.n_tables != 0 && r->lead.n_tables != o->set->profile->n_tables)
        return shard_file_damaged(r->file, e);
    if (rc == RC_END && r->n != o->set->shards[shard].leads.rows)
        return shard_file_damaged(r->file, e);
    return rc;
}

static struct shard_heap_item item_of(const struct lead_order *o, size_t shard)
{
    return (struct shard_heap_item){o->rows[shard].place, shard};
}

/* The shard of the current lead, the first one in the heap, moves to its next lead. */
static enum rc advance(struct lead_order *o, struct err *e)
{
    size_t shard = o->heap.items[0].shard;
    enum rc rc = read_lead(o, shard, e);
    if (rc == RC_OK)
        shard_heap_replace(&o->heap, item_of(o, shard));
    else if (rc == RC_END)
        shard_heap_take(&o->heap);
    return rc == RC_END ? RC_OK : rc;
}

enum rc lead_order_open(struct lead_order *o, const struct shard_set *set, bool columns_only,
                        struct err *e)
{
    size_t room = ROOM_ALL / set->n;
    room = room < ROOM_MIN ? ROOM_MIN : room > ROOM_MAX ? ROOM_MAX : room;
    *o = (struct lead_order){.set = set, .columns_only = columns_only};
    o->rows = calloc(set->n, sizeof *o->rows);
    o->heap.items = calloc(set->n, sizeof *o->heap.items);
    if (!o->rows || !o->heap.items)
        return err_nomem(e);
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < set->n; i++) {
        rc = shard_rows_open(&o->rows[i], &set->shards[i], room, set->signal, e);
        if (rc == RC_OK)
            rc = shard_rows_header(&o->rows[i], NULL, NULL, e);
        if (rc == RC_OK)
            rc = read_lead(o, i, e);
        if (rc == RC_OK)
            shard_heap_put(&o->heap, item_of(o, i));
        else if (rc == RC_END)
            rc = RC_OK;
    }
    return rc;
}

void lead_order_close(struct lead_order *o)
{
    for (size_t i = 0; o->rows && i < o->set->n; i++)
        shard_rows_close(&o->rows[i]);
    free(o->rows);
    free(o->heap.items);
    *o = (struct lead_order){0};
}

enum rc lead_order_next(struct lead_order *o, size_t *shard, struct err *e)
{
    if (o->has_lead) {
        enum rc rc = advance(o, e);
        if (rc != RC_OK)
            return rc;
    }
    o->has_lead = o->heap.n > 0;
    if (!o->has_lead)
        return RC_END;
    *shard = o->heap.items[0].shard;
    return RC_OK;
}
