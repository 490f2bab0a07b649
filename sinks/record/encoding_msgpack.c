#include "sinks/record/encoding.h"

#include <msgpack/pack.h>

#include "core/base/copy.h"
#include "core/json/number.h"

#define TEXT_HEAD_BYTES_MAX 5

static int msgpack_append(void *data, const char *p, size_t n)
{
    buf_add(data, p, n); /* a failure sticks in the buffer */
    return 0;
}

static msgpack_packer packer_on(struct buf *b)
{
    return (msgpack_packer){.data = b, .callback = msgpack_append};
}

static void msgpack_map_begin(struct buf *b, size_t n)
{
    msgpack_packer pk = packer_on(b);
    (void)msgpack_pack_map(&pk, n);
}

static void msgpack_array_begin(struct buf *b, size_t n)
{
    msgpack_packer pk = packer_on(b);
    (void)msgpack_pack_array(&pk, n);
}

/* Maps and arrays say their length first. */
static void msgpack_no_end(struct buf *b)
{
    (void)b;
}

/* To where there is room. */
static int msgpack_put(void *at, const char *p, size_t n)
{
    char **to = at;
    memcpy(*to, p, n);
    *to += n;
    return 0;
}

static void msgpack_text(struct buf *b, struct str s)
{
    char *room = buf_reserve(b, TEXT_HEAD_BYTES_MAX + s.len);
    if (!room)
        return;
    char *at = room;
    msgpack_packer pk = {.data = &at, .callback = msgpack_put};
    (void)msgpack_pack_str(&pk, s.len);
    if (s.len > 0)
        copy_bytes(at, s.ptr, s.len);
    b->len += (size_t)(at - room) + s.len;
}

static void msgpack_number(struct buf *b, struct str digits)
{
    msgpack_packer pk = packer_on(b);
    struct number n = number_of(digits);
    switch (n.kind) {
    case NUMBER_UINT:
        (void)msgpack_pack_uint64(&pk, n.v.u);
        break;
    case NUMBER_INT:
        (void)msgpack_pack_int64(&pk, n.v.i);
        break;
    case NUMBER_FLOAT:
        (void)msgpack_pack_double(&pk, n.v.d);
        break;
    case NUMBER_TEXT:
        msgpack_text(b, digits);
        break;
    }
}

static size_t children(const cJSON *parent)
{
    size_t n = 0;
    for (const cJSON *child = parent->child; child; child = child->next)
        n++;
    return n;
}

/* Recursion ends with the depth that the parser allows (JSON_DEPTH_MAX). */
static void msgpack_value(struct buf *b, const cJSON *value)
{
    msgpack_packer pk = packer_on(b);
    switch (value->type & 0xff) {
    case cJSON_False:
        (void)msgpack_pack_false(&pk);
        break;
    case cJSON_True:
        (void)msgpack_pack_true(&pk);
        break;
    case cJSON_Number:
        msgpack_number(b, json_text(value));
        break;
    case cJSON_String:
        msgpack_text(b, json_text(value));
        break;
    case cJSON_Array:
        (void)msgpack_pack_array(&pk, children(value));
        for (const cJSON *child = value->child; child; child = child->next)
            msgpack_value(b, child);
        break;
    case cJSON_Object:
        (void)msgpack_pack_map(&pk, children(value));
        for (const cJSON *child = value->child; child; child = child->next) {
            msgpack_text(b, json_member_name(child));
            msgpack_value(b, child);
        }
        break;
    default:
        (void)msgpack_pack_nil(&pk);
        break;
    }
}

static void msgpack_cell(struct buf *b, const struct cell *c)
{
    msgpack_packer pk = packer_on(b);
    switch ((enum cell_kind)c->kind) {
    case CELL_ABSENT:
    case CELL_NULL:
        (void)msgpack_pack_nil(&pk);
        break;
    case CELL_FALSE:
        (void)msgpack_pack_false(&pk);
        break;
    case CELL_TRUE:
        (void)msgpack_pack_true(&pk);
        break;
    case CELL_NUMBER:
        msgpack_number(b, (struct str){c->u.text, c->len});
        break;
    case CELL_TEXT:
        msgpack_text(b, (struct str){c->u.text, c->len});
        break;
    case CELL_JSON:
        msgpack_value(b, c->u.json);
        break;
    }
}

const struct encoding encoding_msgpack = {
    .map_begin = msgpack_map_begin,
    .map_end = msgpack_no_end,
    .array_begin = msgpack_array_begin,
    .array_end = msgpack_no_end,
    .name = msgpack_text,
    .text = msgpack_text,
    .cell = msgpack_cell,
    .value = msgpack_value,
};
