/* leadpipe __complete: completions for the word at the cursor.
 *
 * Options, their values, sinks and arguments are all from the tables that the parsers read. Nothing is filtered by
 * what was typed already: shells do that, each in its own way. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "cmd/commands.h"
#include "cmd/completion.h"
#include "cmd/options.h"
#include "core/provider/profile.h"
#include "sinks/push/destination.h"
#include "sinks/registry.h"

#define LINES_BYTES_MAX ((size_t)1 << 20)
#define OPTIONS_MAX 256 /* given options that are remembered; further ones may be offered again */
#define NAME_BYTES_MAX 256

/* The command line up to the word at the cursor. */
struct line {
    const struct command *command;
    const struct option_spec *tables[3]; /* of its options; ends with NULL */
    const char *provider;                /* the last one given; NULL: none */
    const struct option_spec *given[OPTIONS_MAX];
    size_t n_given;
    const struct option_spec *in; /* the option whose value comes next; NULL: none */
    bool only_arguments;          /* after "--" */
    size_t n_arguments;
};

struct answer {
    const char *word, *piece; /* piece: the part of the word that candidates replace */
    struct buf lines;
    bool files, folders, nospace;
};

/* ---- candidates ------------------------------------------------------------------------------- */

/* A name from a file may be any text: one with characters that are special to a shell is not offered. */
static bool is_plain(struct str text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "_-.,:=/@%+";
    for (size_t i = 0; i < text.len; i++) {
        if (!text.ptr[i] || !strchr(allowed, text.ptr[i]))
            return false;
    }
    return text.len > 0;
}

/* `end`: what follows the name, "" or "=". Of `help`, only the first clause is shown. */
static void put(struct answer *a, struct str name, const char *end, const char *help)
{
    if (!is_plain(name))
        return;
    buf_add_str(&a->lines, name);
    buf_adds(&a->lines, end);
    if (help && *help) {
        buf_addc(&a->lines, '\t');
        buf_add(&a->lines, help, strcspn(help, ";\n"));
    }
    buf_addc(&a->lines, '\n');
}

/* A candidate that may continue; if it is typed completely, both ways to continue are offered. */
static void put_in_spec(struct answer *a, struct str name, const char *help)
{
    if (!str_eq_c(name, a->piece)) {
        put(a, name, "", help);
        return;
    }
    put(a, name, ":", "and then the target");
    put(a, name, ",", "and then an option");
}

static void put_choices(struct answer *a, const char *choices, bool in_spec)
{
    for (const char *word = choices; *word;) {
        struct str name = {word, strcspn(word, "|")};
        if (in_spec)
            put_in_spec(a, name, NULL);
        else
            put(a, name, "", NULL);
        word += name.len + (word[name.len] == '|');
    }
}

/* ---- names ------------------------------------------------------------------------------------ */

static bool is_regular_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool is_builtin_provider(const char *name)
{
    const struct builtin *b;
    for (size_t i = 0; (b = profile_builtin(i)); i++) {
        if (strcmp(b->name, name) == 0)
            return true;
    }
    return false;
}

/* The parameters of the provider on the command line; none if its profile cannot be read. Pipes are not read, because that
 * would block the shell. */
static void put_names_of_provider(struct answer *a, const char *provider, unsigned names)
{
    struct profile *p = NULL;
    struct err e;
    if (!provider || !(is_builtin_provider(provider) || is_regular_file(provider)) ||
        profile_load(&p, provider, &e) != RC_OK)
        return;
    for (size_t i = 0; names & NAMES_SERVERS && i < p->n_servers; i++)
        put(a, p->servers[i].name, "", NULL);
    for (size_t i = 0; names & NAMES_PARAMETERS && i < p->n_params; i++)
        put(a, p->params[i], "=", NULL);
    for (size_t i = 0; names & NAMES_TABLES && i < p->n_tables; i++)
        put_in_spec(a, p->tables[i].name, NULL);
    profile_free(p);
}

static void put_names(struct answer *a, const struct line *l, unsigned names)
{
    const struct builtin *profile;
    const struct builtin *destination;
    for (size_t i = 0; names & NAMES_PROVIDERS && (profile = profile_builtin(i)); i++)
        put(a, str_c(profile->name), "", "built-in provider");
    for (size_t i = 0; names & NAMES_DESTINATIONS && (destination = destination_builtin(i)); i++)
        put(a, str_c(destination->name), "", "built-in destination");
    if (names & (NAMES_SERVERS | NAMES_PARAMETERS | NAMES_TABLES))
        put_names_of_provider(a, l->provider, names);
    if (names & NAMES_PARAMETERS)
        a->nospace = true;
    if (names & NAMES_FILES)
        a->files = true;
}

/* ---- values ----------------------------------------------------------------------------------- */

/* Of an option of a command or, `in_spec`, of a sink. */
static void complete_plain_value(struct answer *a, const struct line *l,
                                 const struct option_spec *o, bool in_spec)
{
    if (o->choices)
        put_choices(a, o->choices, in_spec);
    put_names(a, l, o->names);
    if (o->file != FILE_UNUSED || (o->arg && strstr(o->arg, "FILE")))
        a->files = true;
    if (o->arg && strcmp(o->arg, "DIR") == 0)
        a->folders = true;
}

/* Is the option among the pieces of a sink's specification from `at` on? */
static bool is_in_spec(const char *at, const char *end, const struct option_spec *o)
{
    while (at < end && *at == ',') {
        size_t n = sink_spec_piece(str_c(++at));
        if (str_eq_c((struct str){at, strcspn(at, "=,:")}, o->name))
            return true;
        at += n;
    }
    return false;
}

/* The last piece, where the cursor is: the name of an option, or its value. */
static void complete_piece(struct answer *a, const struct line *l, const struct sink_ops *ops,
                           const char *options, const char *piece)
{
    const char *equals = strchr(piece, '=');
    a->nospace = true;
    if (equals) {
        const struct option_spec *o =
            option_named(ops->opts, (struct str){piece, (size_t)(equals - piece)});
        a->piece = equals + 1;
        if (o)
            complete_plain_value(a, l, o, true);
        return;
    }
    a->piece = piece;
    for (const struct option_spec *o = ops->opts; o && o->name; o++) {
        if (!option_is_repeatable(o) && is_in_spec(options, piece - 1, o))
            continue;
        if (option_takes_value(o))
            put(a, str_c(o->name), "=", o->help);
        else
            put_in_spec(a, str_c(o->name), o->help);
    }
}

/* KIND[,OPTION[=VALUE]]...:TARGET */
static void complete_sink(struct answer *a, const struct line *l, const char *spec)
{
    size_t n = strcspn(spec, ",:");
    a->piece = spec;
    if (!spec[n]) {
        for (size_t i = 0; sink_registry[i]; i++)
            put_in_spec(a, str_c(sink_registry[i]->name), sink_registry[i]->help);
        a->nospace = true;
        return;
    }
    const struct sink_ops *ops = sink_by_name((struct str){spec, n});
    if (!ops)
        return;
    const char *options = spec + n, *at = options;
    while (*at == ',') {
        const char *piece = ++at;
        at += sink_spec_piece(str_c(at));
        if (!*at) {
            complete_piece(a, l, ops, options, piece);
            return;
        }
    }
    a->piece = at + 1;
    put_names(a, l, ops->target);
}

static void complete_value(struct answer *a, const struct line *l, const struct option_spec *o,
                           const char *value)
{
    a->piece = value;
    if (o->flags & OPTION_SINK)
        complete_sink(a, l, value);
    else
        complete_plain_value(a, l, o, false);
}

/* ---- options ---------------------------------------------------------------------------------- */

/* The options of the command, and those of export if its usage line says OPTIONS. */
static void set_tables(struct line *l, const struct command *c)
{
    size_t n = 0;
    l->command = c;
    if (c->options)
        l->tables[n++] = c->options;
    if (strstr(c->args, "[OPTIONS]"))
        l->tables[n++] = export_option_specs;
}

static const struct option_spec *option_of_name(const struct line *l, struct str name)
{
    const struct option_spec *o = NULL;
    for (size_t i = 0; !o && l->tables[i]; i++)
        o = option_named(l->tables[i], name);
    return o;
}

static const struct option_spec *option_of_letter(const struct line *l, char letter)
{
    for (size_t i = 0; l->tables[i]; i++) {
        for (const struct option_spec *o = l->tables[i]; o->name; o++) {
            if (o->letter == letter)
                return o;
        }
    }
    return NULL;
}

/* The option in a word "--NAME=VALUE" or "-xVALUE", and its value; NULL: the word has none. */
static const struct option_spec *option_in_word(const struct line *l, const char *word,
                                                const char **value)
{
    *value = NULL;
    if (word[1] == '-') {
        size_t n = strcspn(word + 2, "=");
        if (word[2 + n] == '=')
            *value = word + 2 + n + 1;
        return option_of_name(l, (struct str){word + 2, n});
    }
    const struct option_spec *o = NULL;
    for (const char *letter = word + 1; *letter; letter++) {
        o = option_of_letter(l, *letter);
        if (!o)
            return NULL;
        if (!option_takes_value(o))
            continue;
        if (letter[1])
            *value = letter + 1;
        return o;
    }
    return o;
}

static void note(struct line *l, const struct option_spec *o, const char *value)
{
    if (l->n_given < OPTIONS_MAX)
        l->given[l->n_given++] = o;
    if (o->names & NAMES_PROVIDERS && value)
        l->provider = value;
}

static void take_word(struct line *l, const char *word)
{
    if (l->in) {
        note(l, l->in, word);
        l->in = NULL;
        return;
    }
    if (l->only_arguments || word[0] != '-' || !word[1]) {
        l->n_arguments++;
        return;
    }
    if (strcmp(word, "--") == 0) {
        l->only_arguments = true;
        return;
    }
    const char *value;
    const struct option_spec *o = option_in_word(l, word, &value);
    if (!o)
        return;
    note(l, o, value);
    if (option_takes_value(o) && !value)
        l->in = o;
}

/* May it be used together with the given options? */
static bool is_possible(const struct line *l, const struct option_spec *o)
{
    for (size_t i = 0; i < l->n_given; i++) {
        const struct option_spec *other = l->given[i];
        if ((other == o && !option_is_repeatable(o)) ||
            (o->excludes && strcmp(o->excludes, other->name) == 0) ||
            (other->excludes && strcmp(other->excludes, o->name) == 0))
            return false;
    }
    return true;
}

static void complete_table(struct answer *a, const struct line *l, const struct option_spec *table,
                           bool letters)
{
    char name[NAME_BYTES_MAX];
    for (const struct option_spec *o = table; o && o->name; o++) {
        if (!is_possible(l, o))
            continue;
        if (o->letter && letters) {
            (void)snprintf(name, sizeof name, "-%c", o->letter);
            put(a, str_c(name), "", o->help);
        }
        (void)snprintf(name, sizeof name, "--%s", o->name);
        put(a, str_c(name), "", o->help);
    }
}

static void complete_option(struct answer *a, const struct line *l, bool letters)
{
    for (size_t i = 0; l->tables[i]; i++)
        complete_table(a, l, l->tables[i], letters);
    if (!option_of_name(l, STR("help")))
        put(a, STR("--help"), "", "show this help");
}

/* ---- arguments -------------------------------------------------------------------------------- */

static void put_commands(struct answer *a)
{
    for (const struct command *c = commands; c->name; c++)
        put(a, str_c(c->name), "", c->help);
}

static void put_sinks(struct answer *a)
{
    for (size_t i = 0; sink_registry[i]; i++)
        put(a, str_c(sink_registry[i]->name), "", sink_registry[i]->help);
}

/* The next argument of a usage line, without its brackets, and whether it may be repeated. Values of options are skipped.
 * Advances *usage. False: there are no more. */
static bool next_argument(const char **usage, struct str *out, bool *repeats)
{
    bool is_value = false;
    for (const char *at = *usage; *at;) {
        size_t skipped = strspn(at, " [|");
        struct str word = {at + skipped, strcspn(at + skipped, " ]")};
        const char *end = word.ptr + word.len;
        bool is_option = word.len > 0 && *word.ptr == '-';
        bool closes = *end == ']';
        at = end + strcspn(end, " ");
        if (word.len > 0 && !is_option && !is_value && strncasecmp(word.ptr, "options", 7) != 0) {
            *usage = at;
            *out = word;
            *repeats = at - end >= 3 && memcmp(at - 3, "...", 3) == 0;
            return true;
        }
        is_value = is_option && !closes;
    }
    return false;
}

static void complete_argument(struct answer *a, const struct line *l)
{
    const char *usage = l->command->args;
    struct str argument = STR_NONE;
    size_t n = 0;
    bool repeats = false;
    while (n <= l->n_arguments && next_argument(&usage, &argument, &repeats))
        n++;
    if (argument.len == 0 || (n <= l->n_arguments && !repeats))
        return;
    if (memchr(argument.ptr, '|', argument.len)) {
        char choices[NAME_BYTES_MAX];
        (void)snprintf(choices, sizeof choices, STR_FMT, STR_ARG(argument));
        put_choices(a, choices, false);
    } else if (str_eq_c(argument, "COMMAND")) {
        put_commands(a);
    } else if (str_eq_c(argument, "SINK")) {
        put_sinks(a);
    } else {
        put_names(a, l, NAMES_FILES | (str_eq_c(argument, "PROVIDER") ? NAMES_PROVIDERS : 0));
    }
}

/* ---- the command ------------------------------------------------------------------------------ */

static void complete_word(struct answer *a, const struct line *l)
{
    const char *word = a->word, *value = NULL;
    if (l->in) {
        complete_value(a, l, l->in, word);
        return;
    }
    if (l->only_arguments || word[0] != '-') {
        complete_argument(a, l);
        return;
    }
    const struct option_spec *o = option_in_word(l, word, &value);
    if (o && value && option_takes_value(o))
        complete_value(a, l, o, value);
    else if (!value)
        complete_option(a, l, word[1] != '-');
}

static void complete(struct answer *a, int n_words, char *words[])
{
    if (n_words == 1) {
        put_commands(a);
        put(a, STR("--help"), "", "show help");
        put(a, STR("--version"), "", "show the version");
        return;
    }
    struct line l = {.command = NULL};
    const struct command *c = command_named(words[0]);
    if (!c)
        return;
    set_tables(&l, c);
    for (int i = 1; i < n_words - 1; i++)
        take_word(&l, words[i]);
    complete_word(a, &l);
}

/* The protocol is line-based. */
static bool is_one_line(const char *word)
{
    return !strpbrk(word, "\n\r");
}

int command_complete(struct messages *m, int argc, char *argv[])
{
    (void)m; /* a message would appear within the command line that is being typed */
    const char *word = argc > 1 ? argv[argc - 1] : "";
    struct answer a = {.word = word, .piece = word};
    buf_init(&a.lines, LINES_BYTES_MAX);
    if (argc > 1 && is_one_line(word))
        complete(&a, argc - 1, argv + 1);
    if (buf_rc(&a.lines) == RC_OK && (a.lines.len || a.files || a.folders)) {
        (void)printf("%.*s\n%s%s%s\n", (int)(a.piece - a.word), a.word, a.files ? "files " : "",
                     a.folders ? "folders " : "", a.nospace ? "nospace" : "");
        (void)fputs(buf_cstr(&a.lines), stdout); /* checked when standard output is closed */
    }
    buf_free(&a.lines);
    return EXIT_STATUS_OK;
}
