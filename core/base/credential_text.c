#include "core/base/credential_text.h"

/* In UTF-8, beside those of ASCII: nobody sees them, and no credential begins or ends with them. */
static const char *const invisible[] = {
    "\xEF\xBB\xBF", /* U+FEFF, byte order mark */
    "\xC2\xA0",     /* U+00A0, no-break space */
    "\xC2\x85",     /* U+0085, next line */
    "\xE2\x80\x8B", /* U+200B, zero-width space */
    "\xE2\x80\x8C", /* U+200C, zero-width non-joiner */
    "\xE2\x80\x8D", /* U+200D, zero-width joiner */
    "\xE2\x80\x8E", /* U+200E, left-to-right mark */
    "\xE2\x80\x8F", /* U+200F, right-to-left mark */
    "\xE2\x80\xA8", /* U+2028, line separator */
    "\xE2\x80\xA9", /* U+2029, paragraph separator */
    "\xE2\x80\xAF", /* U+202F, narrow no-break space */
    "\xE2\x81\xA0", /* U+2060, word joiner */
    "\xE3\x80\x80", /* U+3000, ideographic space */
};

static bool is_ascii_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The length of the invisible character that the text begins or ends with, or 0. */
static size_t invisible_at(struct str text, bool at_end)
{
    if (text.len && is_ascii_blank(text.ptr[at_end ? text.len - 1 : 0]))
        return 1;
    for (size_t i = 0; i < sizeof invisible / sizeof *invisible; i++) {
        struct str c = str_c(invisible[i]);
        if (text.len >= c.len &&
            memcmp(text.ptr + (at_end ? text.len - c.len : 0), c.ptr, c.len) == 0)
            return c.len;
    }
    return 0;
}

struct str credential_trim(struct str text)
{
    for (size_t n; (n = invisible_at(text, false));)
        text = (struct str){text.ptr + n, text.len - n};
    for (size_t n; (n = invisible_at(text, true));)
        text.len -= n;
    return text;
}

static bool is_utf16(struct str text)
{
    bool marked = text.len >= 2 &&
                  (memcmp(text.ptr, "\xFF\xFE", 2) == 0 || memcmp(text.ptr, "\xFE\xFF", 2) == 0);
    return marked || (text.len >= 2 && !text.ptr[0] != !text.ptr[1]);
}

const char *credential_fault(struct str text, enum credential_form form)
{
    if (!text.len)
        return "is empty";
    if (is_utf16(text))
        return "appears to be UTF-16; save it as UTF-8 or plain text";
    bool has_lines = memchr(text.ptr, '\n', text.len) || memchr(text.ptr, '\r', text.len);
    if (has_lines && form != CREDENTIAL_WORDS)
        return "has several lines";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x80)
            return "contains a non-ASCII character";
        bool is_blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
        if ((c < 0x20 && !is_blank) || c == 0x7F)
            return "contains a control character";
        if (is_blank && form == CREDENTIAL_ONE_WORD)
            return "contains a space";
    }
    return NULL;
}

static bool has_key_beginning(const char *text)
{
    static const char *const beginnings[] = {
        "sk-",    "sk_", "pk_", "rk_",  "whsec_",  "ghp_",   "gho_", "github_pat_",
        "glpat-", "xox", "eyJ", "AKIA", "Bearer ", "Basic ", NULL,
    };
    for (size_t i = 0; beginnings[i]; i++) {
        if (strncmp(text, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    }
    return false;
}

#define LIKELY_BYTES_MIN 20

bool credential_is_likely(const char *text)
{
    const char *last = strrchr(text, '/');
    if (has_key_beginning(text) || has_key_beginning(last ? last + 1 : text))
        return true;
    for (const char *at = text; *at; at += *at == '/') {
        size_t digits = 0, letters = 0, n = strcspn(at, "/");
        for (size_t i = 0; i < n; i++) {
            digits += at[i] >= '0' && at[i] <= '9';
            letters += (at[i] >= 'A' && at[i] <= 'Z') || (at[i] >= 'a' && at[i] <= 'z');
        }
        if (n >= LIKELY_BYTES_MIN && digits >= 3 && letters >= 3 && !memchr(at, '.', n))
            return true;
        at += n;
    }
    return false;
}

const char *credential_file_shown(const char *name)
{
    return credential_is_likely(name) ? "the file (name not shown because it looks like a key)"
                                      : name;
}

const char *credential_variable_shown(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    size_t n = strspn(name, allowed);
    return name[n] || n == 0 || credential_is_likely(name) ? "(not the name of one)" : name;
}
