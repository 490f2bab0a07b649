/* A hash of a value that costs neither sorting nor copying: of an object's members, each hashed where it is in the
 * parser's text, the sum is taken, in which the order makes no difference.
 *
 *   value    a scalar's text as received, a string's with the quote before it; of a container its bracket and
 *            16 bytes: an object's sum, an array's last link
 *   member   XXH3 of key, NUL, colon and value: as they are in the parser's text, where a NUL is in the place of the
 *            quote
 *   sum      of the hashes of all members, by halves; names differ, so no two of them are the same
 *   link     of an element: XXH3 of the link before it (zero) and the value; so their order counts
 *
 * What a container says goes through XXH3 together with its name or place before it becomes part of another sum. So
 * nothing can move from one object to another unnoticed. Each of these texts can be read in one way only: no key begins
 * with a NUL and a colon behind its name (what was replaced begins with an x or u, see json_name_key()), and values
 * begin in different ways. */
#define XXH_INLINE_ALL /* most members are short: the call would be a third of it */
#include <xxhash.h>

#include "core/json/json_content.h"

#define JOIN_BYTES 1024

/* A text in pieces. As long as it is short, it is hashed at once, which is several times as fast. */
struct join {
    size_t n;
    bool is_long; /* the beginning has gone to `state` */
    XXH3_state_t state;
    char block[JOIN_BYTES];
};

struct hasher {
    const struct json_nulls *nulls;
    struct join join;
};

/* A value that is a container. */
struct packed {
    char bytes[1 + sizeof(XXH128_canonical_t)];
};

/* ---- texts in pieces ------------------------------------------------------------------------ */

static void join_begin(struct join *j)
{
    j->n = 0;
    j->is_long = false;
}

static void join_flush(struct join *j)
{
    if (!j->is_long)
        (void)XXH3_128bits_reset(&j->state); /* these fail for NULL alone */
    j->is_long = true;
    (void)XXH3_128bits_update(&j->state, j->block, j->n);
    j->n = 0;
}

static void join_add(struct join *j, struct str s)
{
    if (s.len > sizeof j->block - j->n)
        join_flush(j);
    if (s.len > sizeof j->block) {
        (void)XXH3_128bits_update(&j->state, s.ptr, s.len);
        return;
    }
    if (s.len > 0)
        memcpy(j->block + j->n, s.ptr, s.len);
    j->n += s.len;
}

static XXH128_hash_t join_end(struct join *j)
{
    if (!j->is_long)
        return XXH3_128bits(j->block, j->n);
    join_flush(j);
    return XXH3_128bits_digest(&j->state);
}

static void join_add_scalar(struct join *j, const cJSON *value)
{
    switch (value->type & 0xFF) {
    case cJSON_String:
        join_add(j, STR("\""));
        join_add(j, json_text_key(value));
        break;
    case cJSON_Number:
        join_add(j, json_text(value));
        break;
    case cJSON_False:
        join_add(j, STR("false"));
        break;
    case cJSON_True:
        join_add(j, STR("true"));
        break;
    default:
        join_add(j, STR("null"));
        break;
    }
}

/* ---- containers ----------------------------------------------------------------------------- */

static bool is_container(const cJSON *value)
{
    return value->type & (cJSON_Object | cJSON_Array);
}

static struct packed hash_container(struct hasher *h, const cJSON *value, bool has_nulls);

static struct packed pack(char bracket, XXH128_hash_t hash)
{
    struct packed p;
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, hash);
    p.bytes[0] = bracket;
    memcpy(p.bytes + 1, canonical.digest, sizeof canonical.digest);
    return p;
}

static struct str packed_str(const struct packed *p)
{
    return (struct str){p->bytes, sizeof p->bytes};
}

/* Of a member that is not in one piece. `has_nulls`: its object is an element of an array that h->nulls names. */
static XXH128_hash_t hash_pieces(struct hasher *h, const cJSON *member, bool is_null)
{
    struct join *j = &h->join;
    struct packed inside;
    bool contains = is_container(member);
    if (contains)
        inside = hash_container(h, member, false);
    join_begin(j);
    join_add(j, json_name_key(member));
    join_add(j, (struct str){"\0:", 2});
    if (contains)
        join_add(j, packed_str(&inside));
    else if (is_null)
        join_add(j, STR("null"));
    else
        join_add_scalar(j, member);
    return join_end(j);
}

static struct packed hash_members(struct hasher *h, const cJSON *object, bool has_nulls)
{
    XXH128_hash_t sum = {0, 0};
    for (const cJSON *member = object->child; member; member = member->next) {
        bool is_null = has_nulls && json_is_nulled(h->nulls, member);
        size_t n = is_null || is_container(member) ? 0 : json_adjacent_bytes(member);
        struct str name = json_member_name(member);
        XXH128_hash_t hash = n ? XXH3_128bits(name.ptr, name.len + 2 + n - json_is_string(member))
                               : hash_pieces(h, member, is_null);
        sum.low64 += hash.low64;
        sum.high64 += hash.high64;
    }
    return pack('{', sum);
}

static struct packed hash_elements(struct hasher *h, const cJSON *array)
{
    bool has_nulls = json_has_nulls(h->nulls, array);
    struct packed link = pack('[', (XXH128_hash_t){0, 0});
    for (const cJSON *element = array->child; element; element = element->next) {
        struct packed inside;
        bool contains = is_container(element);
        if (contains)
            inside = hash_container(h, element, has_nulls);
        join_begin(&h->join);
        join_add(&h->join, packed_str(&link));
        if (contains)
            join_add(&h->join, packed_str(&inside));
        else
            join_add_scalar(&h->join, element);
        link = pack('[', join_end(&h->join));
    }
    return link;
}

/* Nested as deeply as the parser allows. */
static struct packed hash_container(struct hasher *h, const cJSON *value, bool has_nulls)
{
    return json_is_object(value) ? hash_members(h, value, has_nulls) : hash_elements(h, value);
}

void json_hash(const cJSON *value, const struct json_nulls *nulls,
               unsigned char out[JSON_HASH_BYTES])
{
    struct hasher h;
    struct packed inside;
    XXH128_canonical_t canonical;
    h.nulls = nulls && nulls->n_members ? nulls : NULL;
    join_begin(&h.join);
    if (is_container(value)) {
        inside = hash_container(&h, value, false);
        join_begin(&h.join);
        join_add(&h.join, packed_str(&inside));
    } else {
        join_add_scalar(&h.join, value);
    }
    XXH128_canonicalFromHash(&canonical, join_end(&h.join));
    memcpy(out, canonical.digest, sizeof canonical.digest);
}
