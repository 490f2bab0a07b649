/* What leads may take of memory, and in what order they get it.
 *
 * A lead is charged for its answer while that arrives, for its arena before it is parsed, and for
 * what sinks need to write it; all that is given back when the last sink has taken it in.
 *
 *   anyone  may go up to half of the ceiling.
 *   first   is the lead that all behind it wait for (--order input), or one of those that wait: it
 *           may go up to the ceiling. As all others together have half at most, it finds half.
 *   alone   is one that needs more than that. It is begun when nothing else is left in memory: no
 *           other lead is begun, and those behind it that are in memory already are given up.
 *
 * Who finds no room gives up its memory, a body that has come aside, and waits; it is asked for
 * again, or parsed again, when there is room for what it was last seen to need, or when it is first.
 * A lead that is alone and finds no room has failed. So each goes at most a few times, and the first
 * one always comes to an end. */
#include <stdlib.h>

#include "core/run/run_internal.h"

#define ARENA_SMALL_BYTES ((size_t)1 << 20) /* sinks write such a lead from memory of their own */
#define ARENA_MORE_BYTES ((size_t)8 << 20)  /* of it, for columns that are decided afterwards */
#define ARENA_FIRST_BYTES ((size_t)256 << 10)
#define ARENA_FIRST_TIMES 16 /* the body: three times what a common lead takes */
#define ARENA_NEXT_TIMES 8

/* A lead is alone when others have no more than this part of the ceiling. If that was too much, it is
 * alone once more when they have nothing. */
#define BESIDE_ALONE 16

/* Beside the arena, where keys of pivots are counted. */
static size_t with_indexes(size_t arena_bytes)
{
    return arena_bytes + arena_bytes / 8;
}

/* As it was before it was parsed. */
static void empty_lead(struct lead *lead)
{
    arena_free(&lead->arena);
    buf_free(&lead->original);
    lead->arena.refused = RC_OK;
    lead->doc = (struct json_doc){0};
    lead->root = NULL;
    lead->tables = NULL;
    lead->other_id = STR_NONE;
    lead->ready = lead->has_other_id = false;
    lead->outcome = OUTCOME_PENDING;
}

static enum budget_who who_is(const struct lead *lead)
{
    return lead->is_first ? BUDGET_FIRST : BUDGET_ANYONE;
}

/* ---- charging ------------------------------------------------------------------------------- */

void run_charge_as(struct run *r, struct lead *lead, size_t bytes)
{
    if (bytes > lead->charge)
        budget_add(&r->budget, bytes - lead->charge);
    else if (bytes < lead->charge)
        budget_give(&r->budget, lead->charge - bytes);
    lead->charge = bytes;
}

bool run_charge(struct run *r, struct lead *lead, size_t bytes)
{
    if (bytes > lead->charge && !budget_take(&r->budget, bytes - lead->charge, who_is(lead))) {
        lead->wants = bytes;
        return false;
    }
    if (bytes < lead->charge)
        budget_give(&r->budget, lead->charge - bytes);
    lead->charge = bytes;
    return true;
}

/* Alone it found no room, beside so much that is still on its way out. False: there is nothing. */
static bool note_others(const struct run *r, struct lead *lead)
{
    lead->beside = budget_used(&r->budget) - lead->charge;
    return lead->beside > 0;
}

void run_end_exclusive(struct run *r, struct lead *lead)
{
    if (!lead->is_first)
        return;
    lead->is_first = lead->is_alone = false;
    atomic_store(&r->exclusive, EXCLUSIVE_NONE);
}

/* ---- workers -------------------------------------------------------------------------------- */

bool run_take_arena(struct run *r, struct lead *lead)
{
    size_t bytes = lead->arena_bytes;
    if (!bytes)
        bytes = ARENA_FIRST_BYTES + ARENA_FIRST_TIMES * lead->body.len;
    size_t others = budget_used(&r->budget) - lead->charge;
    if (lead->is_alone) { /* all that is left */
        size_t left = others < r->budget.limit ? r->budget.limit - others : 0;
        bytes = left > lead->body.cap ? (left - lead->body.cap) / 9 * 8 : 0;
    }
    if (lead->is_alone)
        arena_free(&lead->arena); /* so that it always finds the same */
    lead->arena_bytes = bytes;
    lead->arena.max_bytes = bytes;
    return run_charge(r, lead, lead->body.cap + with_indexes(bytes));
}

static size_t cell_bytes(const struct cell *cell)
{
    if (cell->kind == CELL_JSON)
        return json_written_bytes(cell->u.json);
    if (cell->kind == CELL_TEXT)
        return json_written_string_bytes((struct str){cell->u.text, cell->len});
    return cell->len;
}

static size_t row_bytes(const struct table_spec *table, const struct row *row)
{
    size_t bytes = 64;
    for (size_t i = 0; i < table->n_columns; i++) {
        if (row->cells[i].kind != CELL_ABSENT)
            bytes += table->columns[i].name.len + 8 + cell_bytes(&row->cells[i]);
    }
    for (uint32_t i = 0; i < row->n_extras; i++) {
        const struct source *source = &row->extras[i].source;
        bytes += source->key.len + source->member.len + 32 + cell_bytes(&row->extras[i].cell);
    }
    return bytes;
}

/* About what it takes to write the lead once, as JSON. */
static size_t written_bytes(const struct run *r, const struct lead *lead)
{
    const struct profile *p = r->cfg->profile;
    size_t bytes = 0;
    for (size_t i = 0; lead->tables && i < p->n_tables; i++) {
        for (uint32_t k = 0; k < lead->tables[i].n_rows; k++)
            bytes += lead->id.len + row_bytes(&p->tables[i], &lead->tables[i].rows[k]);
    }
    size_t raw = lead->doc.compact.ptr ? lead->doc.compact.len : lead->body.len;
    return bytes > raw ? bytes : raw;
}

bool run_settle_arena(struct run *r, struct lead *lead)
{
    size_t held = lead->arena.held_bytes + lead->body.cap;
    if (lead->arena.held_bytes <= ARENA_SMALL_BYTES) {
        lead->arena.max_bytes = ARENA_MORE_BYTES;
        run_charge_as(r, lead, held);
        return true;
    }
    size_t extras = 0;
    for (size_t i = 0; lead->tables && i < r->cfg->profile->n_tables; i++) {
        for (uint32_t k = 0; k < lead->tables[i].n_rows; k++)
            extras += lead->tables[i].rows[k].n_extras;
    }
    size_t more = ARENA_MORE_BYTES + 4 * sizeof(cJSON) * extras;
    size_t writing = written_bytes(r, lead) / 8 * r->sink_eighths;
    if (!run_charge(r, lead, held + writing + 4 * sizeof(cJSON) * extras))
        return false;
    lead->arena.max_bytes = lead->arena.held_bytes + more;
    return true;
}

bool run_must_wait(struct run *r, struct lead *lead)
{
    bool was_small = lead->arena.refused == RC_LIMIT;
    empty_lead(lead);
    bool was_alone = lead->is_alone;
    bool has_had_all = was_alone && !note_others(r, lead);
    run_charge_as(r, lead, lead->body.cap);
    if (has_had_all)
        return false;
    if (was_small && !was_alone) {
        lead->arena_bytes *= ARENA_NEXT_TIMES;
        lead->wants = lead->body.cap + with_indexes(lead->arena_bytes);
    }
    lead->is_large = lead->is_large || lead->wants > r->budget.shared;
    run_end_exclusive(r, lead);
    return true;
}

void run_fail_memory(struct run *r, struct lead *lead, enum stage stage)
{
    run_end_exclusive(r, lead);
    lead->arena.max_bytes = ARENA_SMALL_BYTES;
    lead_fail(lead, stage, "memory_limit",
              "it needs more memory than --max-memory allows (%zu MiB): a larger one is needed for "
              "this lead",
              r->budget.limit >> 20);
}

/* ---- the loop ------------------------------------------------------------------------------- */

bool memory_room(void *run, struct http_request *http, size_t bytes)
{
    struct run *r = run;
    struct lead *lead = http->owner;
    if (bytes <= lead->charge || run_charge(r, lead, bytes))
        return true;
    if (lead->is_first || !order_is_first(r->order, lead) ||
        atomic_load(&r->exclusive) != EXCLUSIVE_NONE)
        return false;
    lead->is_first = true; /* it was begun before it came to be first */
    atomic_store(&r->exclusive, EXCLUSIVE_FIRST);
    return run_charge(r, lead, bytes);
}

void memory_wait(struct run *r, struct lead *lead)
{
    if (atomic_load(&r->stopping)) {
        fetch_complete(r, lead);
        return;
    }
    struct lead **at = &r->waiting;
    while (*at && (*at)->slot < lead->slot)
        at = &(*at)->next_waiting;
    lead->next_waiting = *at;
    *at = lead;
    (void)uv_async_send(&r->wake);
}

/* What it had is gone: it has to be asked for once more. */
static void give_up_body(struct run *r, struct lead *lead)
{
    buf_free(&lead->body);
    if (lead->request)
        buf_free(&lead->request->http.answer);
    run_weigh(r, lead, 0);
    run_charge_as(r, lead, 0);
}

void memory_no_room(struct run *r, struct lead *lead)
{
    bool has_had_all = lead->is_alone && !note_others(r, lead);
    give_up_body(r, lead);
    if (has_had_all) {
        run_fail_memory(r, lead, STAGE_FETCH);
        fetch_complete(r, lead);
        return;
    }
    lead->wants *= 2; /* it had not come to its end */
    lead->is_large = lead->is_large || lead->wants > r->budget.shared;
    run_end_exclusive(r, lead);
    memory_wait(r, lead);
}

/* How much others may have beside it when it is begun. */
static size_t most_beside(const struct run *r, const struct lead *lead)
{
    return lead->beside ? 0 : r->budget.limit / BESIDE_ALONE;
}

static size_t beside(const struct run *r, const struct lead *lead)
{
    return budget_used(&r->budget) - lead->charge;
}

/* Takes back what leads behind this one have, the last ones first: bodies that wait, then what is
 * completed. */
static void make_alone(struct run *r, const struct lead *lead)
{
    struct lead *last, *other;
    do {
        last = NULL;
        for (other = r->waiting; other; other = other->next_waiting) {
            if (other != lead && other->charge)
                last = other;
        }
        if (last && beside(r, lead) > most_beside(r, lead))
            give_up_body(r, last);
    } while (last && beside(r, lead) > most_beside(r, lead));
    while (beside(r, lead) > most_beside(r, lead) && (other = order_take_back(r->order))) {
        empty_lead(other);
        other->mended = 0;
        give_up_body(r, other);
        memory_wait(r, other);
    }
}

/* Of those that wait; *as is what it may go as. */
static bool may_go(struct run *r, struct lead *lead, enum exclusive *as)
{
    bool input = r->cfg->order_input;
    bool is_free = atomic_load(&r->exclusive) == EXCLUSIVE_NONE;
    bool is_first = is_free && (input ? order_is_first(r->order, lead) : lead == r->waiting);
    *as = is_first ? EXCLUSIVE_FIRST : EXCLUSIVE_NONE;
    if (lead->is_large && !is_first)
        return false;
    if (lead->is_large) {
        *as = EXCLUSIVE_ALONE;
        make_alone(r, lead);
        return beside(r, lead) <= most_beside(r, lead);
    }
    return budget_fits(&r->budget, beside(r, lead), lead->wants,
                       is_first ? BUDGET_FIRST : BUDGET_ANYONE);
}

static void take_out(struct run *r, struct lead *lead)
{
    struct lead **at = &r->waiting;
    while (*at != lead)
        at = &(*at)->next_waiting;
    *at = lead->next_waiting;
    lead->next_waiting = NULL;
}

bool memory_next(struct run *r, struct lead **ready, struct http_request **http)
{
    *ready = NULL;
    *http = NULL;
    if (!r->waiting || atomic_load(&r->exclusive) == EXCLUSIVE_ALONE)
        return false;
    for (struct lead *lead = r->waiting; lead; lead = lead->next_waiting) {
        enum exclusive as;
        if (!may_go(r, lead, &as)) {
            if (lead->is_large)
                return false; /* those behind it would be given up when it is its turn */
            continue;
        }
        struct err e;
        if (!lead->request && fetch_make_request(r, lead, &e) != RC_OK) {
            take_out(r, lead);
            lead_fail(lead, STAGE_FETCH, "request", "%s", e.msg);
            fetch_complete(r, lead);
            return memory_next(r, ready, http);
        }
        take_out(r, lead);
        lead->is_first = as != EXCLUSIVE_NONE;
        lead->is_alone = as == EXCLUSIVE_ALONE;
        if (as != EXCLUSIVE_NONE)
            atomic_store(&r->exclusive, as);
        if (lead->body.cap)
            *ready = lead;
        else
            *http = &lead->request->http;
        return true;
    }
    return false;
}

bool memory_blocks(const struct run *r)
{
    return r->waiting || atomic_load(&r->exclusive) == EXCLUSIVE_ALONE;
}

void memory_stop(struct run *r)
{
    while (r->waiting) {
        struct lead *lead = r->waiting;
        take_out(r, lead);
        fetch_complete(r, lead);
    }
}
