/* What the program makes of values in columns of types, for the comparison with typed.py: reads lines
 * "TARGET TYPE JSON", and writes for each what typed_text.h says, as a JSON string. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/typed_text.h"

static const struct typed_target *target_named(struct str name)
{
    for (size_t i = 0; i < TYPED_TARGETS; i++) {
        if (str_eq_c(name, typed_targets[i].name))
            return &typed_targets[i].target;
    }
    return NULL;
}

/* Takes the word before the next blank. */
static struct str take_word(struct str *line)
{
    const char *blank = line->len ? memchr(line->ptr, ' ', line->len) : NULL;
    struct str word = {line->ptr, blank ? (size_t)(blank - line->ptr) : line->len};
    size_t taken = word.len + (blank != NULL);
    *line = (struct str){line->ptr + taken, line->len - taken};
    return word;
}

static bool print_value(struct str line)
{
    struct str target_name = take_word(&line), type_name = take_word(&line);
    const struct typed_target *target = target_named(target_name);
    enum column_type type;
    struct err e;
    struct buf text, quoted;
    if (!target || !column_type_of(type_name, &type))
        return false;
    buf_init(&text, (size_t)64 << 20);
    buf_init(&quoted, (size_t)256 << 20);
    bool done = typed_line(&text, target, type, line, &e) == RC_OK;
    if (done)
        json_write_string(&quoted, buf_str(&text));
    done = done && puts(buf_cstr(&quoted)) >= 0;
    buf_free(&text);
    buf_free(&quoted);
    return done;
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    bool done = true;
    while (done && (len = getline(&line, &room, stdin)) > 0) {
        len -= line[len - 1] == '\n';
        done = print_value((struct str){line, (size_t)len});
        if (!done)
            (void)fprintf(stderr, "no line: %.*s\n", (int)len, line);
    }
    free(line);
    return done && fflush(stdout) == 0 ? 0 : 1;
}
