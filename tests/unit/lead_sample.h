/* A lead of two tables and a parameter, made by hand, for the tests of what writes leads.
 *
 *   leads  id, name, score, is_test, gone; then what is not documented: colour (column 0), size (1)
 *   notes  position, text; then shade (column 0)
 */
#ifndef LEADPIPE_TESTS_LEAD_SAMPLE_H
#define LEADPIPE_TESTS_LEAD_SAMPLE_H

#include "core/json/json.h"
#include "core/lead.h"
#include "core/provider/profile.h"

#define SAMPLE_BODY                                                                                \
    "{\"ok\": true, \"lead\": {\"id\": \"L-1\", \"url\": \"https://x/y?sig=1\", \"n\": 1.10}}"
#define SAMPLE_COMPACT                                                                             \
    "{\"ok\":true,\"lead\":{\"id\":\"L-1\",\"url\":\"https://x/y?sig=1\",\"n\":1.10}}"

struct sample {
    struct column_spec lead_columns[5], note_columns[2];
    struct table_spec tables[2];
    struct str params[1], key_columns[3];
    struct profile profile;

    struct column colour, size, shade;
    struct cell lead_cells[5], note_cells[2][2];
    struct extra lead_extras[2], note_extras[1];
    struct row lead_row, note_rows[2];
    struct rows rows[2];
    struct arena arena;
    struct str param_values[1];
    struct lead lead;
};

static inline struct cell sample_text(const char *text)
{
    return (struct cell){.kind = CELL_TEXT, .len = (uint32_t)strlen(text), .u.text = text};
}

static inline struct cell sample_number(const char *digits)
{
    return (struct cell){.kind = CELL_NUMBER, .len = (uint32_t)strlen(digits), .u.text = digits};
}

static inline void sample_profile(struct sample *s)
{
    static const char *const lead_names[] = {"id", "name", "score", "is_test", "gone"};
    static const char *const note_names[] = {"position", "text"};
    for (size_t i = 0; i < 5; i++)
        s->lead_columns[i].name = str_c(lead_names[i]);
    for (size_t i = 0; i < 2; i++)
        s->note_columns[i].name = str_c(note_names[i]);
    s->tables[0] = (struct table_spec){
        .name = STR("leads"),
        .columns = s->lead_columns,
        .n_columns = 5,
    };
    s->tables[1] = (struct table_spec){
        .name = STR("notes"),
        .columns = s->note_columns,
        .n_columns = 2,
    };
    s->params[0] = STR("agentId");
    s->key_columns[0] = STR("provider");
    s->key_columns[1] = STR("lead_id");
    s->key_columns[2] = STR("agent_id");
    s->profile = (struct profile){
        .name = STR("acme"),
        .tables = s->tables,
        .n_tables = 2,
        .params = s->params,
        .n_params = 1,
        .key_columns = s->key_columns,
        .n_key_columns = 3,
    };
}

static inline void sample_rows(struct sample *s, const cJSON *json)
{
    s->colour = (struct column){.name = STR("colour"), .index = 0};
    s->size = (struct column){.name = STR("si\"ze"), .index = 1};
    s->shade = (struct column){.name = STR("shade"), .index = 0};
    s->lead_cells[0] = sample_text("L-1");
    s->lead_cells[1] = sample_text("Zo\xc3\xab \"Z\"\n");
    s->lead_cells[2] = sample_number("1.10");
    s->lead_cells[3] = (struct cell){.kind = CELL_TRUE};
    s->lead_cells[4] = (struct cell){.kind = CELL_ABSENT};
    /* Another lead had colour before size; this one has them the other way round. */
    s->lead_extras[0] = (struct extra){.column = &s->size, .cell = {.kind = CELL_NULL}};
    s->lead_extras[1] =
        (struct extra){.column = &s->colour, .cell = {.kind = CELL_JSON, .u.json = json}};
    s->lead_row = (struct row){s->lead_cells, s->lead_extras, 2};
    s->note_cells[0][0] = sample_number("0");
    s->note_cells[0][1] = sample_text("");
    s->note_cells[1][0] = sample_number("1");
    s->note_cells[1][1] = (struct cell){.kind = CELL_ABSENT};
    s->note_extras[0] = (struct extra){.column = &s->shade, .cell = {.kind = CELL_FALSE}};
    s->note_rows[0] = (struct row){s->note_cells[0], NULL, 0};
    s->note_rows[1] = (struct row){s->note_cells[1], s->note_extras, 1};
    s->rows[0] = (struct rows){&s->lead_row, 1};
    s->rows[1] = (struct rows){s->note_rows, 2};
}

/* False: out of memory. */
static inline bool sample_init(struct sample *s)
{
    *s = (struct sample){.param_values = {STR("a-1")}};
    sample_profile(s);
    arena_init(&s->arena, (size_t)1 << 20);
    struct json_doc value;
    if (json_parse(&s->arena, STR("{\"b\":[1,-0,\"x\"],\"a\":{}}"), JSON_TREE, &value, NULL) !=
            RC_OK ||
        json_parse(&s->arena, STR(SAMPLE_BODY), JSON_TREE | JSON_COMPACT, &s->lead.doc, NULL) !=
            RC_OK)
        return false;
    sample_rows(s, value.root);
    s->lead.id = STR("L-1");
    s->lead.params = s->param_values;
    s->lead.tables = s->rows;
    return true;
}

static inline void sample_free(struct sample *s)
{
    arena_free(&s->arena);
}

#endif
