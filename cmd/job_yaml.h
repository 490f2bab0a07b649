/* The YAML of a job file as a tree of texts, lists and maps (YAML 1.2; JSON, too). */
#ifndef LEADPIPE_CMD_JOB_YAML_H
#define LEADPIPE_CMD_JOB_YAML_H

#include "cmd/job_text.h"

enum job_kind { JOB_TEXT, JOB_LIST, JOB_MAP };

struct job_node {
    enum job_kind kind;
    bool is_plain;         /* a text without quotes */
    struct str text;       /* of a text: as written, a NUL behind it */
    size_t at;             /* where it stands in the file */
    struct job_node *key;  /* in a map: a text */
    struct job_node *next; /* in its list or map */
    struct job_node *first, *last;
    size_t size;  /* how many nodes it has, itself and what aliases stand for included */
    size_t bytes; /* of their texts */
};

/* All nodes are the arena's. RC_USAGE: it is not one document of what a job file may have: as job_fail(), and *out is
 * what was read before that; NULL: nothing. RC_NOMEM. */
enum rc job_yaml_parse(struct job_node **out, struct job_text *t, struct arena *memory,
                       struct err *e);

/* The library's version. */
const char *job_yaml_version(void);

#endif
