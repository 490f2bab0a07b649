/* Parses the YAML of a job file into a tree of texts, lists and maps (YAML 1.2, which includes JSON). */
#ifndef LEADPIPE_CMD_JOB_YAML_H
#define LEADPIPE_CMD_JOB_YAML_H

#include "cmd/job_text.h"

enum job_kind { JOB_TEXT, JOB_LIST, JOB_MAP };

struct job_node {
    enum job_kind kind;
    bool is_plain;                 /* a text without quotes */
    struct str text;               /* of a text, as written; followed by a NUL */
    size_t at;                     /* offset in the file */
    struct job_node *key;          /* if it is in a map: its key, a text */
    struct job_node *next;         /* in its list or map */
    struct job_node *first, *last; /* of a list or map: its content */
    size_t size;  /* number of nodes, including itself and what aliases stand for */
    size_t bytes; /* of their texts */
};

/* All nodes are in the arena. RC_USAGE, from job_fail(): it is not a single YAML document of the kind that a job file may
 * have; *out is then what was read before the fault, or NULL. RC_NOMEM. */
enum rc job_yaml_parse(struct job_node **out, struct job_text *t, struct arena *memory,
                       struct err *e);

/* The library's version. */
const char *job_yaml_version(void);

#endif
