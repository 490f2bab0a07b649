/* Leads that wait for memory: see memory.h. */
#include "core/run/fetcher.h"

/* A lead counts as alone when others have at most this part of the budget. If that was too much, it tries once
 * more when they have nothing. */
#define BESIDE_ALONE 16

bool fetch_take_room(void *fetcher, struct http_request *http, size_t bytes)
{
    struct fetcher *f = fetcher;
    struct lead *lead = http->owner;
    struct lead_memory *own = &lead->run->memory;
    if (bytes <= own->charge || memory_charge(f->memory, lead, bytes))
        return true;
    if (own->is_first || !ring_is_first(f->ring, lead) ||
        atomic_load(&f->memory->exclusive) != EXCLUSIVE_NONE)
        return false;
    own->is_first = true; /* it was started before it became the first */
    atomic_store(&f->memory->exclusive, EXCLUSIVE_FIRST);
    return memory_charge(f->memory, lead, bytes);
}

void fetch_wait(struct fetcher *f, struct lead *lead)
{
    if (control_is_stopping(f->control)) {
        fetcher_complete(f, lead);
        return;
    }
    struct lead **at = &f->waiting;
    while (*at && (*at)->run->slot < lead->run->slot)
        at = &(*at)->run->next_waiting;
    lead->run->next_waiting = *at;
    *at = lead;
    control_wake_always(f->control);
}

/* Discards the body: the lead has to be requested again. */
static void give_up_body(struct fetcher *f, struct lead *lead)
{
    buf_free(&lead->body);
    if (lead->run->request)
        buf_free(&lead->run->request->http.answer);
    memory_hold(f->memory, lead, 0);
    memory_charge_as(f->memory, lead, 0);
}

void fetch_no_room(struct fetcher *f, struct lead *lead)
{
    struct lead_memory *own = &lead->run->memory;
    bool has_had_all = own->is_alone && !memory_note_others(f->memory, lead);
    give_up_body(f, lead);
    if (has_had_all) {
        memory_fail(f->memory, lead, STAGE_FETCH);
        fetcher_complete(f, lead);
        return;
    }
    own->wants *= 2; /* the response was not complete, so its size is not known */
    own->is_large = own->is_large || own->wants > f->memory->budget.shared;
    memory_end_exclusive(f->memory, lead);
    fetch_wait(f, lead);
}

/* How much memory other leads may have when it is started alone. */
static size_t most_beside(const struct fetcher *f, const struct lead *lead)
{
    return lead->run->memory.beside ? 0 : f->memory->budget.limit / BESIDE_ALONE;
}

/* Takes memory back from leads behind this one, the last ones first: bodies that wait, then completed leads. */
static void make_alone(struct fetcher *f, const struct lead *lead)
{
    struct lead *last, *other;
    do {
        last = NULL;
        for (other = f->waiting; other; other = other->run->next_waiting) {
            if (other != lead && other->run->memory.charge)
                last = other;
        }
        if (last && memory_beside(f->memory, lead) > most_beside(f, lead))
            give_up_body(f, last);
    } while (last && memory_beside(f->memory, lead) > most_beside(f, lead));
    while (memory_beside(f->memory, lead) > most_beside(f, lead) &&
           (other = ring_take_back(f->ring))) {
        memory_empty_lead(other);
        other->replaced = 0;
        give_up_body(f, other);
        fetch_wait(f, other);
    }
}

/* May this waiting lead continue? Takes memory back for one that must be alone. *as: its rights if it continues. */
static bool try_go(struct fetcher *f, struct lead *lead, enum exclusive *as)
{
    const struct lead_memory *own = &lead->run->memory;
    bool input = f->cfg->order == ORDER_INPUT;
    bool is_free = atomic_load(&f->memory->exclusive) == EXCLUSIVE_NONE;
    bool is_first = is_free && (input ? ring_is_first(f->ring, lead) : lead == f->waiting);
    *as = is_first ? EXCLUSIVE_FIRST : EXCLUSIVE_NONE;
    if (own->is_large && !is_first)
        return false;
    if (own->is_large) {
        *as = EXCLUSIVE_ALONE;
        make_alone(f, lead);
        return memory_beside(f->memory, lead) <= most_beside(f, lead);
    }
    return budget_fits(&f->memory->budget, memory_beside(f->memory, lead), own->wants,
                       is_first ? BUDGET_FIRST : BUDGET_ANYONE);
}

static void take_out(struct fetcher *f, struct lead *lead)
{
    struct lead **at = &f->waiting;
    while (*at != lead)
        at = &(*at)->run->next_waiting;
    *at = lead->run->next_waiting;
    lead->run->next_waiting = NULL;
}

bool fetch_next_waiting(struct fetcher *f, struct lead **ready, struct http_request **http)
{
    *ready = NULL;
    *http = NULL;
    if (!f->waiting || atomic_load(&f->memory->exclusive) == EXCLUSIVE_ALONE)
        return false;
    for (struct lead *lead = f->waiting; lead; lead = lead->run->next_waiting) {
        enum exclusive as;
        if (!try_go(f, lead, &as)) {
            if (lead->run->memory.is_large)
                return false; /* later leads would be discarded again when it is its turn */
            continue;
        }
        struct err e;
        if (!lead->run->request && fetcher_make_request(f, lead, &e) != RC_OK) {
            take_out(f, lead);
            lead_fail(lead, STAGE_FETCH, "request", "%s", e.msg);
            fetcher_complete(f, lead);
            return fetch_next_waiting(f, ready, http);
        }
        take_out(f, lead);
        lead->run->memory.is_first = as != EXCLUSIVE_NONE;
        lead->run->memory.is_alone = as == EXCLUSIVE_ALONE;
        if (as != EXCLUSIVE_NONE)
            atomic_store(&f->memory->exclusive, as);
        if (lead->body.cap)
            *ready = lead;
        else
            *http = fetcher_count_request(f, lead);
        return true;
    }
    return false;
}

bool fetch_must_pause(const struct fetcher *f)
{
    return f->waiting || atomic_load(&f->memory->exclusive) == EXCLUSIVE_ALONE;
}

void fetch_drop_waiting(struct fetcher *f)
{
    while (f->waiting) {
        struct lead *lead = f->waiting;
        take_out(f, lead);
        fetcher_complete(f, lead);
    }
}
