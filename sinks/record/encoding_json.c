#include "sinks/record/encoding.h"

#include "core/json/json.h"

static void json_map_begin(struct buf *b, size_t n)
{
    (void)n;
    buf_addc(b, '{');
}

static void json_map_end(struct buf *b)
{
    buf_addc(b, '}');
}

static void json_array_begin(struct buf *b, size_t n)
{
    (void)n;
    buf_addc(b, '[');
}

static void json_array_end(struct buf *b)
{
    buf_addc(b, ']');
}

static void json_name(struct buf *b, struct str name)
{
    json_write_string(b, name);
    buf_addc(b, ':');
}

static void json_cell(struct buf *b, const struct cell *c)
{
    switch ((enum cell_kind)c->kind) {
    case CELL_ABSENT:
    case CELL_NULL:
        buf_add(b, "null", 4);
        break;
    case CELL_FALSE:
        buf_add(b, "false", 5);
        break;
    case CELL_TRUE:
        buf_add(b, "true", 4);
        break;
    case CELL_NUMBER:
        buf_add(b, c->u.text, c->len);
        break;
    case CELL_TEXT:
        json_write_string(b, (struct str){c->u.text, c->len});
        break;
    case CELL_JSON:
        json_write(b, c->u.json);
        break;
    }
}

const struct encoding encoding_json = {
    .separator = ',',
    .end = '\n',
    .map_begin = json_map_begin,
    .map_end = json_map_end,
    .array_begin = json_array_begin,
    .array_end = json_array_end,
    .name = json_name,
    .text = json_write_string,
    .cell = json_cell,
};
