/* All sinks, and the grammar of `-t KIND[,OPTION[=VALUE]]...:TARGET`. */
#ifndef LEADPIPE_REGISTRY_H
#define LEADPIPE_REGISTRY_H

#include "core/sink.h"

/* The one list of sinks, in the order of the documentation: "csv" is `sink_csv`. Those of OPTIONAL() can
 * be left out of a build by the CMake option that it names. */
#define SINK_LIST(X, OPTIONAL)                                                                     \
    X(csv)                                                                                         \
    X(ndjson)                                                                                      \
    X(msgpack)                                                                                     \
    OPTIONAL(parquet, LEADPIPE_PARQUET)                                                            \
    OPTIONAL(postgres, LEADPIPE_POSTGRES)                                                          \
    X(sqlite)                                                                                      \
    OPTIONAL(kafka, LEADPIPE_KAFKA)                                                                \
    X(webhook)                                                                                     \
    X(push)

#define X(name) extern const struct sink_ops sink_##name;
#define OPTIONAL(name, option) X(name)
SINK_LIST(X, OPTIONAL)
#undef OPTIONAL
#undef X

/* All of them; ends with NULL. */
extern const struct sink_ops *const sink_registry[];

const struct sink_ops *sink_by_name(struct str name);

/* The CMake option of a sink that this build has not, "LEADPIPE_PARQUET"; NULL: it has it, or there is no
 * such sink. */
const char *sink_left_out(struct str name);

/* A parsed specification. Everything is owned by it. */
struct sink_spec {
    const struct sink_ops *ops;
    char *text;  /* as given */
    char *label; /* "KIND:TARGET" for messages: no options, no user, password or query of a URL */
    char *target;
    void *opts;     /* ops->opts_size bytes; texts in it belong to the specification too */
    void *defaults; /* the same where no option is given */
    void *memory;   /* private */
};

/* Options may be written "name=value" or "name" (a flag); in a value "\," is a comma, "\:" a colon and
 * "\\" a backslash; any other colon followed by a blank belongs to the value, and so do those of a URL ("://", the one
 * before a port); the first other colon ends the options. Only an OPTION_LIST may be given more than once. RC_USAGE names the sink, the option, and
 * what is allowed. */
enum rc sink_spec_parse(struct sink_spec *out, const char *text, struct err *e);

/* How long the piece is that `rest` of a specification begins with: up to the comma or colon that
 * ends it. */
size_t sink_spec_piece(struct str rest);

/* Appends a value so that it ends where it should: with backslashes before what needs one. */
void sink_spec_put_value(struct buf *out, const char *value);

/* Appends the value that such a text stands for: without the backslashes. */
void sink_spec_get_value(struct buf *out, struct str text);

void sink_spec_free(struct sink_spec *s);

/* Appends what the sink writes and where, as "KIND[,OPTION=VALUE]...:TARGET" without defaults, what
 * may change, and secrets; paths in options as from `folder`. Two specifications that write the same
 * have the same. */
void sink_spec_identity(const struct sink_spec *s, const char *folder, struct buf *out);

/* Appends what the rows of the sink look like: its kind, the options with which they would be others, and a
 * slash where each table has a file of its own. No paths, no secrets. */
void sink_spec_form(const struct sink_spec *s, struct buf *out);

#endif
