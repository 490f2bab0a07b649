/* JSON in: a strict scanner (RFC 8259) that makes a tree of cJSON's nodes.
 *
 * cJSON's own parser keeps numbers as doubles, cuts strings at \u0000, refuses lone surrogates and
 * takes what is no JSON: a text would have to be scanned and replaced for it first, and scanned by it
 * again. Here one pass checks, replaces and builds. The tree has for every node:
 *   number  valuestring = its text as received
 *   string  valuestring = UTF-8 without NUL; \u0000, lone surrogates and bytes that are not UTF-8
 *           became U+FFFD and are counted
 *   object  no member name twice: the last value counts, at the place of the first. Names are
 *           compared as they were received: two that are the same only because U+FFFD replaced
 *           something else are two members, and the later one's name gets the lowest free "_n"
 *           from 2. A name in which nothing was replaced is never changed.
 *   valueint  of enum json_node_flags and, above JSON_NAME_LEN_SHIFT, the length of the member's name:
 *             see json_member_name(); valuedouble: see json_text()
 * The tree lives in the arena: never cJSON_Delete() it. */
#ifndef LEADPIPE_JSON_H
#define LEADPIPE_JSON_H

#include <cjson/cJSON.h>
#include <limits.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/str.h"

#define JSON_DEPTH_MAX 200                       /* the outermost array or object is depth 1 */
#define JSON_DEPTH_OWN_MAX (JSON_DEPTH_MAX + 32) /* with JSON_OWN */

#define JSON_NAME_LEN_SHIFT 4
#define JSON_NAME_BYTES_MAX ((size_t)INT_MAX >> JSON_NAME_LEN_SHIFT)

enum json_node_flags {
    JSON_NAME_REPLACED = 1, /* U+FFFD stands for something in the member's name */
    JSON_NAME_NUMBERED = 2, /* and `string` is not that name, but with a "_n" behind it */
    JSON_TEXT_REPLACED = 4, /* U+FFFD stands for something in the string's text */
    JSON_ESCAPED = 8, /* the name or text was not received as it stands here: only then it may have
                         characters that JSON has to escape, and its length is not known */
};

enum json_want {
    JSON_TREE = 1,    /* build `root` */
    JSON_COMPACT = 2, /* build `compact` */
    JSON_OWN =
        4, /* this program wrote the text around JSON that it had read, so it may be nested deeper */
};

struct json_doc {
    const cJSON *root;  /* NULL without JSON_TREE */
    struct str compact; /* the text without blanks between tokens, otherwise as received, but for
                           bytes that are not UTF-8 and, with JSON_TREE, names that get a "_n"
                           because of them; absent without JSON_COMPACT */
    uint64_t replaced; /* characters that U+FFFD stands for in the tree, also where none was made */
    const cJSON
        *repeated; /* a member in the tree whose name came more than once; NULL: there is none */
};

/* Parses `text`. It is only read; all memory comes from `a`. A UTF-8 byte order mark is skipped.
 * RC_SYNTAX: not JSON (the text says what and at which byte); RC_LIMIT: nested too deeply, or the
 * arena's maximum; RC_NOMEM. Thread-safe for different arenas. */
enum rc json_parse(struct arena *a, struct str text, unsigned want, struct json_doc *out,
                   struct err *e);

/* A member whose value is to be seen while a text is scanned, so that no tree is needed for it. */
struct json_watch {
    const struct str *names; /* of the members from the outermost object inwards */
    size_t n_names;          /* at least 1 */
    const char *value;       /* out: where its value begins in the text; NULL: not there */
    size_t matched;          /* private */
};

/* As json_parse() with JSON_COMPACT alone, with an eye on some members. *unsure: a member's name
 * was written with escapes, or the text had to be replaced, so that only a tree shows what is
 * there. */
enum rc json_watch(struct arena *a, struct str text, struct json_watch *watches, size_t n_watches,
                   struct json_doc *out, bool *unsure, struct err *e);

/* The member of an object, or NULL. Exact (case-sensitive) name, as it was received. */
const cJSON *json_member(const cJSON *object, const char *name);

/* The name of an object's member; without bytes for what is no member. */
static inline struct str json_member_name(const cJSON *member)
{
    return (struct str){member->string, (unsigned)member->valueint >> JSON_NAME_LEN_SHIFT};
}

/* Names a node. The bytes, with a NUL behind them, stay the caller's. False: there are more than
 * JSON_NAME_BYTES_MAX, and the node keeps the name that it has. */
static inline bool json_set_name(cJSON *member, struct str name)
{
    if (name.len > JSON_NAME_BYTES_MAX)
        return false;
    unsigned flags = (unsigned)member->valueint & ((1u << JSON_NAME_LEN_SHIFT) - 1);
    member->string = (char *)(uintptr_t)name.ptr; /* cJSON's type; nobody writes to it */
    member->valueint = (int)(flags | (unsigned)name.len << JSON_NAME_LEN_SHIFT);
    return true;
}

/* node->valuedouble has a size instead: of a string or number how long its text is; of what is
 * JSON_ESCAPED something private to the parser. */
static inline void json_set_size(cJSON *node, size_t size)
{
    uint64_t bits = size;
    memcpy(&node->valuedouble, &bits, sizeof bits);
}

static inline size_t json_size(const cJSON *node)
{
    uint64_t bits;
    memcpy(&bits, &node->valuedouble, sizeof bits);
    return (size_t)bits;
}

/* The text of a string or number; a NUL is behind it. Absent for anything else. */
static inline struct str json_text(const cJSON *value)
{
    if (value->valueint & JSON_ESCAPED)
        return str_c(value->valuestring);
    return (struct str){value->valuestring, value->valuestring ? json_size(value) : 0};
}

/* Gives a node that text. The bytes, with a NUL behind them, stay the caller's. */
static inline void json_set_text(cJSON *value, struct str text)
{
    value->valuestring = (char *)(uintptr_t)text.ptr; /* cJSON's type; nobody writes to it */
    value->valueint = (value->valueint & ~JSON_TEXT_REPLACED) | JSON_ESCAPED;
}

/* For the two below. */
struct str json_replaced_name_key(const cJSON *member);
struct str json_replaced_text_key(const cJSON *string);

/* What distinguishes a member's name, or a string's text, from all others: itself; where U+FFFD stands for
 * something in it, a NUL and what that was come behind it. So two of these are equal where what was
 * received was (however its escapes were written). */
static inline struct str json_name_key(const cJSON *member)
{
    return member->valueint & JSON_NAME_REPLACED ? json_replaced_name_key(member)
                                                 : json_member_name(member);
}

static inline struct str json_text_key(const cJSON *string)
{
    return string->valueint & JSON_TEXT_REPLACED ? json_replaced_text_key(string)
                                                 : json_text(string);
}

/* The name or text that such a key is of. */
static inline struct str json_key_text(struct str key)
{
    const char *end = key.len ? memchr(key.ptr, '\0', key.len) : NULL;
    return end ? (struct str){key.ptr, (size_t)(end - key.ptr)} : key;
}

/* cJSON's own are calls into a library; these are asked of every value. */
static inline bool json_is_array(const cJSON *v)
{
    return (v->type & 0xFF) == cJSON_Array;
}

static inline bool json_is_object(const cJSON *v)
{
    return (v->type & 0xFF) == cJSON_Object;
}

static inline bool json_is_string(const cJSON *v)
{
    return (v->type & 0xFF) == cJSON_String;
}

/* Writes a value as compact JSON: numbers as received, strings with the shortest escapes, UTF-8
 * unescaped, no blanks. The same value gives the same bytes. */
void json_write(struct buf *b, const cJSON *value);

/* How many bytes that takes. */
size_t json_written_bytes(const cJSON *value);
size_t json_written_string_bytes(struct str s);

/* Pieces of a writer for those who make JSON themselves. */
void json_write_string(struct buf *b, struct str s); /* with the quotes; `s` is valid UTF-8 */
/* The same of any bytes, such as those of a path: what is no UTF-8 becomes U+FFFD, one for each maximal
 * subpart as the Unicode Standard recommends (section 3.9). */
void json_write_bytes(struct buf *b, struct str s);
void json_write_int(struct buf *b, int64_t n);

/* Strings that are not content: in the objects that are elements of the arrays with these names, the
 * members with those names. */
struct json_nulls {
    const struct str *arrays, *members;
    size_t n_arrays, n_members;
};

/* Feeds the bytes of the value's canonical form (compact, members of objects sorted by name; names
 * and texts as json_name_key() and json_text_key(); null for what `nulls`, which may be NULL, names)
 * to `fn`, for fingerprints. `value` was made by json_parse(). RC_NOMEM, RC_LIMIT: sorting needs memory
 * that is not there. */
enum rc json_canonical(const cJSON *value, const struct json_nulls *nulls, struct arena *scratch,
                       void (*fn)(void *ctx, const char *p, size_t n), void *ctx);

/* A hash of the value: the same for two values if, and but for accidents only if, their canonical forms are (XXH3 of 128
 * bits, so whoever wants two values to be alike can make them so). Faster than a hash of json_canonical(), and
 * without memory. States have it: what it is may change only together with their mark (core/state/state_internal.h). */
#define JSON_HASH_BYTES 16
void json_hash(const cJSON *value, const struct json_nulls *nulls,
               unsigned char out[JSON_HASH_BYTES]);

#endif
