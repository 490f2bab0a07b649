#include "cmd/shell_quote.h"

#include <string.h>

#define SAFE "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-"

/* A piece of a word without references. */
static void quote_piece(struct buf *out, const char *piece, size_t n)
{
    if (n > 0 && strspn(piece, SAFE) >= n) {
        buf_add(out, piece, n);
        return;
    }
    buf_addc(out, '\'');
    for (size_t i = 0; i < n; i++) {
        if (piece[i] == '\'')
            buf_adds(out, "'\\''");
        else
            buf_addc(out, piece[i]);
    }
    buf_addc(out, '\'');
}

void shell_quote(struct buf *out, const char *word)
{
    if (!*word)
        buf_adds(out, "''");
    while (*word) {
        size_t n = strcspn(word, "\1");
        size_t name = word[n] ? strcspn(word + n + 1, "\2") : 0;
        if (n > 0)
            quote_piece(out, word, n);
        if (!word[n])
            return;
        buf_addf(out, "\"${%.*s}\"", (int)name, word + n + 1);
        word += n + 1 + name;
        word += *word == '\2';
    }
}
