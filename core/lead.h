/* A lead on its way through the run, and the rows it became. */
#ifndef LEADPIPE_LEAD_H
#define LEADPIPE_LEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/json/json.h"
#include "core/base/str.h"

enum cell_kind {
    CELL_ABSENT, /* the payload has no such member */
    CELL_NULL,
    CELL_FALSE,
    CELL_TRUE,
    CELL_NUMBER, /* text: its digits as received (JSON number syntax) */
    CELL_TEXT,   /* text: UTF-8 */
    CELL_JSON,   /* an object or array */
};

/* One value of one row. 16 bytes; points into the lead's arena. */
struct cell {
    uint8_t kind; /* enum cell_kind */
    uint32_t len; /* bytes of `text` */
    union {
        const char *text; /* CELL_NUMBER, CELL_TEXT */
        const cJSON *json;
    } u;
};

/* Where an undocumented column comes from: its identity over the whole run. */
struct column_origin {
    uint32_t scope;      /* index of the object or pivot rule within the table's specification */
    uint32_t occurrence; /* of a pivot's key within the lead, from 1; 0 for an object's member */
    struct str key;      /* of the member's name (json_name_key()), or of the pivot's key */
    struct str member;   /* of a member of an object of scalars under a pivot; else absent */
    uint64_t hash;       /* over all of the above */
};

/* What belongs into `hash`; `seed` is the profile's. */
uint64_t column_origin_hash(const struct column_origin *s, uint64_t seed);

/* An undocumented column of a table. Made by the schema, immutable, lives as long as it. */
struct column {
    struct str name;
    uint32_t index; /* among the table's undocumented columns, from 0, in order of appearance */
    struct column_origin origin;
};

struct extra {
    struct column_origin origin;
    struct cell cell;            /* never CELL_ABSENT */
    const struct column *column; /* NULL until schema_resolve() */
};

struct row {
    struct cell *cells;   /* one for each documented column of the table */
    struct extra *extras; /* in order of appearance; no column twice */
    uint32_t n_extras;
};

struct rows {
    struct row *rows;
    uint32_t n_rows;
};

#define FINGERPRINT_BYTES 32
#define CONTENT_HASH_BYTES 16
#define LEAD_KEY_BYTES 16

struct lead {
    uint64_t seq; /* which of the unique IDs and bad lines, from 0 */
    uint64_t
        others; /* of a shard: how many IDs of the list before it have no such number, because they are
                        repeats or belong to other shards; else 0 */
    unsigned char key[LEAD_KEY_BYTES]; /* digest of its ID and parameters */
    struct str id;                     /* NUL behind it; lives as long as the lead */
    struct str *params; /* values in the order of profile->params, NUL behind each; as `id` */
    const char *file;   /* input file, or NULL; for messages */
    uint64_t line;      /* from 1 */

    /* The arena is the memory of doc, root, tables, and of why it failed before the sinks; it is emptied
     * once every sink has taken the lead in. */
    struct arena arena;
    struct buf body;     /* as received, decompressed; freed once parsed */
    struct buf original; /* the body, where characters of it were replaced and the state may have to
                            keep it as it was received; freed with the arena's memory */
    struct json_doc doc;
    const cJSON *root;   /* the payload's root within the doc; NULL where no tree was made */
    struct str other_id; /* the payload's own ID, where it is not `id`; else absent. May point into
                            the body: gone with that */
    bool has_other_id;   /* there was one */
    struct rows *tables; /* one for each of profile->tables; NULL where no sink needs rows */
    /* Of the normalised payload without expiring URLs; zero where nobody asked for it. The first is SHA-256,
     * for IDs that others see; the second is compared by --changed-only, and is json_hash(), which costs less than half,
     * where the first is not needed, else the beginning of the first. */
    unsigned char fingerprint[FINGERPRINT_BYTES];
    unsigned char content_hash[CONTENT_HASH_BYTES];
    int http_status;
    unsigned attempts;
    uint64_t replaced; /* characters that became U+FFFD */
    /* Values for which the tables had no column left: of codes, which are in rows of their own, and
     * all others, which are in "other_members". */
    uint64_t codes_beyond, members_beyond;

    struct run_lead
        *run; /* what the run knows of it: core/run/run_lead.h; NULL: a lead of no run */
};

/* Which of the unique IDs and bad lines it is; of a shard: of all IDs and bad lines in the list, from 0. So it gives
 * the leads of all shards the order of the list. */
static inline uint64_t lead_number(const struct lead *lead)
{
    return lead->seq + lead->others;
}

struct profile;

/* What a row of the lead has in the i-th of profile->key_columns. */
struct str row_key_value(const struct profile *p, const struct lead *lead, size_t i);

/* A lead with copies of its texts, `n_params` of them. It is the first of `bytes`, which are zero but for
 * it: those of a struct whose first member it is, or sizeof(struct lead). NULL when out of memory. */
struct lead *lead_new(struct str id, const struct str *params, size_t n_params, size_t bytes);
void lead_free(struct lead *lead);

#endif
