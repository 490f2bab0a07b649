/* A provider as data: servers, credential, URL, where things are in its payload, and the tables
 * that it becomes. docs/profiles.md describes the JSON form member by member.
 *
 * Everything in a profile is immutable after loading, may be read by all threads, and lives as long
 * as the profile. */
#ifndef LEADPIPE_PROFILE_H
#define LEADPIPE_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/builtin.h"
#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/str.h"
#include "core/provider/column_type.h"
#include "core/provider/path.h"

enum column_kind {
    COLUMN_VALUE,    /* the member at `path` */
    COLUMN_POSITION, /* index, from 0, of the element that `path` (ending in "*") stands at */
    COLUMN_COUNT,    /* how many values `path` matches in the row's part of the payload */
};

/* `path` of a value has every "*" in common with the table's `each`; that of a position is `each`
 * up to one of its "*"; that of a count continues behind `each` with at least one "*" more. */
struct column_spec {
    struct str name;
    enum column_kind kind;
    enum column_type type; /* of a position or count TYPE_INTEGER */
    struct path path;
};

/* An object whose members that are not documented become columns: prefix + raw name, then named.
 * No object belongs to two tables. */
struct object_spec {
    struct path path;
    struct str prefix;
};

/* One column for each different key: prefix + key, from each element of `each` within the row. */
struct pivot_spec {
    struct path each, key, value;
    struct str prefix;
};

/* A member that repeats another one, or a parameter of the URL: no column while both are equal. */
struct repeat_spec {
    struct path path;
    int param;      /* index of the parameter, or -1: another member, */
    struct path of; /* this one */
};

struct table_spec {
    struct str name;
    struct path
        each; /* one row for each match; "" is one row a lead; no two tables have the same */
    struct column_spec *columns;
    size_t n_columns;            /* documented ones, without profile->key_columns */
    struct object_spec *objects; /* that of `each` itself is always among them */
    size_t n_objects;
    struct pivot_spec *pivots;
    size_t n_pivots;
    struct repeat_spec *repeats;
    size_t n_repeats;
};

struct server_spec {
    struct str name, url; /* no slash at the end */
};

/* How the next page of a list is found. */
enum list_style {
    LIST_PAGE,   /* pages have numbers */
    LIST_CURSOR, /* a value of the page's last element */
    LIST_TOKEN,  /* a value beside the elements */
    LIST_LINK,   /* the field Link, rel="next" (RFC 8288) */
};

enum list_time { LIST_TIME_RFC3339, LIST_TIME_UNIX, LIST_TIME_UNIX_MS };

/* A filter of the list, by a parameter of its URL's query. */
struct list_filter {
    struct str name; /* of the parameter; absent: the list does not have this filter */
    enum list_time format;
};

/* How all leads are listed. Paths are within the body of a page; those that may be missing have no
 * `text`. None has a "*". */
struct list_spec {
    struct str
        url_template;  /* begins with "/": in the place of the whole path of the server's URL; else
                                behind it. Its names are among profile->params */
    bool *in_url;      /* for each of profile->params: its name is in url_template */
    struct path items; /* the array of elements */
    struct path id;    /* within an element */
    struct path *params; /* within an element, for each of profile->params; may be missing */
    struct path total;   /* how many leads there are; may be missing */
    enum list_style style;
    struct str
        name; /* parameter of the query: the page's number, the cursor or the token; not LIST_LINK */
    uint64_t first;       /* LIST_PAGE: the number of the first page */
    struct path next;     /* LIST_TOKEN: within the body; LIST_CURSOR: within an element */
    struct path more;     /* `false` there: this is the last page; may be missing */
    uint64_t size;        /* elements of a page that is not the last; 0: not said */
    struct str size_name; /* parameter of the query for `size`; absent: the size cannot be chosen */
    struct list_filter since, until; /* by the time of creation */
};

struct profile {
    struct str name, title;
    struct server_spec *servers;
    size_t n_servers;
    struct str key_variable; /* environment variable of the credential */
    struct str key_header;   /* header name; empty: the provider wants no credential */
    struct str key_prefix;   /* before the credential in the header's value, such as "Bearer " */
    struct str url_template; /* such as "/leads/{id}?agentId={agentId}" */
    struct str *params;      /* the template's names but `id`, in order of first use */
    size_t n_params;
    /* What every row of every table begins with: "provider", "lead_id", and a column for each
     * parameter, named as a member of its name would be. */
    struct str *key_columns;
    size_t n_key_columns;  /* KEY_COLUMNS_FIXED + n_params */
    struct path root;      /* of the payload within the body; what follows is relative to it */
    struct path *required; /* must be objects in the payload; no "*" */
    size_t n_required;
    struct path own_id;    /* the lead's ID as the payload has it; n_steps 0: not said */
    struct path success;   /* within the body: `false` there means failed; n_steps 0: not said */
    struct path *messages; /* within a body that reports an error: where its message may be */
    size_t n_messages;
    struct path *codes;
    size_t n_codes;
    struct str *url_arrays; /* members of objects in arrays of these names ... */
    size_t n_url_arrays;
    struct str *url_members; /* ... with these names are expiring URLs */
    size_t n_url_members;
    struct list_spec *list;    /* NULL: the profile does not say how leads are listed */
    struct table_spec *tables; /* the first one is the lead's own: one row a lead */
    size_t n_tables;
    bool is_builtin;
    struct str json;     /* what it was parsed from */
    uint64_t digest;     /* of that; set by profile_load() */
    uint64_t hash_seed;  /* from the system: no payload can be made to collide in our tables */
    struct arena memory; /* owns all that is above, and this */
};

#define PROFILE_BYTES_MAX (1024 * 1024)
#define PROFILE_TABLES_MAX 64
#define PROFILE_COLUMNS_MAX 1024 /* documented ones of one table */
#define PROFILE_PARAMS_MAX 32
#define KEY_COLUMNS_FIXED 2 /* "provider", "lead_id" */

/* Parses and checks. `source` names it in messages ("omni", "my.json"). RC_USAGE says the member's
 * path within the profile, what is wrong and what is allowed; RC_NOMEM. */
enum rc profile_parse(struct profile **out, struct str json, const char *source, struct err *e);

/* `name` is the name of a built-in profile, or the path of a file (contains "/" or ends in
 * ".json", or exists). RC_USAGE names what there is. */
enum rc profile_load(struct profile **out, const char *name, struct err *e);
void profile_free(struct profile *p);

/* The built-in ones, in order of name; NULL beyond the last. */
const struct builtin *profile_builtin(size_t i);

/* Appends server URL + template with every value percent-encoded (RFC 3986: all but unreserved
 * characters), so that no value can reach beyond its place. `values` in the order of p->params.
 * RC_SYNTAX: a value is absent or empty, or would make a segment "." or ".."; names the parameter.
 * RC_NOMEM, RC_LIMIT: of the buffer. On failure `out` may hold a part. */
enum rc profile_url(const struct profile *p, struct str base_url, struct str id,
                    const struct str *values, struct buf *out, struct err *e);

/* The same for the list of leads: its URL without the parameters of its query that concern pages and filters. */
enum rc profile_list_url(const struct profile *p, struct str base_url, const struct str *values,
                         struct buf *out, struct err *e);

/* Index of the parameter or -1. */
int profile_param(const struct profile *p, struct str name);
/* Index of the table or -1. */
int profile_table(const struct profile *p, struct str name);

#endif
