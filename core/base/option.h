/* Options: one kind of table for commands and sinks.
 *
 * A row says everything about its option, and nothing else lists it: the parser, the help texts, what
 * of a command line may be shown, which files a run uses, and what a run must have in common with the
 * one that it resumes are all made from the table. To add an option: a row and the member of the
 * struct that it fills (of `export`: one entry that is both); docs/design.md, "Options", says what else.
 *
 * Texts of values are not copied: they must live as long as the struct. One thread at a time. */
#ifndef LEADPIPE_OPTION_H
#define LEADPIPE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/str.h"
#include "core/base/units.h"

struct text_list {
    const char **items;
    size_t n;
};

/* ---- the table ------------------------------------------------------------------------------- */

enum option_type {
    OPTION_FLAG,     /* takes no value */
    OPTION_COUNT,    /* takes no value: how often it was given */
    OPTION_CHOICE,   /* one of `choices` ("a|b|c"): its index */
    OPTION_NUMBER,   /* min..max; or the word in `choices`: OPTION_AUTO */
    OPTION_DURATION, /* milliseconds, min..max */
    OPTION_SIZE,     /* bytes, min..max */
    OPTION_RATE,     /* per second; 0: not given */
    OPTION_PORTION,  /* a count or a share */
    OPTION_TEXT,     /* NULL: not given */
    OPTION_LIST,     /* every mention adds one */
};

/* The type of the member that a value goes to. */
#define OPTION_C_FLAG bool
#define OPTION_C_COUNT int64_t
#define OPTION_C_CHOICE int
#define OPTION_C_NUMBER int64_t
#define OPTION_C_DURATION int64_t
#define OPTION_C_SIZE int64_t
#define OPTION_C_RATE double
#define OPTION_C_PORTION struct portion
#define OPTION_C_TEXT const char *
#define OPTION_C_LIST struct text_list

/* Of a row: type and offset. A member of another type does not compile. */
#define OPTION_AT(struct_type, t, member)                                                          \
    .type = OPTION_##t,                                                                            \
    .offset = offsetof(struct_type, member) + _Generic(((struct_type *)0)->member, OPTION_C_##t    \
                                                       : (size_t)0)

/* A choice, number, duration or size that was not given and has no default; or the word of a number's
 * `choices`. */
#define OPTION_AUTO (-1)

/* What a run does with the file that a text or every text of a list names. */
enum file_use {
    FILE_UNUSED, /* the option names no file */
    FILE_READ,
    FILE_WRITTEN,
    FILE_DATABASE, /* read and written in place, with SQLite's own files beside it */
};

/* What values name, for the completions of shells, beyond what `choices`, `file` and `arg` say. */
enum option_names {
    NAMES_FILES = 1,
    NAMES_PROVIDERS = 2, /* built in */
    NAMES_SERVERS = 4,   /* of the run's provider, as the next two */
    NAMES_PARAMETERS = 8,
    NAMES_TABLES = 16,
    NAMES_DESTINATIONS = 32, /* built in */
};

enum option_flag {
    OPTION_REQUIRED = 1,
    /* A run may be resumed with another value: it changes neither what is written nor where. */
    OPTION_MAY_CHANGE = 2,
    /* What must stay the same is not the value but what it stands for: the command finds that out. */
    OPTION_RESOLVED = 4,
    /* What is not shown, and not kept: the value; of a URL its user and password; of "Name: value"
     * the value; of a sink what its own options say, and of its target what may be secret in a URL. */
    OPTION_SECRET = 8,
    OPTION_SECRET_URL = 16,
    OPTION_SECRET_HEADER = 32,
    OPTION_SINK = 64,
    /* Says how or where the same rows are kept: shards whose outputs are merged may have other values, and
     * leadpipe merge another one again. */
    OPTION_PACKING = 128,
    /* Says how the end of a run is reported: also used where the rest of the command line is refused. */
    OPTION_REPORTING = 256,
};

#define OPTION_ANY_SECRET (OPTION_SECRET | OPTION_SECRET_URL | OPTION_SECRET_HEADER)

struct option_spec {
    const char *name; /* NULL ends the table */
    char letter;      /* of a command's option: its short form; 0: none */
    enum option_type type;
    size_t offset;    /* of the value, in the struct that the table fills */
    int64_t min, max; /* of numbers, durations (ms) and sizes */
    const char *choices;
    const char *arg; /* what stands for the value in texts; NULL: as is usual for the type */
    const char *default_text; /* parsed like a value given by the user; NULL: none */
    const char *default_note; /* where the default is no value: said in help texts */
    unsigned flags;           /* of enum option_flag */
    enum file_use file;
    unsigned names; /* of enum option_names */
    /* For an option that changes what sinks are given of a lead: its name in the text by which a state recognizes
     * the sink that accepted a lead; NULL: it is not part of that text. */
    const char *identity;
    const char *needs;    /* name of the option without which this one is refused */
    const char *excludes; /* name of the option with which this one is refused */
    unsigned section;     /* of help texts; the command numbers them */
    const char *help;
};

size_t option_table_size(const struct option_spec *table); /* NULL: 0 */
const struct option_spec *option_named(const struct option_spec *table, struct str name);

bool option_takes_value(const struct option_spec *o);
bool option_is_repeatable(const struct option_spec *o);

/* ---- reading --------------------------------------------------------------------------------- */

struct option_given {
    const struct option_spec *spec;
    const char *text; /* NULL: none */
};

/* Reads the options of one struct, in the order in which they are given. */
struct option_reader {
    const struct option_spec *table;
    void *values;         /* the struct, zeroed */
    const char *dashes;   /* before names in messages: "--" or "" */
    struct arena *memory; /* of lists and of `given`; must live as long as `values` */
    struct option_given *given;
    size_t n_given;
};

/* Sets the defaults. RC_INTERNAL: one is wrong; RC_NOMEM. */
enum rc option_begin(struct option_reader *r, struct err *e);

/* Takes one option; `text` is NULL where no value was given. RC_USAGE with the option's name and what
 * is allowed, never with a secret; RC_NOMEM. */
enum rc option_take(struct option_reader *r, const struct option_spec *o, const char *text,
                    struct err *e);

/* RC_USAGE: there is no option of that name; with the nearest one, or else with `hint`. */
enum rc option_unknown(const struct option_reader *r, struct str name, const char *hint,
                       struct err *e);

bool option_is_given(const struct option_reader *r, const struct option_spec *o);

/* After the last: what needs or excludes what. RC_USAGE. */
enum rc option_check(const struct option_reader *r, struct err *e);

/* Adds to a list; its memory is the arena's. RC_NOMEM. */
enum rc text_list_add(struct text_list *list, const char *text, struct arena *memory,
                      struct err *e);

/* ---- texts ----------------------------------------------------------------------------------- */

/* Appends what stands for the value: "N", "FILE", "a|b|c"; nothing for what takes none. */
void option_put_arg(struct buf *b, const struct option_spec *o);

/* Appends the help text with its default: "tries for each lead (default: 6)". */
void option_put_help(struct buf *b, const struct option_spec *o);

/* How many values an option has: 0 where it was not given and has no default. */
size_t option_count_values(const struct option_spec *o, const void *values);

/* Appends number `i` of its values, always in the same form: a duration as "30000ms", a size in
 * bytes; nothing for a flag. Secrets, too. */
void option_put_value(struct buf *b, const struct option_spec *o, const void *values, size_t i);

/* Appends what distinguishes one run from another: the value; of a secret a hash; of a file the path from the
 * root, `folder` being where a relative one begins, and of one that is read a hash of its content. */
void option_put_identity(struct buf *b, const struct option_spec *o, const void *values, size_t i,
                         const char *folder);

/* Do two structs have the same value? */
bool option_is_equal(const struct option_spec *o, const void *values_a, const void *values_b);

/* The files that an option names: sets *paths and returns how many. */
size_t option_paths(const struct option_spec *o, const void *values, const char *const **paths);

#endif
