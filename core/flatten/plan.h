/* The profile's tables, turned round: from "where each column is" to "what is to be done at each
 * place of a payload". Private to core/flatten.
 *
 * A plan is a tree of places. The root and every "*" begin a scope: the part of the payload that
 * belongs to one element. A walk goes through the members of a scope, keeps what columns need in
 * the scope's slots, makes the rows, and then continues into its arrays. */
#ifndef LEADPIPE_PLAN_H
#define LEADPIPE_PLAN_H

#include <stdatomic.h>

#include "core/flatten/flatten.h"
#include "core/flatten/prescan.h"
#include "core/flatten/signed_urls.h"

#define PLAN_NONE UINT32_MAX

/* A place in the payload. Index 0 is the root; a node's parent is before it. */
struct plan_node {
    struct str name; /* of the member; absent for "*" and the root */
    uint32_t parent;
    uint32_t star;    /* the node of the array's elements, or PLAN_NONE */
    uint32_t scope;   /* where it belongs; a "*" and the root to the one that they begin */
    uint32_t slot;    /* where its value is kept */
    uint32_t counter; /* first one that counts values here, or PLAN_NONE */
    uint32_t list;    /* its members that are not documented become extras here, or PLAN_NONE */
    uint32_t rule;    /* origin.scope of these extras */
    uint32_t repeats; /* slot of the member that this one repeats, or PLAN_NONE */
    uint32_t repeats_param; /* the parameter that it repeats, or PLAN_NONE */
    uint8_t handled;   /* cJSON types that give no extra in the table that has the parent's members:
                         they are documented, or have their own place there */
    bool is_entered;   /* an object's members are of interest */
    bool is_column;    /* a column shows the value: the slot needs its cell */
    bool is_inherited; /* and does so in rows of a scope below */
    bool is_url_element; /* an object here may have expiring URLs */
    bool is_expiring;    /* is one of them */
    bool leads_to_table; /* is on the way to a table's rows */
};

/* What the payload before had: nodes, or PLAN_NONE. Right or wrong, the rows are the same; so any
 * worker may set it. */
struct plan_guess {
    atomic_uint inside; /* the first member of this one */
    atomic_uint behind; /* the member after this one */
};

struct plan_ids {
    uint32_t *ids;
    uint32_t n;
};

struct plan_scope {
    uint32_t node;
    uint32_t table; /* one row for each element, or PLAN_NONE */
    uint32_t first_slot, n_slots;
    struct plan_ids arrays; /* nodes with elements */
    struct plan_ids lists;  /* filled in this scope */
    struct plan_ids pivots; /* each element of this scope is one of the pivot's */
};

struct plan_column {
    enum column_kind kind;
    uint32_t at; /* slot, scope (position) or counter */
};

struct plan_table {
    struct plan_column *columns;
    uint32_t n_columns;
    uint32_t scope;
    bool shows_element;        /* a column is the element itself */
    struct plan_ids lists;     /* of its extras; pivots first, then from the root down */
    struct plan_ids pivots;    /* their occurrences are counted within a row */
    struct plan_ids inherited; /* slots of columns from scopes above */
    uint32_t first_counter, n_counters;
};

struct plan_list {
    uint32_t table, scope;
    bool is_pivots;
};

struct plan_pivot {
    uint32_t table, scope; /* whose extras; where each element is */
    uint32_t key;          /* slot */
    uint32_t value;        /* node */
    uint32_t list;
    uint32_t rule; /* origin.scope */
};

struct flatten_plan {
    const struct profile *profile;
    struct arena memory; /* owns this and all below */
    struct plan_node *nodes;
    struct plan_guess *guesses; /* one for each node */
    struct plan_scope *scopes;
    struct plan_table *tables; /* one for each of the profile's */
    uint32_t *counters;        /* the next counter at the same node, or PLAN_NONE */
    struct plan_list *lists;
    struct plan_pivot *pivots;
    uint32_t n_nodes, n_scopes, n_counters, n_lists, n_pivots;
    uint32_t *edges; /* hash table of nodes by parent and name; PLAN_NONE is empty */
    uint32_t edge_mask;
    struct signed_url_rules urls;
    void *digest;           /* EVP_MD of fingerprints */
    struct prescan prescan; /* for payloads that only pass through */
};

/* The member's node, or PLAN_NONE. */
uint32_t plan_member(const struct flatten_plan *plan, uint32_t parent, struct str name);

/* Builds nodes, scopes and tables from plan->profile; `plan->memory` is ready. RC_NOMEM, RC_LIMIT.
 */
enum rc plan_build(struct flatten_plan *plan);

#endif
