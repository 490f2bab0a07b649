/* Reading a profile's JSON, so that every refusal names the member at fault. Private to core/provider. */
#ifndef LEADPIPE_PROFILE_READER_H
#define LEADPIPE_PROFILE_READER_H

#include "core/json/member.h"
#include "core/provider/profile.h"

struct profile_reader {
    struct member_reader json;
    const struct profile *profile; /* what has been read of it so far */
};

/* As member_text(), but also one of the characters of `chars` each, and at least one. */
enum rc reader_word(const struct profile_reader *r, const struct member *at, const char *chars,
                    size_t max, struct str *out);

/* A snake_case name, as tables and columns have it. */
enum rc reader_snake(const struct profile_reader *r, const struct member *at, struct str *out);

/* What goes before a member's name: empty or snake_case with an underscore behind it. */
enum rc reader_prefix(const struct profile_reader *r, const struct member *at, struct str *out);

enum rc reader_path(const struct profile_reader *r, const struct member *at, struct path *out);

/* A path that stands at one place only: without "*". As it was where there is none. */
enum rc reader_place(const struct profile_reader *r, const struct member *at, struct path *out);

/* A whole number; as it was where there is none. */
enum rc reader_number(const struct profile_reader *r, const struct member *at, uint64_t min,
                      uint64_t max, uint64_t *out);

/* Texts and paths in an array; an absent one is empty. */
enum rc reader_texts(const struct profile_reader *r, const struct member *at, size_t max,
                     struct str **out, size_t *n);
enum rc reader_paths(const struct profile_reader *r, const struct member *at, size_t max,
                     struct path **out, size_t *n);

/* "tables" of a profile. */
enum rc profile_read_tables(const struct profile_reader *r, const struct member *at,
                            struct profile *p);

/* "list" of a profile, after "path". */
enum rc profile_read_list(const struct profile_reader *r, const struct member *at,
                          struct profile *p);

#define CHARS_LOWER "abcdefghijklmnopqrstuvwxyz"
#define CHARS_UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define CHARS_DIGIT "0123456789"
#define CHARS_SNAKE CHARS_LOWER CHARS_DIGIT "_"

#endif
