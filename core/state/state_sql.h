/* The tables of a state and all that is said to SQLite about them. Private to core/state. */
#ifndef LEADPIPE_STATE_SQL_H
#define LEADPIPE_STATE_SQL_H

/* Columns called checksum, or with that at the end, are over what stands before them. A run has one row
 * and one checkpoint; sequence numbers are those of unique IDs, from 0. What sinks accepted outlives the
 * run, and so does its list (the leads that the next one may ask for once more), the other tables do not. Bodies stand last, so that the rest of a row can be read without them.
 * The order is that in which a state gets them: what a version adds comes last. */
#define STATE_TABLES_SINCE_1                                                                          \
    "CREATE TABLE missing(seq INTEGER PRIMARY KEY, line TEXT, checksum INTEGER NOT NULL);"            \
    "CREATE TABLE prepared(part INTEGER PRIMARY KEY, text BLOB NOT NULL, checksum INTEGER NOT NULL);" \
    "CREATE TABLE settings(position INTEGER PRIMARY KEY, name TEXT, value TEXT,"                      \
    " checksum INTEGER NOT NULL);"                                                                    \
    "CREATE TABLE buffered(seq INTEGER PRIMARY KEY, key BLOB NOT NULL,"                               \
    " http_status INTEGER NOT NULL, attempts INTEGER NOT NULL, body BLOB,"                            \
    " checksum INTEGER NOT NULL);"

#define STATE_TABLES_SINCE_2                                                                       \
    "CREATE TABLE list(one INTEGER PRIMARY KEY, source TEXT, params INTEGER NOT NULL,"             \
    " lists INTEGER NOT NULL, times INTEGER NOT NULL, since_ms INTEGER NOT NULL,"                  \
    " until_ms INTEGER NOT NULL, first INTEGER NOT NULL, listing INTEGER NOT NULL,"                \
    " checksum INTEGER NOT NULL);"                                                                 \
    "CREATE TABLE listed(position INTEGER PRIMARY KEY, list INTEGER NOT NULL,"                     \
    " ends INTEGER NOT NULL, bad INTEGER NOT NULL, leads INTEGER NOT NULL, pack BLOB NOT NULL,"    \
    " checksum INTEGER NOT NULL);"

#define STATE_TABLES_OF_2                                                                           \
    "CREATE TABLE run(one INTEGER PRIMARY KEY, phase INTEGER NOT NULL, run_id TEXT NOT NULL,"       \
    " started_ms INTEGER NOT NULL, settings INTEGER NOT NULL, prepared INTEGER NOT NULL,"           \
    " record TEXT, checksum INTEGER NOT NULL);"                                                     \
    "CREATE TABLE checkpoint(one INTEGER PRIMARY KEY, high INTEGER NOT NULL,"                       \
    " key_a INTEGER NOT NULL, key_b INTEGER NOT NULL, handed INTEGER NOT NULL,"                     \
    " missing INTEGER NOT NULL, unchanged INTEGER NOT NULL, replaced INTEGER NOT NULL,"             \
    " other_ids INTEGER NOT NULL, active_ms INTEGER NOT NULL, marks INTEGER NOT NULL,"              \
    " columns INTEGER NOT NULL, totals TEXT, gaps BLOB, checksum INTEGER NOT NULL);"                \
    "CREATE TABLE marks(sink INTEGER PRIMARY KEY, mark TEXT, checksum INTEGER NOT NULL);"           \
    "CREATE TABLE columns(position INTEGER PRIMARY KEY, table_number INTEGER NOT NULL,"             \
    " scope INTEGER NOT NULL, occurrence INTEGER NOT NULL, key TEXT, member TEXT,"                  \
    " checksum INTEGER NOT NULL);"                                                                  \
    "CREATE TABLE failures(seq INTEGER PRIMARY KEY, by_sink INTEGER NOT NULL, summary TEXT,"        \
    " line TEXT, checksum INTEGER NOT NULL);"                                                       \
    "CREATE TABLE deliveries(number INTEGER PRIMARY KEY, sink INTEGER NOT NULL,"                    \
    " last_seq INTEGER NOT NULL, id TEXT, leads TEXT, checksum INTEGER NOT NULL, outcome INTEGER,"  \
    " answer TEXT, answer_checksum INTEGER, body_checksum INTEGER, body BLOB);"                     \
    "CREATE TABLE delivery_counts(sink INTEGER PRIMARY KEY, delivered INTEGER NOT NULL,"            \
    " failed INTEGER NOT NULL, checksum INTEGER NOT NULL);"                                         \
    "CREATE TABLE accepted_by(position INTEGER PRIMARY KEY, sink TEXT, checksum INTEGER NOT NULL);" \
    "CREATE TABLE accepted(key BLOB PRIMARY KEY, fingerprint BLOB NOT NULL) WITHOUT ROWID;"         \
    "CREATE TABLE accepted_now(position INTEGER PRIMARY KEY, notes INTEGER NOT NULL,"               \
    " pack BLOB NOT NULL, checksum INTEGER NOT NULL);" STATE_TABLES_SINCE_1

#define STATE_TABLES STATE_TABLES_OF_2 STATE_TABLES_SINCE_2

/* Version 1, letter for letter as it was written: a database is one of version 1 if its tables have this text.
 * So the names are those of that time. */
#define STATE_TABLES_OF_1                                                                          \
    "CREATE TABLE run(one INTEGER PRIMARY KEY, phase INTEGER NOT NULL, run_id TEXT NOT NULL,"      \
    " started_ms INTEGER NOT NULL, terms INTEGER NOT NULL, renames INTEGER NOT NULL,"              \
    " record TEXT, seal INTEGER NOT NULL);"                                                        \
    "CREATE TABLE terms(position INTEGER PRIMARY KEY, name TEXT, value TEXT,"                      \
    " seal INTEGER NOT NULL);"                                                                     \
    "CREATE TABLE checkpoint(one INTEGER PRIMARY KEY, high INTEGER NOT NULL,"                      \
    " key_a INTEGER NOT NULL, key_b INTEGER NOT NULL, handed INTEGER NOT NULL,"                    \
    " missing INTEGER NOT NULL, unchanged INTEGER NOT NULL, mended INTEGER NOT NULL,"              \
    " other_ids INTEGER NOT NULL, active_ms INTEGER NOT NULL, marks INTEGER NOT NULL,"             \
    " columns INTEGER NOT NULL, totals TEXT, holes BLOB, seal INTEGER NOT NULL);"                  \
    "CREATE TABLE marks(sink INTEGER PRIMARY KEY, mark TEXT, seal INTEGER NOT NULL);"              \
    "CREATE TABLE columns(position INTEGER PRIMARY KEY, table_number INTEGER NOT NULL,"            \
    " scope INTEGER NOT NULL, occurrence INTEGER NOT NULL, key TEXT, member TEXT,"                 \
    " seal INTEGER NOT NULL);"                                                                     \
    "CREATE TABLE failures(place INTEGER PRIMARY KEY, by_sink INTEGER NOT NULL, summary TEXT,"     \
    " line TEXT, seal INTEGER NOT NULL);"                                                          \
    "CREATE TABLE kept(place INTEGER PRIMARY KEY, key BLOB NOT NULL,"                              \
    " http_status INTEGER NOT NULL, attempts INTEGER NOT NULL, mended INTEGER NOT NULL,"           \
    " body BLOB, seal INTEGER NOT NULL);"                                                          \
    "CREATE TABLE deliveries(number INTEGER PRIMARY KEY, sink INTEGER NOT NULL,"                   \
    " last_place INTEGER NOT NULL, id TEXT, leads TEXT, seal INTEGER NOT NULL, outcome INTEGER,"   \
    " answer TEXT, answer_seal INTEGER, body_seal INTEGER, body BLOB);"                            \
    "CREATE TABLE delivery_counts(sink INTEGER PRIMARY KEY, delivered INTEGER NOT NULL,"           \
    " failed INTEGER NOT NULL, seal INTEGER NOT NULL);"                                            \
    "CREATE TABLE renames(position INTEGER PRIMARY KEY, source TEXT, target TEXT,"                 \
    " bytes INTEGER NOT NULL, crc INTEGER NOT NULL, seal INTEGER NOT NULL);"                       \
    "CREATE TABLE accepted_by(position INTEGER PRIMARY KEY, sink TEXT, seal INTEGER NOT NULL);"    \
    "CREATE TABLE accepted(key BLOB PRIMARY KEY, fingerprint BLOB NOT NULL) WITHOUT ROWID;"        \
    "CREATE TABLE accepted_now(position INTEGER PRIMARY KEY, notes INTEGER NOT NULL,"              \
    " pack BLOB NOT NULL, seal INTEGER NOT NULL);"

/* From version 1, with no run unfinished, or with one that is about to be forgotten: what it had buffered
 * is not needed. ALTER TABLE changes the name of a column in the text that was given; that of a table it
 * would put in quotes. */
#define STATE_UPGRADE_FROM_1                                                                       \
    "DROP TABLE renames; DROP TABLE kept;"                                                         \
    "ALTER TABLE run RENAME COLUMN terms TO settings;"                                             \
    "ALTER TABLE run RENAME COLUMN renames TO prepared;"                                           \
    "ALTER TABLE run RENAME COLUMN seal TO checksum;"                                              \
    "ALTER TABLE checkpoint RENAME COLUMN mended TO replaced;"                                     \
    "ALTER TABLE checkpoint RENAME COLUMN holes TO gaps;"                                          \
    "ALTER TABLE checkpoint RENAME COLUMN seal TO checksum;"                                       \
    "ALTER TABLE marks RENAME COLUMN seal TO checksum;"                                            \
    "ALTER TABLE columns RENAME COLUMN seal TO checksum;"                                          \
    "ALTER TABLE failures RENAME COLUMN place TO seq;"                                             \
    "ALTER TABLE failures RENAME COLUMN seal TO checksum;"                                         \
    "ALTER TABLE deliveries RENAME COLUMN last_place TO last_seq;"                                 \
    "ALTER TABLE deliveries RENAME COLUMN seal TO checksum;"                                       \
    "ALTER TABLE deliveries RENAME COLUMN answer_seal TO answer_checksum;"                         \
    "ALTER TABLE deliveries RENAME COLUMN body_seal TO body_checksum;"                             \
    "ALTER TABLE delivery_counts RENAME COLUMN seal TO checksum;"                                  \
    "ALTER TABLE accepted_by RENAME COLUMN seal TO checksum;"                                      \
    "ALTER TABLE accepted_now RENAME COLUMN seal TO checksum;" STATE_TABLES_SINCE_1                \
    "INSERT INTO settings SELECT * FROM terms; DROP TABLE terms;" STATE_TABLES_SINCE_2

/* From version 2, which had no lists: also with an unfinished run, which has none. */
#define STATE_UPGRADE_FROM_2 STATE_TABLES_SINCE_2

/* In all of them the parameters are given, and the values taken, in the order of the text. */
#define STATE_SQL_LIST(X)                                                                              \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                        \
    X(COMMIT, "COMMIT")                                                                                \
    X(FREE_PAGES, "PRAGMA freelist_count")                                                             \
    X(RUN_GET,                                                                                         \
      "SELECT phase, run_id, started_ms, settings, prepared, record, checksum FROM run WHERE one = 1") \
    X(RUN_PUT,                                                                                         \
      "REPLACE INTO run(one, phase, run_id, started_ms, settings, prepared, record, checksum)"         \
      " VALUES (1, ?, ?, ?, ?, ?, ?, ?)")                                                              \
    X(RUN_DROP, "DELETE FROM run")                                                                     \
    X(SETTING_PUT, "INSERT INTO settings(position, name, value, checksum) VALUES (?, ?, ?, ?)")        \
    X(SETTING_EACH, "SELECT position, name, value, checksum FROM settings ORDER BY position")          \
    X(SETTING_COUNT, "SELECT count(*) FROM settings")                                                  \
    X(SETTING_DROP, "DELETE FROM settings")                                                            \
    X(CHECKPOINT_GET,                                                                                  \
      "SELECT high, key_a, key_b, handed, missing, unchanged, replaced, other_ids, active_ms,"         \
      " marks, columns, totals, gaps, checksum FROM checkpoint WHERE one = 1")                         \
    X(CHECKPOINT_PUT,                                                                                  \
      "REPLACE INTO checkpoint(one, high, key_a, key_b, handed, missing, unchanged, replaced,"         \
      " other_ids, active_ms, marks, columns, totals, gaps, checksum)"                                 \
      " VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                                         \
    X(CHECKPOINT_DROP, "DELETE FROM checkpoint")                                                       \
    X(MARK_PUT, "INSERT INTO marks(sink, mark, checksum) VALUES (?, ?, ?)")                            \
    X(MARK_EACH, "SELECT sink, mark, checksum FROM marks ORDER BY sink")                               \
    X(MARK_COUNT, "SELECT count(*) FROM marks")                                                        \
    X(MARK_DROP, "DELETE FROM marks")                                                                  \
    X(COLUMN_PUT,                                                                                      \
      "INSERT INTO columns(position, table_number, scope, occurrence, key, member, checksum)"          \
      " VALUES (?, ?, ?, ?, ?, ?, ?)")                                                                 \
    X(COLUMN_EACH, "SELECT position, table_number, scope, occurrence, key, member, checksum"           \
                   " FROM columns ORDER BY position")                                                  \
    X(COLUMN_COUNT, "SELECT count(*) FROM columns")                                                    \
    X(COLUMN_DROP, "DELETE FROM columns")                                                              \
    X(FAILURE_PUT, "REPLACE INTO failures(seq, by_sink, summary, line, checksum)"                      \
                   " VALUES (?, ?, ?, ?, ?)")                                                          \
    X(FAILURE_EACH, "SELECT seq, by_sink, summary, line, checksum FROM failures ORDER BY seq")         \
    X(FAILURE_COUNT, "SELECT count(*), coalesce(sum(by_sink), 0) FROM failures")                       \
    X(FAILURE_HAS, "SELECT 1 FROM failures WHERE seq = ?")                                             \
    X(FAILURE_DROP_ONE, "DELETE FROM failures WHERE seq = ?")                                          \
    X(FAILURE_DROP_FROM, "DELETE FROM failures WHERE seq >= ?")                                        \
    X(FAILURE_DROP, "DELETE FROM failures")                                                            \
    X(MISSING_PUT, "REPLACE INTO missing(seq, line, checksum) VALUES (?, ?, ?)")                       \
    X(MISSING_EACH, "SELECT seq, line, checksum FROM missing ORDER BY seq")                            \
    X(MISSING_COUNT, "SELECT count(*) FROM missing")                                                   \
    X(MISSING_HAS, "SELECT 1 FROM missing WHERE seq = ?")                                              \
    X(MISSING_DROP_ONE, "DELETE FROM missing WHERE seq = ?")                                           \
    X(MISSING_DROP_FROM, "DELETE FROM missing WHERE seq >= ?")                                         \
    X(MISSING_DROP, "DELETE FROM missing")                                                             \
    X(BUFFERED_PUT, "REPLACE INTO buffered(seq, key, http_status, attempts, body, checksum)"           \
                    " VALUES (?, ?, ?, ?, ?, ?)")                                                      \
    X(BUFFERED_GET, "SELECT seq, key, http_status, attempts, body, checksum FROM buffered"             \
                    " WHERE seq = ?")                                                                  \
    X(BUFFERED_COUNT, "SELECT count(*) FROM buffered")                                                 \
    X(BUFFERED_SEQS, "SELECT seq FROM buffered ORDER BY seq")                                          \
    X(BUFFERED_NEXT, "SELECT seq FROM buffered WHERE seq >= ? AND seq < ? ORDER BY seq LIMIT 1")       \
    X(BUFFERED_VERIFY, "SELECT seq, key, http_status, attempts, body, checksum FROM buffered")         \
    X(BUFFERED_DROP_ONE, "DELETE FROM buffered WHERE seq = ?")                                         \
    X(BUFFERED_DROP, "DELETE FROM buffered")                                                           \
    X(DELIVERY_PUT, "INSERT INTO deliveries(number, sink, last_seq, id, leads, checksum,"              \
                    " body, body_checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")                           \
    X(DELIVERY_LAST, "SELECT coalesce(max(number), 0) FROM deliveries")                                \
    X(DELIVERY_WHOSE, "SELECT sink, outcome IS NULL FROM deliveries WHERE number = ?")                 \
    X(DELIVERY_ANSWER, "UPDATE deliveries SET outcome = ?, answer = ?, answer_checksum = ?,"           \
                       " body = NULL, body_checksum = NULL WHERE number = ?")                          \
    X(DELIVERY_EACH, "SELECT number, sink, last_seq, id, leads, checksum, outcome, answer,"            \
                     " answer_checksum, body, body_checksum FROM deliveries WHERE sink = ?"            \
                     " ORDER BY number")                                                               \
    X(DELIVERY_BODY, "SELECT body, body_checksum FROM deliveries"                                      \
                     " WHERE number = ? AND outcome IS NULL")                                          \
    X(DELIVERY_VERIFY, "SELECT number, sink, last_seq, id, leads, checksum, outcome, answer,"          \
                       " answer_checksum, body, body_checksum FROM deliveries")                        \
    X(DELIVERY_FROM_SINK, "SELECT EXISTS (SELECT 1 FROM deliveries WHERE sink BETWEEN ? AND ?)")       \
    X(DELIVERY_UNANSWERED, "SELECT count(*) FROM deliveries WHERE sink = ? AND outcome IS NULL")       \
    X(DELIVERY_DROP_BELOW, "DELETE FROM deliveries WHERE outcome IS NOT NULL AND last_seq < ?")        \
    X(DELIVERY_DROP, "DELETE FROM deliveries")                                                         \
    X(DELIVERY_COUNT_GET,                                                                              \
      "SELECT sink, delivered, failed, checksum FROM delivery_counts WHERE sink = ?")                  \
    X(DELIVERY_COUNT_VERIFY, "SELECT sink, delivered, failed, checksum FROM delivery_counts")          \
    X(DELIVERY_COUNT_PUT,                                                                              \
      "REPLACE INTO delivery_counts(sink, delivered, failed, checksum) VALUES (?, ?, ?, ?)")           \
    X(DELIVERY_COUNT_DROP, "DELETE FROM delivery_counts")                                              \
    X(PREPARED_PUT, "INSERT INTO prepared(part, text, checksum) VALUES (?, ?, ?)")                     \
    X(PREPARED_EACH, "SELECT part, text, checksum FROM prepared ORDER BY part")                        \
    X(PREPARED_COUNT, "SELECT count(*) FROM prepared")                                                 \
    X(PREPARED_DROP, "DELETE FROM prepared")                                                           \
    X(ACCEPTED_BY_PUT, "INSERT INTO accepted_by(position, sink, checksum) VALUES (?, ?, ?)")           \
    X(ACCEPTED_BY_EACH, "SELECT position, sink, checksum FROM accepted_by ORDER BY position")          \
    X(ACCEPTED_BY_DROP, "DELETE FROM accepted_by")                                                     \
    X(ACCEPTED_GET, "SELECT fingerprint FROM accepted WHERE key = ?")                                  \
    X(ACCEPTED_PUT, "REPLACE INTO accepted(key, fingerprint) VALUES (?, ?)")                           \
    X(ACCEPTED_COUNT, "SELECT count(*) FROM accepted")                                                 \
    X(ACCEPTED_EARLIER, "SELECT EXISTS (SELECT 1 FROM accepted)")                                      \
    X(ACCEPTED_ANY, "SELECT EXISTS (SELECT 1 FROM accepted)"                                           \
                    " OR EXISTS (SELECT 1 FROM accepted_now)")                                         \
    X(ACCEPTED_DROP_ONE, "DELETE FROM accepted WHERE key = ?")                                         \
    X(ACCEPTED_DROP, "DELETE FROM accepted")                                                           \
    X(NOTES_PUT, "INSERT INTO accepted_now(notes, pack, checksum) VALUES (?, ?, ?)")                   \
    X(NOTES_EACH, "SELECT notes, pack, checksum FROM accepted_now ORDER BY position")                  \
    X(NOTES_BYTES, "SELECT coalesce(sum(length(pack)), 0) FROM accepted_now")                          \
    X(NOTES_DROP, "DELETE FROM accepted_now")                                                          \
    X(LIST_GET,                                                                                        \
      "SELECT source, params, lists, times, since_ms, until_ms, first, listing, checksum"              \
      " FROM list WHERE one = 1")                                                                      \
    X(LIST_PUT, "REPLACE INTO list(one, source, params, lists, times, since_ms, until_ms, first,"      \
                " listing, checksum) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                           \
    X(LISTED_PUT, "INSERT INTO listed(position, list, ends, bad, leads, pack, checksum)"               \
                  " VALUES (?, ?, ?, ?, ?, ?, ?)")                                                     \
    X(LISTED_NEXT, "SELECT position, list, ends, bad, leads, pack, checksum FROM listed"               \
                   " WHERE position >= ? ORDER BY position LIMIT 1")                                   \
    X(LISTED_VERIFY, "SELECT position, list, ends, bad, leads, pack, checksum FROM listed"             \
                     " ORDER BY position")                                                             \
    X(LISTED_LAST, "SELECT coalesce(max(position), 0) FROM listed")                                    \
    X(LISTED_DROP_BELOW, "DELETE FROM listed WHERE position < ?")                                      \
    X(LISTED_DROP_FROM, "DELETE FROM listed WHERE position >= ?")

enum state_sql {
#define X(name, text) SQL_##name,
    STATE_SQL_LIST(X)
#undef X
        STATE_SQL_COUNT
};

#endif
