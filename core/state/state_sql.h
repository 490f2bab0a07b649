/* The tables of a state and all that is said to SQLite about them. Private to core/state. */
#ifndef LEADPIPE_STATE_SQL_H
#define LEADPIPE_STATE_SQL_H

/* Columns called seal, or with that at the end, are checksums over what stands before them. A run
 * has one row and one checkpoint; all places are those of unique IDs, from 0. What sinks accepted
 * outlives the run, the other tables do not. Bodies stand last, so that the rest of a row can be
 * read without them. The order is that in which a state gets them: what a version adds comes last. */
#define STATE_RUN_TABLE(texts)                                                                     \
    "CREATE TABLE run(one INTEGER PRIMARY KEY, phase INTEGER NOT NULL, run_id TEXT NOT NULL,"      \
    " started_ms INTEGER NOT NULL, terms INTEGER NOT NULL, " texts " INTEGER NOT NULL,"            \
    " record TEXT, seal INTEGER NOT NULL);"

#define STATE_TABLES_BEFORE_RENAMES(replaced, gaps)                                                \
    "CREATE TABLE terms(position INTEGER PRIMARY KEY, name TEXT, value TEXT,"                      \
    " seal INTEGER NOT NULL);"                                                                     \
    "CREATE TABLE checkpoint(one INTEGER PRIMARY KEY, high INTEGER NOT NULL,"                      \
    " key_a INTEGER NOT NULL, key_b INTEGER NOT NULL, handed INTEGER NOT NULL,"                    \
    " missing INTEGER NOT NULL, unchanged INTEGER NOT NULL, " replaced " INTEGER NOT NULL,"        \
    " other_ids INTEGER NOT NULL, active_ms INTEGER NOT NULL, marks INTEGER NOT NULL,"             \
    " columns INTEGER NOT NULL, totals TEXT, " gaps " BLOB, seal INTEGER NOT NULL);"               \
    "CREATE TABLE marks(sink INTEGER PRIMARY KEY, mark TEXT, seal INTEGER NOT NULL);"              \
    "CREATE TABLE columns(position INTEGER PRIMARY KEY, table_number INTEGER NOT NULL,"            \
    " scope INTEGER NOT NULL, occurrence INTEGER NOT NULL, key TEXT, member TEXT,"                 \
    " seal INTEGER NOT NULL);"                                                                     \
    "CREATE TABLE failures(place INTEGER PRIMARY KEY, by_sink INTEGER NOT NULL, summary TEXT,"     \
    " line TEXT, seal INTEGER NOT NULL);"                                                          \
    "CREATE TABLE kept(place INTEGER PRIMARY KEY, key BLOB NOT NULL,"                              \
    " http_status INTEGER NOT NULL, attempts INTEGER NOT NULL, " replaced " INTEGER NOT NULL,"     \
    " body BLOB, seal INTEGER NOT NULL);"                                                          \
    "CREATE TABLE deliveries(number INTEGER PRIMARY KEY, sink INTEGER NOT NULL,"                   \
    " last_place INTEGER NOT NULL, id TEXT, leads TEXT, seal INTEGER NOT NULL, outcome INTEGER,"   \
    " answer TEXT, answer_seal INTEGER, body_seal INTEGER, body BLOB);"                            \
    "CREATE TABLE delivery_counts(sink INTEGER PRIMARY KEY, delivered INTEGER NOT NULL,"           \
    " failed INTEGER NOT NULL, seal INTEGER NOT NULL);"

#define STATE_TABLES_AFTER_RENAMES                                                                 \
    "CREATE TABLE accepted_by(position INTEGER PRIMARY KEY, sink TEXT, seal INTEGER NOT NULL);"    \
    "CREATE TABLE accepted(key BLOB PRIMARY KEY, fingerprint BLOB NOT NULL) WITHOUT ROWID;"        \
    "CREATE TABLE accepted_now(position INTEGER PRIMARY KEY, notes INTEGER NOT NULL,"              \
    " pack BLOB NOT NULL, seal INTEGER NOT NULL);"

#define STATE_TABLES_OF_1                                                                          \
    STATE_RUN_TABLE("renames")                                                                     \
    STATE_TABLES_BEFORE_RENAMES("mended", "holes")                                                 \
    "CREATE TABLE renames(position INTEGER PRIMARY KEY, source TEXT, target TEXT,"                 \
    " bytes INTEGER NOT NULL, crc INTEGER NOT NULL, seal INTEGER NOT NULL);" STATE_TABLES_AFTER_RENAMES

/* What version 2 added. */
#define STATE_TABLES_SINCE_1                                                                       \
    "CREATE TABLE missing(place INTEGER PRIMARY KEY, line TEXT, seal INTEGER NOT NULL);"           \
    "CREATE TABLE prepared(part INTEGER PRIMARY KEY, text BLOB NOT NULL, seal INTEGER NOT NULL);"

#define STATE_TABLES                                                                               \
    STATE_RUN_TABLE("prepared")                                                                    \
    STATE_TABLES_BEFORE_RENAMES("replaced", "gaps")                                                \
    STATE_TABLES_AFTER_RENAMES                                                                     \
    STATE_TABLES_SINCE_1

/* From version 1, with no run unfinished. ALTER TABLE changes the name in the text that was given. */
#define STATE_UPGRADE_FROM_1                                                                       \
    "ALTER TABLE run RENAME COLUMN renames TO prepared;"                                           \
    "ALTER TABLE checkpoint RENAME COLUMN mended TO replaced;"                                     \
    "ALTER TABLE checkpoint RENAME COLUMN holes TO gaps;"                                          \
    "ALTER TABLE kept RENAME COLUMN mended TO replaced;"                                           \
    "DROP TABLE renames;" STATE_TABLES_SINCE_1

/* In all of them the parameters are given, and the values taken, in the order of the text. */
#define STATE_SQL_LIST(X)                                                                          \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(FREE_PAGES, "PRAGMA freelist_count")                                                         \
    X(RUN_GET,                                                                                     \
      "SELECT phase, run_id, started_ms, terms, prepared, record, seal FROM run WHERE one = 1")    \
    X(RUN_PUT, "REPLACE INTO run(one, phase, run_id, started_ms, terms, prepared, record, seal)"   \
               " VALUES (1, ?, ?, ?, ?, ?, ?, ?)")                                                 \
    X(RUN_DROP, "DELETE FROM run")                                                                 \
    X(TERM_PUT, "INSERT INTO terms(position, name, value, seal) VALUES (?, ?, ?, ?)")              \
    X(TERM_EACH, "SELECT position, name, value, seal FROM terms ORDER BY position")                \
    X(TERM_COUNT, "SELECT count(*) FROM terms")                                                    \
    X(TERM_DROP, "DELETE FROM terms")                                                              \
    X(CHECKPOINT_GET,                                                                              \
      "SELECT high, key_a, key_b, handed, missing, unchanged, replaced, other_ids, active_ms,"     \
      " marks, columns, totals, gaps, seal FROM checkpoint WHERE one = 1")                         \
    X(CHECKPOINT_PUT,                                                                              \
      "REPLACE INTO checkpoint(one, high, key_a, key_b, handed, missing, unchanged, replaced,"     \
      " other_ids, active_ms, marks, columns, totals, gaps, seal)"                                 \
      " VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                                     \
    X(CHECKPOINT_DROP, "DELETE FROM checkpoint")                                                   \
    X(MARK_PUT, "INSERT INTO marks(sink, mark, seal) VALUES (?, ?, ?)")                            \
    X(MARK_EACH, "SELECT sink, mark, seal FROM marks ORDER BY sink")                               \
    X(MARK_COUNT, "SELECT count(*) FROM marks")                                                    \
    X(MARK_DROP, "DELETE FROM marks")                                                              \
    X(COLUMN_PUT,                                                                                  \
      "INSERT INTO columns(position, table_number, scope, occurrence, key, member, seal)"          \
      " VALUES (?, ?, ?, ?, ?, ?, ?)")                                                             \
    X(COLUMN_EACH, "SELECT position, table_number, scope, occurrence, key, member, seal"           \
                   " FROM columns ORDER BY position")                                              \
    X(COLUMN_COUNT, "SELECT count(*) FROM columns")                                                \
    X(COLUMN_DROP, "DELETE FROM columns")                                                          \
    X(FAILURE_PUT, "REPLACE INTO failures(place, by_sink, summary, line, seal)"                    \
                   " VALUES (?, ?, ?, ?, ?)")                                                      \
    X(FAILURE_EACH, "SELECT place, by_sink, summary, line, seal FROM failures ORDER BY place")     \
    X(FAILURE_COUNT, "SELECT count(*), coalesce(sum(by_sink), 0) FROM failures")                   \
    X(FAILURE_HAS, "SELECT 1 FROM failures WHERE place = ?")                                       \
    X(FAILURE_DROP_ONE, "DELETE FROM failures WHERE place = ?")                                    \
    X(FAILURE_DROP_FROM, "DELETE FROM failures WHERE place >= ?")                                  \
    X(FAILURE_DROP, "DELETE FROM failures")                                                        \
    X(MISSING_PUT, "REPLACE INTO missing(place, line, seal) VALUES (?, ?, ?)")                     \
    X(MISSING_EACH, "SELECT place, line, seal FROM missing ORDER BY place")                        \
    X(MISSING_COUNT, "SELECT count(*) FROM missing")                                               \
    X(MISSING_DROP_ONE, "DELETE FROM missing WHERE place = ?")                                     \
    X(MISSING_DROP_FROM, "DELETE FROM missing WHERE place >= ?")                                   \
    X(MISSING_DROP, "DELETE FROM missing")                                                         \
    X(KEPT_PUT, "REPLACE INTO kept(place, key, http_status, attempts, replaced, body, seal)"       \
                " VALUES (?, ?, ?, ?, ?, ?, ?)")                                                   \
    X(KEPT_GET, "SELECT place, key, http_status, attempts, replaced, body, seal FROM kept"         \
                " WHERE place = ?")                                                                \
    X(KEPT_COUNT, "SELECT count(*) FROM kept")                                                     \
    X(KEPT_PLACES, "SELECT place FROM kept ORDER BY place")                                        \
    X(KEPT_NEXT, "SELECT place FROM kept WHERE place >= ? AND place < ? ORDER BY place LIMIT 1")   \
    X(KEPT_VERIFY, "SELECT place, key, http_status, attempts, replaced, body, seal FROM kept")     \
    X(KEPT_DROP_ONE, "DELETE FROM kept WHERE place = ?")                                           \
    X(KEPT_DROP, "DELETE FROM kept")                                                               \
    X(DELIVERY_PUT, "INSERT INTO deliveries(number, sink, last_place, id, leads, seal,"            \
                    " body, body_seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")                           \
    X(DELIVERY_LAST, "SELECT coalesce(max(number), 0) FROM deliveries")                            \
    X(DELIVERY_WHOSE, "SELECT sink, outcome IS NULL FROM deliveries WHERE number = ?")             \
    X(DELIVERY_ANSWER, "UPDATE deliveries SET outcome = ?, answer = ?, answer_seal = ?,"           \
                       " body = NULL, body_seal = NULL WHERE number = ?")                          \
    X(DELIVERY_EACH, "SELECT number, sink, last_place, id, leads, seal, outcome, answer,"          \
                     " answer_seal, body, body_seal FROM deliveries WHERE sink = ?"                \
                     " ORDER BY number")                                                           \
    X(DELIVERY_BODY, "SELECT body, body_seal FROM deliveries"                                      \
                     " WHERE number = ? AND outcome IS NULL")                                      \
    X(DELIVERY_VERIFY, "SELECT number, sink, last_place, id, leads, seal, outcome, answer,"        \
                       " answer_seal, body, body_seal FROM deliveries")                            \
    X(DELIVERY_FROM_SINK, "SELECT EXISTS (SELECT 1 FROM deliveries WHERE sink BETWEEN ? AND ?)")   \
    X(DELIVERY_DROP_BELOW, "DELETE FROM deliveries WHERE outcome IS NOT NULL AND last_place < ?")  \
    X(DELIVERY_DROP, "DELETE FROM deliveries")                                                     \
    X(DELIVERY_COUNT_GET,                                                                          \
      "SELECT sink, delivered, failed, seal FROM delivery_counts WHERE sink = ?")                  \
    X(DELIVERY_COUNT_VERIFY, "SELECT sink, delivered, failed, seal FROM delivery_counts")          \
    X(DELIVERY_COUNT_PUT,                                                                          \
      "REPLACE INTO delivery_counts(sink, delivered, failed, seal) VALUES (?, ?, ?, ?)")           \
    X(DELIVERY_COUNT_DROP, "DELETE FROM delivery_counts")                                          \
    X(PREPARED_PUT, "INSERT INTO prepared(part, text, seal) VALUES (?, ?, ?)")                     \
    X(PREPARED_EACH, "SELECT part, text, seal FROM prepared ORDER BY part")                        \
    X(PREPARED_COUNT, "SELECT count(*) FROM prepared")                                             \
    X(PREPARED_DROP, "DELETE FROM prepared")                                                       \
    X(ACCEPTED_BY_PUT, "INSERT INTO accepted_by(position, sink, seal) VALUES (?, ?, ?)")           \
    X(ACCEPTED_BY_EACH, "SELECT position, sink, seal FROM accepted_by ORDER BY position")          \
    X(ACCEPTED_BY_DROP, "DELETE FROM accepted_by")                                                 \
    X(ACCEPTED_GET, "SELECT fingerprint FROM accepted WHERE key = ?")                              \
    X(ACCEPTED_PUT, "REPLACE INTO accepted(key, fingerprint) VALUES (?, ?)")                       \
    X(ACCEPTED_ANY, "SELECT EXISTS (SELECT 1 FROM accepted)"                                       \
                    " OR EXISTS (SELECT 1 FROM accepted_now)")                                     \
    X(ACCEPTED_DROP_ONE, "DELETE FROM accepted WHERE key = ?")                                     \
    X(ACCEPTED_DROP, "DELETE FROM accepted")                                                       \
    X(NOTES_PUT, "INSERT INTO accepted_now(notes, pack, seal) VALUES (?, ?, ?)")                   \
    X(NOTES_EACH, "SELECT notes, pack, seal FROM accepted_now ORDER BY position")                  \
    X(NOTES_BYTES, "SELECT coalesce(sum(length(pack)), 0) FROM accepted_now")                      \
    X(NOTES_DROP, "DELETE FROM accepted_now")

enum state_sql {
#define X(name, text) SQL_##name,
    STATE_SQL_LIST(X)
#undef X
        STATE_SQL_COUNT
};

#endif
