/* Where values begin and end in what this program has written, JSON without blanks or MessagePack, without decoding
 * them. The bytes may be anything: what does not fit is false. Memory does not grow with nesting. */
#ifndef LEADPIPE_RECORD_SCAN_H
#define LEADPIPE_RECORD_SCAN_H

#include "core/base/str.h"
#include "core/base/err.h"

enum scan_format { SCAN_JSON, SCAN_MSGPACK };

/* Moves *text behind one value. */
bool scan_value(enum scan_format format, struct str *text);

struct scan_member {
    struct str name;  /* as it stands there; of JSON with its quotes and the colon */
    struct str value; /* likewise */
};

struct scan_members { /* zero is empty */
    struct scan_member *items;
    size_t n, cap;
};

void scan_members_free(struct scan_members *m);

/* All of a map, which `text` must be to its end; appended to `out`. RC_SYNTAX: it is none; RC_NOMEM. */
enum rc scan_map(enum scan_format format, struct str text, struct scan_members *out);

/* Begins an array, which `text` must be to its end; *n: elements, of JSON 0 or UINT64_MAX for those that there are. */
bool scan_array(enum scan_format format, struct str *text, uint64_t *n);
/* Its next element; false: it is damaged. *ended: there is none. */
bool scan_element(enum scan_format format, struct str *text, uint64_t *n, struct str *out,
                  bool *ended);

#endif
