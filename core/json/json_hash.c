/* A hash of a value that costs neither sorting nor, for most of it, copying: each member of an object is hashed where it
 * is in the parser's text, and of these hashes the sum is taken, in which the order makes no difference.
 *
 *   scalar   its text as received, a string's with the quote before it
 *   object   the sum of the hashes of all members, by halves; names differ, so no two of them are the same
 *   member   XXH3 of key, NUL, colon and scalar: as they are in the parser's text, where a NUL is in the place of the
 *            quote. With an object or array: XXH3 of the four halves of XXH3 of the key, and of that one's hash
 *   array    XXH3 of all elements in their order, a NUL behind each: a scalar, or a bracket and 16 bytes
 *
 * What a container says is hashed together with its name or with its neighbours before it becomes part of another sum.
 * So nothing can move from one object to another unnoticed. Each of these texts can be read in one way only: behind a NUL
 * within a key or text is what was replaced, which begins with an x or u (see json_name_key()), and no value does. */
#define XXH_INLINE_ALL /* most members are short: the call would be a third of it */
#include <endian.h>
#include <xxhash.h>

#include "core/json/json_content.h"

#define JOIN_BYTES 256

/* A text in pieces. As long as it is short, it is hashed at once, which is several times as fast. */
struct join {
    size_t n;
    bool is_long; /* the beginning has gone to `state` */
    XXH3_state_t state;
    char block[JOIN_BYTES];
};

struct hasher {
    const struct json_nulls *nulls;
    struct join join; /* of the member at hand */
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

static inline void join_add(struct join *j, struct str s)
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

static XXH128_hash_t hash_container(struct hasher *h, const cJSON *value, bool has_nulls);

static void add_packed(struct join *j, const cJSON *container, XXH128_hash_t hash)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, hash);
    join_add(j, json_is_object(container) ? STR("{") : STR("["));
    join_add(j, (struct str){(const char *)canonical.digest, sizeof canonical.digest});
}

/* Of a member that is a scalar, but not in one piece. */
static XXH128_hash_t hash_pieces(struct join *j, const cJSON *member, bool is_null)
{
    join_begin(j);
    join_add(j, json_name_key(member));
    join_add(j, (struct str){"\0:", 2});
    if (is_null)
        join_add(j, STR("null"));
    else
        join_add_scalar(j, member);
    return join_end(j);
}

static inline XXH128_hash_t hash_named(const cJSON *member, XXH128_hash_t inside)
{
    struct str key = json_name_key(member);
    XXH128_hash_t name = XXH3_128bits(key.ptr, key.len);
    const uint64_t halves[] = {htole64(name.low64), htole64(name.high64), htole64(inside.low64),
                               htole64(inside.high64)};
    return XXH3_128bits(halves, sizeof halves);
}

/* `has_nulls`: its object is an element of an array that h->nulls names. */
static inline XXH128_hash_t hash_member(struct hasher *h, const cJSON *member, bool has_nulls)
{
    if (is_container(member))
        return hash_named(member, hash_container(h, member, false));
    struct str name = json_member_name(member);
    bool is_null = has_nulls && json_is_nulled(h->nulls, member);
    size_t n = is_null ? 0 : json_adjacent_bytes(member);
    if (n == 0)
        return hash_pieces(&h->join, member, is_null);
    return XXH3_128bits(name.ptr, name.len + 2 + n - json_is_string(member));
}

static XXH128_hash_t hash_members(struct hasher *h, const cJSON *object, bool has_nulls)
{
    XXH128_hash_t sum = {0, 0};
    for (const cJSON *member = object->child; member; member = member->next) {
        XXH128_hash_t hash = hash_member(h, member, has_nulls);
        sum.low64 += hash.low64;
        sum.high64 += hash.high64;
    }
    return sum;
}

static XXH128_hash_t hash_elements(struct hasher *h, const cJSON *array)
{
    bool has_nulls = json_has_nulls(h->nulls, array);
    struct join all;
    join_begin(&all);
    for (const cJSON *element = array->child; element; element = element->next) {
        if (is_container(element))
            add_packed(&all, element, hash_container(h, element, has_nulls));
        else
            join_add_scalar(&all, element);
        join_add(&all, (struct str){"\0", 1});
    }
    return join_end(&all);
}

/* Nested as deeply as the parser allows. */
static XXH128_hash_t hash_container(struct hasher *h, const cJSON *value, bool has_nulls)
{
    return json_is_object(value) ? hash_members(h, value, has_nulls) : hash_elements(h, value);
}

void json_hash(const cJSON *value, const struct json_nulls *nulls,
               unsigned char out[JSON_HASH_BYTES])
{
    struct hasher h;
    XXH128_hash_t inside = {0, 0};
    XXH128_canonical_t canonical;
    h.nulls = nulls && nulls->n_members ? nulls : NULL;
    if (is_container(value))
        inside = hash_container(&h, value, false);
    join_begin(&h.join);
    if (is_container(value))
        add_packed(&h.join, value, inside);
    else
        join_add_scalar(&h.join, value);
    XXH128_canonicalFromHash(&canonical, join_end(&h.join));
    memcpy(out, canonical.digest, sizeof canonical.digest);
}
