#include "sinks/csv/csv_encode.h"

#include "core/base/copy.h"
#include "core/json/json.h"

#define PHONE_BYTES_MAX 40 /* 15 digits and what people put between them */
#define PHONE_DIGITS_MIN 3

/* ---- quotes --------------------------------------------------------------------------------- */

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)
#define DOUBLED_BYTES 512 /* of a quoted text, at once */

/* Does the text hold anything that only quotes can hold? A copy_test; all of that is ASCII. */
static inline uint64_t needs_quotes(uint64_t word, uint64_t delimiters)
{
    uint64_t hits = (word ^ delimiters) - ONES;
    hits |= (word ^ (ONES * '"')) - ONES;
    hits |= (word ^ (ONES * '\n')) - ONES;
    hits |= (word ^ (ONES * '\r')) - ONES;
    return hits & ~word & HIGHS;
}

static char *double_quotes(char *to, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[0] = p[i];
        to[1] = '"'; /* which the next byte takes the place of, most often */
        to += p[i] == '"' ? 2 : 1;
    }
    return to;
}

static void put_doubled(struct buf *out, const char *p, size_t n)
{
    uint64_t word;
    char *room = buf_reserve(out, 2 * n);
    if (!room)
        return;
    char *to = room;
    for (; n >= sizeof word; p += sizeof word, n -= sizeof word) {
        memcpy(&word, p, sizeof word);
        if (copy_word_has(word, ONES * '"')) {
            to = double_quotes(to, p, sizeof word);
        } else {
            memcpy(to, &word, sizeof word);
            to += sizeof word;
        }
    }
    to = double_quotes(to, p, n);
    out->len += (size_t)(to - room);
}

/* Quotes within are doubled; the guard belongs to the field, so it stands within, too. */
static void put_quoted(struct buf *out, struct str text, bool guarded)
{
    buf_add(out, "\"'", guarded ? 2 : 1);
    while (text.len > 0) {
        size_t n = text.len < DOUBLED_BYTES ? text.len : DOUBLED_BYTES;
        put_doubled(out, text.ptr, n);
        text.ptr += n;
        text.len -= n;
    }
    buf_addc(out, '"');
}

static inline void put_field(struct buf *out, const struct csv_dialect *d, struct str text,
                             bool quoted, bool guarded)
{
    const uint64_t delimiters = ONES * (unsigned char)d->delimiter;
    char *room = text.len > 0 && !quoted ? buf_reserve(out, text.len + 1) : NULL;
    if (!room || !copy_tested(room + guarded, text.ptr, text.len, needs_quotes, delimiters)) {
        put_quoted(out, text, guarded);
        return;
    }
    if (guarded)
        room[0] = '\'';
    out->len += text.len + guarded;
}

/* ---- formulas ------------------------------------------------------------------------------- */

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct str without_blanks(struct str s)
{
    while (s.len > 0 &&
           (s.ptr[0] == ' ' || s.ptr[0] == '\t' || s.ptr[0] == '\r' || s.ptr[0] == '\n')) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && s.ptr[s.len - 1] == ' ')
        s.len--;
    return s;
}

static size_t digits_at(struct str s, size_t at)
{
    size_t n = 0;
    while (at + n < s.len && is_digit(s.ptr[at + n]))
        n++;
    return n;
}

/* A sign, digits, a fraction, an exponent: "-12", "+.5", "-1.5e+3". */
static bool is_number(struct str s)
{
    size_t at = s.len > 0 && (s.ptr[0] == '+' || s.ptr[0] == '-') ? 1 : 0;
    size_t digits = digits_at(s, at);
    at += digits;
    if (at < s.len && s.ptr[at] == '.') {
        size_t fraction = digits_at(s, at + 1);
        digits += fraction;
        at += 1 + fraction;
    }
    if (digits == 0)
        return false;
    if (at < s.len && (s.ptr[at] == 'e' || s.ptr[at] == 'E')) {
        at++;
        if (at < s.len && (s.ptr[at] == '+' || s.ptr[at] == '-'))
            at++;
        size_t exponent = digits_at(s, at);
        if (exponent == 0)
            return false;
        at += exponent;
    }
    return at == s.len;
}

/* A plus, digits, and between them what people write: blanks, dots, dashes, parentheses. */
static bool is_phone_number(struct str s)
{
    if (s.len < 2 || s.len > PHONE_BYTES_MAX || s.ptr[0] != '+')
        return false;
    size_t digits = 0;
    for (size_t i = 1; i < s.len; i++) {
        if (is_digit(s.ptr[i]))
            digits++;
        else if (!is_one_of(s.ptr[i], " .-()"))
            return false;
    }
    return digits >= PHONE_DIGITS_MIN;
}

/* = + - @, also full-width (U+FF1D, U+FF0B, U+FF0D, U+FF20). */
static bool begins_formula(struct str s)
{
    if (s.len > 0 && is_one_of(s.ptr[0], "=+-@"))
        return true;
    if (s.len < 3 || memcmp(s.ptr, "\xef\xbc", 2) != 0)
        return false;
    return is_one_of(s.ptr[2], "\x9d\x8b\x8d\xa0");
}

bool csv_is_formula(struct str text)
{
    if (text.len == 0)
        return false;
    unsigned char first = (unsigned char)text.ptr[0];
    if (first > '@' && first != 0xef) /* nearly all texts end here */
        return false;
    struct str s = without_blanks(text);
    if (is_number(s) || is_phone_number(s))
        return false;
    return begins_formula(s) || first == '\t' || first == '\r' || first == '\n';
}

/* Blanks and quotes between a separator and what follows do not keep that from being a formula. */
bool csv_may_split_into_formula(struct str text)
{
    bool is_behind = false; /* a separator */
    bool found = false;
    for (size_t i = 0; i < text.len && !found; i++) {
        switch (text.ptr[i]) {
        case ',':
        case ';':
        case '|':
        case '\t':
        case ' ':
        case '\r':
        case '\n':
            is_behind = true;
            break;
        case '"':
        case '\'':
            break;
        default:
            found = is_behind && begins_formula((struct str){text.ptr + i, text.len - i});
            is_behind = false;
            break;
        }
    }
    struct str s = found ? without_blanks(text) : STR_NONE;
    return found && !is_number(s) && !is_phone_number(s);
}

/* ---- cells ---------------------------------------------------------------------------------- */

void csv_put_text(struct buf *out, const struct csv_dialect *d, struct str text)
{
    bool guarded = d->excel_safe && csv_is_formula(text);
    bool quoted = d->excel_safe && csv_may_split_into_formula(text);
    put_field(out, d, text, quoted, guarded);
}

static inline void put_number(struct buf *out, struct str digits)
{
    char *room = buf_reserve(out, digits.len);
    if (!room || digits.len == 0)
        return;
    copy_bytes(room, digits.ptr, digits.len);
    out->len += digits.len;
}

void csv_put_cell(struct buf *out, const struct csv_dialect *d, const struct cell *cell,
                  struct buf *scratch)
{
    switch ((enum cell_kind)cell->kind) {
    case CELL_ABSENT:
    case CELL_NULL:
        break;
    case CELL_FALSE:
        buf_add(out, "false", 5);
        break;
    case CELL_TRUE:
        buf_add(out, "true", 4);
        break;
    case CELL_NUMBER:
        put_number(out, (struct str){cell->u.text, cell->len});
        break;
    case CELL_TEXT:
        csv_put_text(out, d, (struct str){cell->u.text, cell->len});
        break;
    case CELL_JSON:
        buf_clear(scratch);
        json_write(scratch, cell->u.json);
        if (buf_rc(scratch) != RC_OK && buf_rc(out) == RC_OK)
            out->rc = buf_rc(scratch);
        put_field(out, d, buf_str(scratch), false, false);
        break;
    }
}

void csv_put_cells(struct buf *out, const struct csv_dialect *d, const struct cell *cells, size_t n,
                   struct buf *scratch)
{
    for (size_t i = 0; i < n; i++) {
        buf_addc(out, d->delimiter);
        if (cells[i].kind > CELL_NULL)
            csv_put_cell(out, d, &cells[i], scratch);
    }
}

void csv_put_eol(struct buf *out, const struct csv_dialect *d)
{
    if (d->crlf)
        buf_addc(out, '\r');
    buf_addc(out, '\n');
}
