/* JSON from outside: what is taken for JSON can be written, and says the same when read again. */
#include "fuzz.h"

#include <stdlib.h>

#include "core/json/json.h"

#define ARENA_MAX ((size_t)256 << 20)

static void collect(void *ctx, const char *p, size_t n)
{
    buf_add(ctx, p, n);
}

static int by_key(const void *a, const void *b)
{
    struct str x = json_name_key(*(const cJSON *const *)a),
               y = json_name_key(*(const cJSON *const *)b);
    int cmp = memcmp(x.ptr, y.ptr, x.len < y.len ? x.len : y.len);
    return cmp ? cmp : (x.len > y.len) - (x.len < y.len);
}

/* The canonical form in the plainest way. */
static void write_plainly(struct buf *b, const cJSON *value, struct arena *scratch)
{
    size_t n = 0;
    bool is_object = json_is_object(value);
    for (const cJSON *child = value->child; child; child = child->next)
        n++;
    if (!is_object && !json_is_array(value)) {
        if (json_is_string(value))
            json_write_string(b, json_text_key(value));
        else
            json_write(b, value);
        return;
    }
    const cJSON **children = arena_array(scratch, n + 1, sizeof(const cJSON *));
    MUST(children);
    n = 0;
    for (const cJSON *child = value->child; child; child = child->next)
        children[n++] = child;
    if (is_object)
        qsort(children, n, sizeof *children, by_key);
    buf_addc(b, is_object ? '{' : '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_addc(b, ',');
        if (is_object) {
            json_write_string(b, json_name_key(children[i]));
            buf_addc(b, ':');
        }
        write_plainly(b, children[i], scratch);
    }
    buf_addc(b, is_object ? '}' : ']');
}

/* The tree as text, and its canonical form. */
static void write_both(const cJSON *root, struct buf *text, struct buf *canonical)
{
    struct arena scratch;
    arena_init(&scratch, ARENA_MAX);
    buf_init(text, ARENA_MAX);
    buf_init(canonical, ARENA_MAX);
    json_write(text, root);
    MUST(json_canonical(root, NULL, &scratch, collect, canonical) == RC_OK);
    MUST(buf_rc(text) == RC_OK && buf_rc(canonical) == RC_OK);
    MUST(utf8_valid(text->data, text->len));
    struct buf plain;
    buf_init(&plain, ARENA_MAX);
    write_plainly(&plain, root, &scratch);
    MUST(str_eq(buf_str(&plain), buf_str(canonical)));
    buf_free(&plain);
    arena_free(&scratch);
}

/* Hashes say the same of two trees as canonical forms. */
static void check_hashes(const cJSON *a, const cJSON *b, bool same)
{
    unsigned char hash_a[JSON_HASH_BYTES], hash_b[JSON_HASH_BYTES];
    json_hash(a, NULL, hash_a);
    json_hash(b, NULL, hash_b);
    MUST((memcmp(hash_a, hash_b, sizeof hash_a) == 0) == same);
}

/* Written and read again, nothing is left to be replaced and nothing changes; only the canonical form
 * tells what had been replaced. */
static void check_tree(const cJSON *root, bool replaced)
{
    struct arena a;
    struct json_doc doc;
    struct buf text;
    struct buf canonical;
    struct buf text_again;
    struct buf canonical_again;
    write_both(root, &text, &canonical);
    arena_init(&a, ARENA_MAX);
    MUST(json_parse(&a, buf_str(&text), JSON_TREE | JSON_COMPACT, &doc, NULL) == RC_OK);
    MUST(doc.replaced == 0);
    MUST(str_eq(doc.compact, buf_str(&text)));
    write_both(doc.root, &text_again, &canonical_again);
    MUST(str_eq(buf_str(&text), buf_str(&text_again)));
    MUST(replaced ? canonical.len > text.len : canonical.len == text.len);
    MUST(replaced || str_eq(buf_str(&canonical), buf_str(&canonical_again)));
    check_hashes(root, doc.root, str_eq(buf_str(&canonical), buf_str(&canonical_again)));
    buf_free(&text);
    buf_free(&canonical);
    buf_free(&text_again);
    buf_free(&canonical_again);
    arena_free(&a);
}

/* What was replaced may have been in a member that came again. */
static bool has_replaced(const cJSON *v)
{
    bool found = v->valueint & (JSON_NAME_REPLACED | JSON_TEXT_REPLACED);
    for (const cJSON *child = v->child; child && !found; child = child->next)
        found = has_replaced(child);
    return found;
}

static void check_compact(struct str compact)
{
    struct arena a;
    struct json_doc doc;
    arena_init(&a, ARENA_MAX);
    MUST(json_parse(&a, compact, JSON_COMPACT, &doc, NULL) == RC_OK);
    MUST(str_eq(doc.compact, compact));
    arena_free(&a);
}

/* Any want of memory ends in an error. */
static void check_small_arena(struct str text, size_t max)
{
    struct arena a;
    struct json_doc doc;
    arena_init(&a, max);
    enum rc rc = json_parse(&a, text, JSON_TREE | JSON_COMPACT, &doc, NULL);
    MUST(rc == RC_OK || rc == RC_LIMIT);
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct arena a;
    struct json_doc doc;
    struct json_doc compact;
    arena_init(&a, ARENA_MAX);
    enum rc rc = json_parse(&a, text, JSON_TREE | JSON_COMPACT, &doc, NULL);
    MUST(rc == RC_OK || rc == RC_SYNTAX || rc == RC_LIMIT);
    MUST(json_parse(&a, text, JSON_COMPACT, &compact, NULL) == rc);
    MUST(json_parse(&a, text, 0, &compact, NULL) == rc);
    if (rc == RC_OK) {
        MUST(compact.replaced == doc.replaced);
        check_tree(doc.root, has_replaced(doc.root));
        check_compact(doc.compact);
        check_small_arena(text, size * (size % 97));
    }
    arena_free(&a);
    return 0;
}
