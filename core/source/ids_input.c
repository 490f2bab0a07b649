#include "core/source/ids_input.h"

#include <strings.h>

#include "core/source/ids_object.h"
#include "core/source/ids_sniff.h"
#include "core/source/ids_text.h"
#include "core/json/json.h"

static struct str piece_str(const struct ids_piece *p)
{
    return (struct str){p->ptr, p->len};
}

/* False: it is too long, or a malformed CSV record; *bad says why. `n_columns`: of the header. */
static bool piece_check(const struct ids_piece *p, size_t n_columns, struct err *bad)
{
    const char *why = NULL;
    if (p->too_long) {
        (void)err_set(bad, RC_SYNTAX, "the line is longer than %d bytes", IDS_LINE_BYTES_MAX);
        return false;
    }
    switch (p->fault) {
    case CSV_STRAY_QUOTE:
        why = "a quote within it, but does not begin with one";
        break;
    case CSV_TEXT_BEHIND:
        why = "text after its closing quote";
        break;
    case CSV_CONTROL:
        why = "a control character in it";
        break;
    case CSV_NOT_CLOSED:
        why = "no closing quote";
        break;
    case CSV_JOINED:
        (void)err_set(bad, RC_SYNTAX,
                      "quotes join this line with the following ones to a row of %zu fields, but "
                      "the csv header has %zu: %s",
                      p->fault_fields, n_columns, ids_excerpt(piece_str(p)).text);
        return false;
    default:
        return true;
    }
    (void)err_set(bad, RC_SYNTAX, "field %zu has %s: %s", p->fault_fields, why,
                  ids_excerpt(piece_str(p)).text);
    return false;
}

/* ---- the format ----------------------------------------------------------------------------- */

static bool is_comment(struct str line)
{
    return line.len && *line.ptr == '#';
}

/* The delimiter of a line "sep=;", as spreadsheets write it. '\0': it is another line. Trimming removes a tab, so the
 * delimiter is read from `line`. */
static char declared_delimiter(struct str line)
{
    struct str word = ids_trim(line);
    if (word.len < 4 || word.len > 5 || strncasecmp(word.ptr, "sep=", 4) != 0)
        return '\0';
    char c = word.ptr + 4 < line.ptr + line.len ? word.ptr[4] : '\0';
    return c == ',' || c == ';' || c == '\t' ? c : '\0';
}

/* Finds the first line that is not empty, and leaves it in the reader. RC_END: there is none. */
static enum rc first_line(struct ids_input *in, struct ids_piece *out, struct err *e)
{
    for (;;) {
        enum rc rc = ids_reader_peek(&in->reader, '\0', out, e);
        struct str line = rc == RC_OK ? ids_trim(piece_str(out)) : STR_NONE;
        bool skips = !line.len;
        enum id_format format = in->cfg->format;
        if (format == ID_FORMAT_AUTO || format == ID_FORMAT_LINES)
            skips |= is_comment(line);
        if (format == ID_FORMAT_AUTO || format == ID_FORMAT_CSV) {
            char declared = rc == RC_OK ? declared_delimiter(piece_str(out)) : '\0';
            skips |= declared != '\0';
            in->delimiter = declared ? declared : in->delimiter;
        }
        if (rc != RC_OK || out->too_long || !skips)
            return rc;
        rc = ids_reader_next(&in->reader, '\0', out, e);
        if (rc != RC_OK)
            return rc;
    }
}

/* Takes the header, if it has an ID column with this delimiter. */
static enum rc try_header(struct ids_input *in, char delimiter, bool *found, struct err *bad,
                          struct err *e)
{
    struct ids_piece header;
    bad->rc = RC_OK;
    enum rc rc = ids_reader_peek(&in->reader, delimiter, &header, e);
    if (rc != RC_OK)
        return rc;
    if (!piece_check(&header, 0, bad))
        return RC_OK;
    rc = ids_columns_read(&in->columns, in->cfg, piece_str(&header), delimiter, found, bad, e);
    if (rc != RC_OK || !*found)
        return rc;
    in->format = ID_FORMAT_CSV;
    in->reader.n_columns = in->columns.n;
    return ids_reader_next(&in->reader, delimiter, &header, e);
}

static size_t count_of(struct str s, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] == c;
    return n;
}

/* In order of preference; '\0' ends the list. */
static const char delimiters[] = {',', '\t', ';', '\0'};

/* The delimiter that occurs in `line` most often. */
static char likely_delimiter(struct str line)
{
    size_t best = 0;
    for (size_t i = 1; delimiters[i]; i++)
        if (count_of(line, delimiters[i]) > count_of(line, delimiters[best]))
            best = i;
    return delimiters[best];
}

/* The input is CSV: takes its header, or refuses it. `line`: the first line. */
static enum rc take_header(struct ids_input *in, struct str line, struct err *e)
{
    char likely = in->delimiter ? in->delimiter : likely_delimiter(line);
    struct err why = {.rc = RC_OK};
    bool found = false;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && !found && delimiters[i]; i++) {
        struct err bad;
        if (in->delimiter && in->delimiter != delimiters[i])
            continue;
        rc = try_header(in, delimiters[i], &found, &bad, e);
        if (delimiters[i] == likely && rc == RC_OK)
            why = bad;
    }
    if (rc != RC_OK || found)
        return rc;
    if (why.rc != RC_OK)
        return err_set(e, RC_USAGE, "%s: invalid csv header: %s", in->reader.source.name, why.msg);
    struct ids_piece header;
    rc = ids_reader_peek(&in->reader, likely, &header, e);
    if (rc != RC_OK)
        return rc;
    return ids_columns_refuse(in->cfg, in->reader.source.name, piece_str(&header), likely, e);
}

static struct str unquoted(struct str s)
{
    bool quoted = s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"';
    return quoted ? (struct str){s.ptr + 1, s.len - 2} : s;
}

/* In a list of IDs, the first line has no delimiter and no quote that is still open at its end. */
static bool looks_like_csv(struct str line)
{
    for (size_t i = 0; delimiters[i]; i++)
        if (count_of(line, delimiters[i]))
            return true;
    return line.len && *line.ptr == '"' && unquoted(line).len == line.len;
}

/* Is it a name of the ID column, or does it end in the word "id"? */
static bool looks_like_header(const struct ids_cfg *cfg, struct str line)
{
    struct str name = unquoted(line);
    if (ids_is_name(cfg, name))
        return true;
    if (name.len < 3 || strncasecmp(name.ptr + name.len - 2, "id", 2) != 0)
        return false;
    char before = name.ptr[name.len - 3];
    bool is_camel = name.ptr[name.len - 2] == 'I' && before >= 'a' && before <= 'z';
    return is_camel || before == '_' || before == '-' || before == ' ';
}

/* If the first line does not have the member of --id-column, that is a usage error, not a bad line. */
static enum rc check_member(struct ids_input *in, struct str line, struct err *e)
{
    struct json_doc doc;
    struct err bad;
    if (!in->cfg->column)
        return RC_OK;
    enum rc rc = json_parse(&in->scratch, line, JSON_TREE, &doc, &bad);
    if (rc == RC_NOMEM)
        return err_nomem(e);
    if (rc != RC_OK || !cJSON_IsObject(doc.root) ||
        ids_object_member(doc.root, str_c(in->cfg->column), &bad))
        return RC_OK;
    return err_set(e, RC_USAGE, "%s: the first object has no member %s (--id-column)",
                   in->reader.source.name, ids_excerpt(str_c(in->cfg->column)).text);
}

static enum rc find_format(struct ids_input *in, struct err *e)
{
    struct ids_piece piece;
    const struct ids_cfg *cfg = in->cfg;
    enum rc rc = first_line(in, &piece, e);
    if (rc == RC_END && cfg->format == ID_FORMAT_CSV)
        return err_set(e, RC_USAGE,
                       "%s: empty (csv must begin with a header that names the ID "
                       "column)",
                       in->reader.source.name);
    if (rc != RC_OK)
        return rc == RC_END ? RC_OK : rc;
    struct str line = ids_trim(piece_str(&piece));
    const struct ids_kind *kind = cfg->format == ID_FORMAT_LINES ? NULL : ids_sniff_line(line);
    if (kind)
        return ids_kind_refuse(kind, in->reader.source.name, e);
    in->format = cfg->format;
    if (cfg->format == ID_FORMAT_AUTO) {
        bool is_json = line.len && *line.ptr == '{';
        bool is_csv = !is_json && (cfg->column || looks_like_csv(line));
        in->format = is_json ? ID_FORMAT_NDJSON : is_csv ? ID_FORMAT_CSV : ID_FORMAT_LINES;
        in->may_have_header = in->format == ID_FORMAT_LINES && looks_like_header(cfg, line);
    }
    if (in->format == ID_FORMAT_NDJSON)
        return check_member(in, line, e);
    return in->format == ID_FORMAT_CSV ? take_header(in, line, e) : RC_OK;
}

enum rc ids_input_open(struct ids_input *in, const struct ids_cfg *cfg, const char *path,
                       struct err *e)
{
    *in = (struct ids_input){.cfg = cfg, .format = ID_FORMAT_AUTO};
    arena_init(&in->scratch, IDS_SCRATCH_BYTES_MAX);
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

/* Takes the ID and the parameters from a well-formed record. */
static void csv_found(const struct ids_input *in, const struct ids_piece *p, struct ids_found *out)
{
    const struct ids_columns *c = &in->columns;
    struct csv_record record = {p->ptr, p->ptr + p->len, c->delimiter, false};
    struct csv_field field;
    struct str last_id = STR_NONE;
    size_t n = 0;
    for (; csv_next(&record, &field); n++) {
        int what = n < c->n ? c->what[n] : COLUMN_IGNORED;
        struct str text = ids_trim((struct str){field.ptr, field.len});
        if (what == COLUMN_ID)
            last_id = text;
        else if (what >= 0 && text.len)
            out->params[what] = text;
    }
    if (n == c->n || (n < c->n && n > c->last_used && !p->at_end))
        out->id = last_id;
    else
        (void)err_set(&out->bad, RC_SYNTAX, "the row has %zu field%s, the csv header has %zu%s", n,
                      n == 1 ? "" : "s", c->n,
                      n < c->n && n > c->last_used ? ", and it does not end with a line break"
                                                   : "");
}

/* *found: the line is an ID or a bad line, and not an empty one or a comment. */
static enum rc piece_found(struct ids_input *in, struct ids_piece *p, struct ids_found *out,
                           bool *found, struct err *e)
{
    struct str line = ids_trim(piece_str(p));
    *found = true;
    out->line = p->line;
    if (!piece_check(p, in->columns.n, &out->bad))
        return RC_OK;
    if (in->format == ID_FORMAT_LINES) {
        out->id = line;
        *found = line.len && !is_comment(line);
        return RC_OK;
    }
    *found = line.len;
    if (*found && in->format == ID_FORMAT_NDJSON)
        return ids_object_read(in->cfg, &in->scratch, line, out, e);
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
