#include <stdlib.h>
#include <string.h>

#include "monitor/hook.h"

#define BLANKS " \t\n"

/* Within "...", a backslash quotes only these; before a line feed, both are removed. */
#define QUOTED_IN_DOUBLE "$`\"\\"

struct splitter {
    const char *at;
    char *to; /* where the next character goes; words are never longer than their source */
    bool in_word;
};

static void put(struct splitter *s, char c)
{
    *s->to++ = c;
    s->in_word = true;
}

static bool take_backslash(struct splitter *s)
{
    if (!s->at[1])
        return false;
    if (s->at[1] != '\n') /* a line continuation adds nothing */
        put(s, s->at[1]);
    s->at += 2;
    return true;
}

static bool take_single(struct splitter *s)
{
    s->in_word = true;
    for (s->at++; *s->at && *s->at != '\''; s->at++)
        put(s, *s->at);
    return *s->at++ == '\'';
}

static bool take_double(struct splitter *s)
{
    s->in_word = true;
    for (s->at++; *s->at && *s->at != '"'; s->at++) {
        bool quotes = *s->at == '\\' && s->at[1] && strchr(QUOTED_IN_DOUBLE "\n", s->at[1]);
        s->at += quotes;
        if (!quotes || *s->at != '\n')
            put(s, *s->at);
    }
    return *s->at++ == '"';
}

/* Takes one word, and ends it with a NUL. False: a quote is not closed. */
static bool take_word(struct splitter *s)
{
    bool ended = true;
    s->in_word = false;
    while (ended && *s->at && !strchr(BLANKS, *s->at)) {
        if (*s->at == '\\')
            ended = take_backslash(s);
        else if (*s->at == '\'')
            ended = take_single(s);
        else if (*s->at == '"')
            ended = take_double(s);
        else
            put(s, *s->at++);
    }
    if (s->in_word)
        *s->to++ = '\0';
    return ended;
}

enum rc hook_split(struct hook_words *out, const char *command, struct err *e)
{
    size_t n = strlen(command);
    /* Each word takes at least one byte, and so does each gap between two. */
    struct hook_words w = {.items = calloc(n / 2 + 2, sizeof *w.items), .text = malloc(n + 2)};
    struct splitter s = {.at = command, .to = w.text};
    bool ended = w.items && w.text;
    if (!ended) {
        hook_words_free(&w);
        return err_nomem(e);
    }
    while (ended && *(s.at += strspn(s.at, BLANKS))) {
        char *word = s.to;
        ended = take_word(&s);
        if (s.in_word)
            w.items[w.n++] = word;
    }
    if (ended && w.n && *w.items[0]) {
        *out = w;
        return RC_OK;
    }
    hook_words_free(&w);
    if (!ended)
        return err_set(e, RC_SYNTAX,
                       "a quote (' or \") is not closed, or a backslash at the end quotes nothing");
    return err_set(e, RC_SYNTAX, "CMD must name a program");
}

enum rc hook_check(const char *command, struct err *e)
{
    struct hook_words w = {0};
    enum rc rc = hook_split(&w, command, e);
    hook_words_free(&w);
    return rc;
}

void hook_words_free(struct hook_words *w)
{
    free(w->items);
    free(w->text);
    *w = (struct hook_words){0};
}
