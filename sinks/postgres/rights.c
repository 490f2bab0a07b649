#include "sinks/postgres/rights.h"

#include <stdlib.h>
#include <string.h>

#define SUBJECT "postgres"
#define NAMES_BYTES_MAX ((size_t)1 << 20)
#define SEPARATOR '\x01' /* no name of ours has it */

/* $1: the schema that is wanted, or null; $2: names of tables, each with a separator behind it. */
static const char rights_sql[] =
    "with wanted as (select coalesce($1, pg_catalog.current_schema()) as schema),"
    " there as (select n.oid from pg_catalog.pg_namespace n, wanted where n.nspname = wanted.schema)"
    " select pg_catalog.current_setting('server_version'), current_user, wanted.schema,"
    " exists (select 1 from there),"
    " coalesce((select pg_catalog.has_schema_privilege(oid, 'usage')"
    "  and pg_catalog.has_schema_privilege(oid, 'create')"
    "  from there),"
    "  pg_catalog.has_database_privilege(pg_catalog.current_database(), 'create')),"
    " pg_catalog.pg_is_in_recovery() or pg_catalog.current_setting('transaction_read_only')::bool,"
    " pg_catalog.current_database(),"
    " (select pg_catalog.string_agg(pg_catalog.quote_ident(c.relname), ', ' order by c.relname)"
    "  from pg_catalog.pg_class c, there"
    "  where c.relnamespace = there.oid and c.relname = any (pg_catalog.string_to_array($2, pg_catalog.chr(1)))"
    "  and not (pg_catalog.has_table_privilege(c.oid, 'select') and pg_catalog.has_table_privilege(c.oid, 'insert')"
    "  and pg_catalog.has_table_privilege(c.oid, 'update') and pg_catalog.has_table_privilege(c.oid, 'delete')))"
    " from wanted";

enum { VERSION, ROLE, SCHEMA, IS_THERE, MAY_CREATE, READ_ONLY, DATABASE, REFUSED };

static bool is_true(const PGresult *r, int column)
{
    return strcmp(PQgetvalue(r, 0, column), "t") == 0;
}

static void report(const PGresult *r, const char *spec, const struct findings *f)
{
    const char *role = PQgetvalue(r, 0, ROLE), *schema = PQgetvalue(r, 0, SCHEMA);
    const char *version = PQgetvalue(r, 0, VERSION), *database = PQgetvalue(r, 0, DATABASE);
    if (is_true(r, READ_ONLY))
        findings_add(f, FINDING_FAIL, SUBJECT,
                     "%s: the server (%s) only allows reading; give the address of the primary",
                     spec, version);
    else if (PQgetisnull(r, 0, SCHEMA))
        findings_add(f, FINDING_FAIL, SUBJECT,
                     "%s: no schema of the search path exists; create one, or give schema=", spec);
    else if (!is_true(r, MAY_CREATE) && is_true(r, IS_THERE))
        findings_add(
            f, FINDING_FAIL, SUBJECT,
            "%s: role %s may not create tables in schema %s; its owner can allow it: grant "
            "usage, create on schema \"%s\" to \"%s\"",
            spec, role, schema, schema, role);
    else if (!is_true(r, MAY_CREATE))
        findings_add(f, FINDING_FAIL, SUBJECT,
                     "%s: schema %s does not exist, and role %s may not create it; create it, or "
                     "grant create on database \"%s\" to \"%s\"",
                     spec, schema, role, database, role);
    else if (!PQgetisnull(r, 0, REFUSED))
        findings_add(
            f, FINDING_FAIL, SUBJECT,
            "%s: role %s may not read and write all of these tables of schema %s: %s; their "
            "owner can allow it: grant select, insert, update, delete on them to \"%s\"",
            spec, role, schema, PQgetvalue(r, 0, REFUSED), role);
    else
        findings_add(f, FINDING_OK, SUBJECT,
                     "%s: server %s; role %s may create and write tables in schema %s%s", spec,
                     version, role, schema,
                     is_true(r, IS_THERE) ? "" : ", which the run will create");
}

enum rc pg_probe_rights(const struct pg_place *p, struct pg_link *l, const char *wanted,
                        const struct findings *f, struct err *e)
{
    struct buf names;
    PGresult *r = NULL;
    buf_init(&names, NAMES_BYTES_MAX);
    for (size_t i = 0; i < p->relations.n; i++) {
        buf_add_str(&names, p->relations.items[i].name);
        buf_addc(&names, SEPARATOR);
    }
    buf_adds(&names, "_leadpipe_runs\x01_leadpipe_columns");
    const char *values[] = {wanted, buf_cstr(&names)};
    enum rc rc = buf_rc(&names) == RC_OK ? pg_exec(l, rights_sql, 2, values, &r, e) : err_nomem(e);
    if (rc == RC_OK && PQntuples(r) == 1)
        report(r, l->cfg.spec, f);
    else if (rc == RC_OK)
        rc = err_set(e, RC_IO, "%s: the server does not answer as PostgreSQL does", l->cfg.spec);
    PQclear(r);
    buf_free(&names);
    return rc;
}
