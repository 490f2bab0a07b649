#include "core/source/ids_sniff.h"

#include <strings.h>

#define BINARY "export the IDs as CSV or text"

struct magic {
    const char *bytes;
    size_t n; /* of them */
    size_t at;
    struct ids_kind kind;
};

#define BYTES(literal) literal, sizeof(literal) - 1

/* Each is long enough, or has bytes that text never has. If one begins with another, it comes first. */
static const struct magic magics[] = {
    {BYTES("\xFF\xFE\0\0"), 0, {"UTF-32 text", "convert it: iconv -f UTF-32 -t UTF-8 FILE"}},
    {BYTES("\0\0\xFE\xFF"), 0, {"UTF-32 text", "convert it: iconv -f UTF-32 -t UTF-8 FILE"}},
    {BYTES("\xFF\xFE"), 0, {"UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8 FILE"}},
    {BYTES("\xFE\xFF"), 0, {"UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8 FILE"}},
    {BYTES("PK\x03\x04"),
     0,
     {"a spreadsheet (.xlsx, .ods) or another zip file",
      "save the sheet as CSV, or unpack it: unzip -p FILE"}},
    {BYTES("PK\x05\x06"), 0, {"an empty zip file", "give the list itself"}},
    {BYTES("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"),
     0,
     {"a spreadsheet or document from an old version of Microsoft Office",
      "save the sheet as CSV"}},
    {BYTES("%PDF-"), 0, {"a PDF file", BINARY}},
    {BYTES("{\\rtf"), 0, {"an RTF document", "save it as text"}},
    {BYTES("SQLite format 3\0"),
     0,
     {"an SQLite database", "query it: sqlite3 FILE \"select id from ...\""}},
    {BYTES("PAR1\x15"), 0, {"a Parquet file", BINARY}},
    {BYTES("ARROW1\0"), 0, {"an Arrow file", BINARY}},
    {BYTES("Obj\x01"), 0, {"an Avro file", BINARY}},
    {BYTES("\x28\xB5\x2F\xFD"), 0, {"zstd data", "decompress it first: zstd -dc FILE"}},
    {BYTES("\xFD"
           "7zXZ\0"),
     0,
     {"xz data", "decompress it first: xz -dc FILE"}},
    {BYTES("\x04\x22\x4D\x18"), 0, {"lz4 data", "decompress it first: lz4 -dc FILE"}},
    {BYTES("7z\xBC\xAF\x27\x1C"), 0, {"a 7z archive", "unpack it first"}},
    {BYTES("Rar!\x1A\x07"), 0, {"a RAR archive", "unpack it first"}},
    {BYTES("\x1F\x9D"), 0, {"compressed data (.Z)", "decompress it first: zcat FILE"}},
    {BYTES("\x1F\x8B"),
     0,
     {"gzip data within gzip data", "decompress it once more: gzip -dc FILE"}},
    {BYTES("1AY&SY"), 4, {"bzip2 data", "decompress it first: bzip2 -dc FILE"}},
    {BYTES("\0ustar"), 256, {"a tar archive", "unpack it: tar -xOf FILE"}},
};

/* Does `head` have the magic at `at`, in full or as far as `head` goes? */
static bool begins(struct str head, const struct magic *m, bool *whole)
{
    if (head.len <= m->at) {
        *whole = false;
        return true;
    }
    size_t n = head.len - m->at < m->n ? head.len - m->at : m->n;
    *whole = n == m->n;
    return memcmp(head.ptr + m->at, m->bytes, n) == 0;
}

static bool is_printable(char c)
{
    return (c >= ' ' && c <= '~') || c == '\t' || c == '\r' || c == '\n';
}

#define WIDE_BYTES_MIN 4

/* Every other byte is NUL: UTF-16 without a byte order mark. */
static bool is_wide(struct str head, bool *more)
{
    size_t n = head.len < 8 ? head.len & ~(size_t)1 : 8;
    for (size_t nul = 0; nul < 2; nul++) {
        size_t at = 0;
        while (at < n && (at % 2 == nul ? head.ptr[at] == '\0' : is_printable(head.ptr[at])))
            at++;
        if (at == n && n >= WIDE_BYTES_MIN)
            return true;
        *more |= at == n && n == 2;
    }
    return false;
}

const struct ids_kind *ids_sniff(struct str head, bool *more)
{
    static const struct ids_kind wide = {"UTF-16 text",
                                         "convert it: iconv -f UTF-16 -t UTF-8 FILE"};
    *more = head.len == 0;
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
        bool whole;
        if (!begins(head, &magics[i], &whole))
            continue;
        if (whole)
            return &magics[i].kind;
        *more |= magics[i].at == 0; /* magics at other offsets are not waited for */
    }
    return is_wide(head, more) ? &wide : NULL;
}

bool ids_sniff_gzip(struct str head, bool *more)
{
    static const struct magic gzip = {BYTES("\x1F\x8B\x08"), 0, {NULL, NULL}};
    bool whole;
    bool fits = begins(head, &gzip, &whole);
    *more = fits && !whole;
    return fits && whole;
}

enum rc ids_kind_refuse(const struct ids_kind *kind, const char *source, struct err *e)
{
    return err_set(e, RC_USAGE, "%s: appears to be %s, not a list of IDs; %s", source, kind->what,
                   kind->advice);
}

/* ---- text ----------------------------------------------------------------------------------- */

static bool has_prefix(struct str s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.len >= n && strncasecmp(s.ptr, prefix, n) == 0;
}

static bool is_markup(struct str line)
{
    static const char *const starts[] = {"<!doctype", "<!--",  "<?xml", "<html",
                                         "<head",     "<body", "<table"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (has_prefix(line, starts[i]))
            return true;
    return false;
}

/* "[", "[1", "[\"a\"": the beginning of a JSON array, but not an ID in brackets. */
static bool is_array(struct str line)
{
    size_t at = 1;
    if (*line.ptr != '[')
        return false;
    while (at < line.len && (line.ptr[at] == ' ' || line.ptr[at] == '\t'))
        at++;
    return at == line.len || strchr("{[\"]-0123456789", line.ptr[at]);
}

const struct ids_kind *ids_sniff_line(struct str line)
{
    static const struct ids_kind markup = {"an HTML or XML document",
                                           "give one ID per line, CSV or NDJSON"};
    static const struct ids_kind array = {"a JSON array",
                                          "convert it to one object per line: jq -c '.[]' FILE, or "
                                          "for an array of IDs jq -r '.[]' FILE"};
    static const struct ids_kind object = {"a JSON document that spans several lines",
                                           "convert it to one object per line: jq -c . FILE"};
    if (line.len == 0)
        return NULL;
    if (is_markup(line))
        return &markup;
    if (is_array(line))
        return &array;
    return line.len == 1 && *line.ptr == '{' ? &object : NULL;
}
