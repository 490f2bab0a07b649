#include "ids_input.h"

#include "ids_csv.h"
#include "ids_text.h"
#include "json.h"

#define SCRATCH_MAX_BYTES ((size_t)128 << 20) /* the tree of the worst line of 1 MiB fits in */
#define SCRATCH_KEEP_BYTES (256 * 1024)

static struct str piece_str(const struct ids_piece *p)
{
    return (struct str){p->ptr, p->len};
}

/* ---- the format ----------------------------------------------------------------------------- */

/* The first line with something in it stays in the reader. RC_END: there is none. */
static enum rc first_line(struct ids_input *in, struct ids_piece *out, struct err *e)
{
    for (;;) {
        enum rc rc = ids_reader_peek(&in->reader, '\0', out, e);
        if (rc != RC_OK || out->too_long || ids_trim(piece_str(out)).len)
            return rc;
        rc = ids_reader_next(&in->reader, '\0', out, e);
        if (rc != RC_OK)
            return rc;
    }
}

/* Takes the header with this delimiter, if that shows an ID column. */
static enum rc try_header(struct ids_input *in, char delimiter, bool *found, struct err *e)
{
    struct ids_piece header;
    enum rc rc = ids_reader_peek(&in->reader, delimiter, &header, e);
    if (rc != RC_OK || header.too_long)
        return rc;
    rc = ids_columns_read(&in->columns, in->cfg, piece_str(&header), delimiter, found, e);
    if (rc != RC_OK || !*found)
        return rc;
    in->format = ID_FORMAT_CSV;
    return ids_reader_next(&in->reader, delimiter, &header, e);
}

static bool has_byte(const struct ids_piece *p, char c)
{
    return p->len && memchr(p->ptr, c, p->len);
}

/* `line` is not valid any more behind this. */
static enum rc find_header(struct ids_input *in, struct ids_piece *line, struct err *e)
{
    bool comma = has_byte(line, ',');
    bool tab = has_byte(line, '\t');
    bool forced = in->cfg->format == ID_FORMAT_CSV;
    bool found = false;
    enum rc rc = RC_OK;
    if (comma || (forced && !tab))
        rc = try_header(in, ',', &found, e);
    if (rc == RC_OK && !found && tab)
        rc = try_header(in, '\t', &found, e);
    if (rc != RC_OK || found || !forced)
        return rc;
    char delimiter = comma || !tab ? ',' : '\t';
    rc = ids_reader_peek(&in->reader, delimiter, line, e);
    if (rc != RC_OK)
        return rc;
    return ids_columns_refuse(in->cfg, in->reader.source.name, piece_str(line), delimiter, e);
}

static struct str unquoted(struct str s)
{
    bool quoted = s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"';
    return quoted ? (struct str){s.ptr + 1, s.len - 2} : s;
}

static enum rc find_format(struct ids_input *in, struct err *e)
{
    struct ids_piece line;
    enum rc rc = first_line(in, &line, e);
    if (rc == RC_END && in->cfg->format == ID_FORMAT_CSV)
        return err_set(e, RC_USAGE, "%s: empty (csv begins with a header that names the ID column)",
                       in->reader.source.name);
    if (rc != RC_OK)
        return rc == RC_END ? RC_OK : rc;
    in->format = in->cfg->format;
    if (in->format == ID_FORMAT_CSV)
        return find_header(in, &line, e);
    if (in->format != ID_FORMAT_AUTO)
        return RC_OK;
    struct str text = ids_trim(piece_str(&line));
    if (text.len && *text.ptr == '{') {
        in->format = ID_FORMAT_NDJSON;
        return RC_OK;
    }
    in->format = ID_FORMAT_LINES;
    bool is_asked_for = in->cfg->column || ids_is_name(in->cfg, unquoted(text));
    rc = find_header(in, &line, e);
    in->may_have_header = is_asked_for && in->format == ID_FORMAT_LINES;
    return rc;
}

enum rc ids_input_open(struct ids_input *in, const struct ids_cfg *cfg, const char *path,
                       struct err *e)
{
    *in = (struct ids_input){.cfg = cfg, .format = ID_FORMAT_AUTO};
    arena_init(&in->scratch, SCRATCH_MAX_BYTES);
    enum rc rc = ids_reader_open(&in->reader, path, &cfg->wait, e);
    if (rc != RC_OK)
        return rc;
    rc = find_format(in, e);
    if (rc != RC_OK)
        ids_input_close(in);
    return rc;
}

void ids_input_close(struct ids_input *in)
{
    ids_columns_free(&in->columns);
    arena_free(&in->scratch);
    ids_reader_close(&in->reader);
}

/* ---- one line ------------------------------------------------------------------------------- */

static void csv_found(const struct ids_input *in, struct ids_piece *p, struct ids_found *out)
{
    struct csv_record record = {p->ptr, p->ptr + p->len, in->columns.delimiter, false};
    struct csv_field field;
    for (size_t i = 0; csv_next(&record, &field); i++) {
        int what = i < in->columns.n ? in->columns.what[i] : COLUMN_IGNORED;
        if (field.malformed) {
            (void)err_set(&out->bad, RC_SYNTAX,
                          "the quotes of field %zu are not as csv (RFC 4180) has them", i + 1);
            return;
        }
        if (what == COLUMN_ID)
            out->id = (struct str){field.ptr, field.len};
        else if (what >= 0 && field.len && !out->params[what].ptr)
            out->params[what] = (struct str){field.ptr, field.len};
    }
    if (!out->id.ptr)
        (void)err_set(&out->bad, RC_SYNTAX, "the line is too short to have an ID");
}

/* The text of a string or number; absent for null and for what is not there. */
static struct str member_text(const cJSON *member, struct str what, bool mended, struct err *bad)
{
    if (!member || cJSON_IsNull(member))
        return STR_NONE;
    if (!cJSON_IsString(member) && !cJSON_IsNumber(member)) {
        (void)err_set(bad, RC_SYNTAX, STR_FMT " is neither a string nor a number", STR_ARG(what));
        return STR_NONE;
    }
    /* A character that became U+FFFD must not turn one ID into another. */
    if (mended && strstr(member->valuestring, "\xEF\xBF\xBD")) {
        (void)err_set(bad, RC_SYNTAX, STR_FMT " has NUL or a character that is not UTF-8",
                      STR_ARG(what));
        return STR_NONE;
    }
    return str_c(member->valuestring);
}

static void object_found(const struct ids_input *in, const struct json_doc *doc,
                         struct ids_found *out)
{
    const struct ids_cfg *cfg = in->cfg;
    const cJSON *id = NULL;
    for (size_t i = 0; ids_name(cfg, i) && (!id || cJSON_IsNull(id)); i++)
        id = json_member(doc->root, ids_name(cfg, i));
    out->id = member_text(id, STR("the ID"), doc->mended > 0, &out->bad);
    for (const cJSON *m = doc->root->child; m && out->bad.rc == RC_OK; m = m->next) {
        int param = m == id ? COLUMN_IGNORED : ids_param(cfg, str_c(m->string));
        if (param >= 0)
            out->params[param] =
                member_text(m, cfg->profile->params[param], doc->mended > 0, &out->bad);
    }
    if (out->bad.rc == RC_OK && !out->id.ptr)
        (void)err_set(&out->bad, RC_SYNTAX, "there is no member '%s' with the ID",
                      ids_name(cfg, 0));
}

static enum rc json_found(struct ids_input *in, struct str line, struct ids_found *out,
                          struct err *e)
{
    struct json_doc doc;
    arena_reset(&in->scratch, SCRATCH_KEEP_BYTES);
    enum rc rc = json_parse(&in->scratch, line, JSON_TREE, &doc, &out->bad);
    if (rc == RC_NOMEM)
        return err_nomem(e);
    if (rc != RC_OK)
        return RC_OK; /* and `bad` says why */
    if (cJSON_IsObject(doc.root))
        object_found(in, &doc, out);
    else
        (void)err_set(&out->bad, RC_SYNTAX, "the line is not a JSON object");
    return RC_OK;
}

/* *found: the line says something, if only that it is bad. */
static enum rc piece_found(struct ids_input *in, struct ids_piece *p, struct ids_found *out,
                           bool *found, struct err *e)
{
    struct str line = ids_trim(piece_str(p));
    *found = true;
    out->line = p->line;
    if (p->too_long) {
        (void)err_set(&out->bad, RC_SYNTAX, "the line is longer than %d bytes", IDS_LINE_BYTES_MAX);
        return RC_OK;
    }
    if (in->format == ID_FORMAT_LINES) {
        out->id = line;
        *found = line.len && *line.ptr != '#';
        return RC_OK;
    }
    *found = line.len;
    if (*found && in->format == ID_FORMAT_NDJSON)
        return json_found(in, line, out, e);
    if (*found)
        csv_found(in, p, out);
    return RC_OK;
}

enum rc ids_input_next(struct ids_input *in, struct ids_found *out, struct err *e)
{
    out->id = STR_NONE;
    out->bad.rc = RC_OK;
    for (bool found = false; !found;) {
        struct ids_piece p;
        char delimiter = in->format == ID_FORMAT_CSV ? in->columns.delimiter : '\0';
        enum rc rc = ids_reader_next(&in->reader, delimiter, &p, e);
        if (rc == RC_OK)
            rc = piece_found(in, &p, out, &found, e);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}
