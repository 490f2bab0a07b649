/* What a command line says of a PostgreSQL database, before there is a connection. */
#ifndef LEADPIPE_SINKS_POSTGRES_COMMAND_H
#define LEADPIPE_SINKS_POSTGRES_COMMAND_H

#include "sinks/postgres/place.h"

#define PG_MEMORY_MAX                                                                              \
    ((size_t)256 << 20) /* of what a sink keeps about its tables, and of an SQL text */

/* `check` of struct sink_ops: nothing is connected to. RC_USAGE: what is wrong with the target, an option or
 * the tables of the profile. */
enum rc pg_check(const struct sink_cfg *cfg, struct err *e);

/* PGPASSWORD out of the environment, which no longer has it afterwards; NULL: it is not set. It belongs to
 * the secrets of the run. */
enum rc pg_take_password(const struct sink_cfg *cfg, const char **out, struct err *e);

/* Begins a place: the tables that the profile and the options ask for, in `memory`, which must outlive it.
 * Schema, token and run are not set. */
enum rc pg_make_relations(struct pg_place *p, const struct sink_cfg *cfg, struct arena *memory,
                          struct err *e);

#endif
