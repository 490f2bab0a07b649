#include "core/run/memory.h"

#define ARENA_SMALL_BYTES                                                                          \
    ((size_t)1 << 20) /* to write a lead of this size, sinks' own memory is enough */
#define ARENA_MORE_BYTES ((size_t)8 << 20) /* of the arena, for columns that are decided later */
#define ARENA_FIRST_BYTES ((size_t)256 << 10)
#define ARENA_FIRST_TIMES 16 /* times the body: three times what a typical lead takes */
#define ARENA_NEXT_TIMES 8

/* For counting the keys of pivots; not in the arena. */
static size_t with_indexes(size_t arena_bytes)
{
    return arena_bytes + arena_bytes / 8;
}

void memory_empty_lead(struct lead *lead)
{
    arena_free(&lead->arena);
    buf_free(&lead->original);
    lead->arena.refused = RC_OK;
    lead->doc = (struct json_doc){0};
    lead->root = NULL;
    lead->tables = NULL;
    lead->other_id = STR_NONE;
    lead->run->ready = lead->has_other_id = false;
    lead->run->outcome = OUTCOME_PENDING;
}

/* ---- the estimate --------------------------------------------------------------------------- */

void memory_init(struct memory *m, const struct profile *profile, size_t limit)
{
    m->profile = profile;
    m->average_body_bytes = MEMORY_BODY_BYTES;
    budget_init(&m->budget, limit);
}

void memory_hold(struct memory *m, struct lead *lead, size_t bytes)
{
    struct lead_memory *own = &lead->run->memory;
    if (bytes > own->held_bytes)
        atomic_fetch_add(&m->held_bytes, bytes - own->held_bytes);
    else
        atomic_fetch_sub(&m->held_bytes, own->held_bytes - bytes);
    own->held_bytes = bytes;
}

/* There is no room if held_bytes, plus an estimate for each lead under way, exceeds the limit. The estimate is
 * the average body plus a share of worked_bytes, the size of a lead after the workers. The share grows with
 * held_bytes, because the fuller it is, the slower leads leave; and with worked_bytes, up to all of it at
 * MEMORY_WORKED_BYTES_MAX, because many large leads would arrive before held_bytes shows that a sink is slow. */
bool memory_has_room(const struct memory *m, uint64_t under_way)
{
    size_t held = atomic_load(&m->held_bytes);
    double worked = (double)atomic_load_explicit(&m->worked_bytes, memory_order_relaxed);
    double share =
        (double)held / (double)MEMORY_HELD_BYTES_MAX + worked / (double)MEMORY_WORKED_BYTES_MAX;
    double each = m->average_body_bytes + worked * (share < 1 ? share : 1);
    size_t most = held == 0 ? MEMORY_UNDER_WAY_BYTES_MAX : MEMORY_HELD_BYTES_MAX;
    return (double)held + (double)under_way * each < (double)most;
}

/* At first the average of all, then a moving average, which grows faster than it shrinks. */
void memory_learn_body(struct memory *m, size_t bytes)
{
    double more = (double)bytes - m->average_body_bytes;
    m->bodies++;
    double n = m->bodies < 64 ? (double)m->bodies : 64;
    m->average_body_bytes += more / (more > 0 && n > 8 ? 8 : n);
}

/* If two workers do this at the same time, one of the values is lost, which does not matter. */
void memory_learn_worked(struct memory *m, size_t bytes)
{
    size_t average = atomic_load_explicit(&m->worked_bytes, memory_order_relaxed);
    atomic_store_explicit(&m->worked_bytes, (7 * average + bytes) / 8, memory_order_relaxed);
}

/* ---- charging ------------------------------------------------------------------------------- */

void memory_charge_as(struct memory *m, struct lead *lead, size_t bytes)
{
    struct lead_memory *own = &lead->run->memory;
    if (bytes > own->charge)
        budget_add(&m->budget, bytes - own->charge);
    else if (bytes < own->charge)
        budget_give(&m->budget, own->charge - bytes);
    own->charge = bytes;
}

bool memory_charge(struct memory *m, struct lead *lead, size_t bytes)
{
    struct lead_memory *own = &lead->run->memory;
    enum budget_who who = own->is_first ? BUDGET_FIRST : BUDGET_ANYONE;
    if (bytes > own->charge && !budget_take(&m->budget, bytes - own->charge, who)) {
        own->wants = bytes;
        return false;
    }
    if (bytes < own->charge)
        budget_give(&m->budget, own->charge - bytes);
    own->charge = bytes;
    return true;
}

size_t memory_beside(const struct memory *m, const struct lead *lead)
{
    return budget_used(&m->budget) - lead->run->memory.charge;
}

bool memory_note_others(const struct memory *m, struct lead *lead)
{
    struct lead_memory *own = &lead->run->memory;
    own->beside = memory_beside(m, lead);
    return own->beside > 0;
}

void memory_end_exclusive(struct memory *m, struct lead *lead)
{
    struct lead_memory *own = &lead->run->memory;
    if (!own->is_first)
        return;
    own->is_first = own->is_alone = false;
    atomic_store(&m->exclusive, EXCLUSIVE_NONE);
}

/* ---- workers -------------------------------------------------------------------------------- */

bool memory_charge_arena(struct memory *m, struct lead *lead)
{
    struct lead_memory *own = &lead->run->memory;
    size_t bytes = own->arena_bytes;
    if (!bytes)
        bytes = ARENA_FIRST_BYTES + ARENA_FIRST_TIMES * lead->body.len;
    size_t others = memory_beside(m, lead);
    if (own->is_alone) { /* it gets all that is left */
        size_t left = others < m->budget.limit ? m->budget.limit - others : 0;
        bytes = left > lead->body.cap ? (left - lead->body.cap) / 9 * 8 : 0;
    }
    if (own->is_alone)
        arena_free(&lead->arena); /* so that every try begins with the same memory */
    own->arena_bytes = bytes;
    lead->arena.max_bytes = bytes;
    return memory_charge(m, lead, lead->body.cap + with_indexes(bytes));
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
        const struct column_origin *origin = &row->extras[i].origin;
        bytes += origin->key.len + origin->member.len + 32 + cell_bytes(&row->extras[i].cell);
    }
    return bytes;
}

/* Roughly the memory that is needed to write the lead once, as JSON. */
static size_t written_bytes(const struct memory *m, const struct lead *lead)
{
    const struct profile *p = m->profile;
    size_t bytes = 0;
    for (size_t i = 0; lead->tables && i < p->n_tables; i++) {
        for (uint32_t k = 0; k < lead->tables[i].n_rows; k++)
            bytes += lead->id.len + row_bytes(&p->tables[i], &lead->tables[i].rows[k]);
    }
    size_t raw = lead->doc.compact.ptr ? lead->doc.compact.len : lead->body.len;
    return bytes > raw ? bytes : raw;
}

bool memory_settle_arena(struct memory *m, struct lead *lead)
{
    size_t held = lead->arena.held_bytes + lead->body.cap;
    if (lead->arena.held_bytes <= ARENA_SMALL_BYTES) {
        lead->arena.max_bytes = ARENA_MORE_BYTES;
        memory_charge_as(m, lead, held);
        return true;
    }
    size_t extras = 0;
    for (size_t i = 0; lead->tables && i < m->profile->n_tables; i++) {
        for (uint32_t k = 0; k < lead->tables[i].n_rows; k++)
            extras += lead->tables[i].rows[k].n_extras;
    }
    size_t more = ARENA_MORE_BYTES + 4 * sizeof(cJSON) * extras;
    size_t writing = written_bytes(m, lead) / 8 * m->sink_eighths;
    if (!memory_charge(m, lead, held + writing + 4 * sizeof(cJSON) * extras))
        return false;
    lead->arena.max_bytes = lead->arena.held_bytes + more;
    return true;
}

bool memory_must_wait(struct memory *m, struct lead *lead)
{
    struct lead_memory *own = &lead->run->memory;
    bool was_small = lead->arena.refused == RC_LIMIT;
    memory_empty_lead(lead);
    bool was_alone = own->is_alone;
    bool has_had_all = was_alone && !memory_note_others(m, lead);
    memory_charge_as(m, lead, lead->body.cap);
    if (has_had_all)
        return false;
    if (was_small && !was_alone) {
        own->arena_bytes *= ARENA_NEXT_TIMES;
        own->wants = lead->body.cap + with_indexes(own->arena_bytes);
    }
    own->is_large = own->is_large || own->wants > m->budget.shared;
    memory_end_exclusive(m, lead);
    return true;
}

void memory_fail(struct memory *m, struct lead *lead, enum stage stage)
{
    memory_end_exclusive(m, lead);
    lead->arena.max_bytes = ARENA_SMALL_BYTES;
    lead_fail(lead, stage, "memory_limit",
              "the lead needs more memory than --max-memory allows for leads (%zu MiB); increase "
              "--max-memory",
              m->budget.limit >> 20);
}
