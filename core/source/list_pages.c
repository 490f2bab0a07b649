#include "core/source/list_pages.h"

#include <openssl/evp.h>

#define PAGE_KEYS_BYTES_MAX ((size_t)64 << 20)

void list_pages_init(struct list_pages *p, enum list_style style)
{
    *p = (struct list_pages){.style = style, .passes = 1};
    idset_init(&p->all);
    idset_init(&p->pass);
    idset_init(&p->tokens);
    idset_init(&p->pages);
    buf_init(&p->page_keys, PAGE_KEYS_BYTES_MAX);
}

void list_pages_free(struct list_pages *p)
{
    idset_free(&p->all);
    idset_free(&p->pass);
    idset_free(&p->tokens);
    idset_free(&p->pages);
    buf_free(&p->page_keys);
}

uint64_t list_pages_leads(const struct list_pages *p)
{
    return p->all.n;
}

/* Do all known leads come from the current pass? */
static bool is_only_pass(const struct list_pages *p)
{
    return p->passes == 1 && !p->has_known;
}

/* The number of different leads in this pass. */
static uint64_t pass_leads(const struct list_pages *p)
{
    return is_only_pass(p) ? p->all.n : p->pass.n;
}

bool list_pages_has_total(const struct list_pages *p)
{
    return p->has_total && pass_leads(p) == p->total;
}

/* ---- leads ----------------------------------------------------------------------------------- */

enum rc list_pages_know(struct list_pages *p, const unsigned char key[LEAD_KEY_BYTES],
                        struct err *e)
{
    bool is_new;
    p->has_known = true;
    return idset_add(&p->all, key, &is_new) == RC_OK ? RC_OK : err_nomem(e);
}

enum rc list_pages_add(struct list_pages *p, const unsigned char key[LEAD_KEY_BYTES], bool *is_new,
                       struct err *e)
{
    bool is_new_in_pass = false;
    enum rc rc = idset_add(&p->all, key, is_new);
    if (is_only_pass(p))
        is_new_in_pass = *is_new;
    else if (rc == RC_OK)
        rc = idset_add(&p->pass, key, &is_new_in_pass);
    buf_add(&p->page_keys, key, LEAD_KEY_BYTES);
    if (rc != RC_OK || buf_rc(&p->page_keys) != RC_OK)
        return err_nomem(e);
    p->n_page_new += is_new_in_pass;
    p->n_new_in_all += *is_new;
    p->has_moved |= !is_new_in_pass;
    return RC_OK;
}

/* ---- pages ----------------------------------------------------------------------------------- */

/* *is_new: it was not in the set before. */
static enum rc add_digest(struct idset *set, struct str text, bool *is_new, struct err *e)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (!EVP_Digest(text.ptr, text.len, digest, NULL, EVP_sha256(), NULL))
        return err_set(e, RC_INTERNAL, "SHA-256 cannot be computed");
    return idset_add(set, digest, is_new) == RC_OK ? RC_OK : err_nomem(e);
}

static void note_total(struct list_pages *p, const struct list_page *page)
{
    if (!page->has_total)
        return;
    p->has_moved |= p->has_total && p->total != page->total;
    p->has_total = true;
    p->total = page->total;
}

/* All pages should have the size of the first one, except for the last one that is not empty. */
static void note_size(struct list_pages *p, uint64_t n)
{
    if (n == 0)
        return;
    p->has_moved |= p->was_odd_size;
    if (!p->n_first_page)
        p->n_first_page = n;
    p->has_moved |= n > p->n_first_page;
    p->was_odd_size = n != p->n_first_page;
}

/* Does the list continue after this page? */
static bool continues(const struct list_pages *p, const struct list_page *page)
{
    if (page->is_last)
        return false;
    if (p->style == LIST_PAGE)
        return page->n_items != 0;
    if (p->style == LIST_CURSOR && page->n_items == 0)
        return false;
    return page->cursor.len != 0;
}

static enum list_step done(struct list_pages *p, enum list_end end)
{
    p->end = end;
    return LIST_STEP_DONE;
}

static enum list_step begin_again(struct list_pages *p)
{
    idset_free(&p->pass);
    idset_free(&p->tokens);
    idset_free(&p->pages);
    idset_init(&p->pass);
    idset_init(&p->tokens);
    idset_init(&p->pages);
    p->passes++;
    p->n_new_in_all = p->n_first_page = p->total = 0;
    p->pages_nothing_new = 0;
    p->was_odd_size = p->has_moved = p->has_total = false;
    return LIST_STEP_AGAIN;
}

static enum list_step end_pass(struct list_pages *p)
{
    bool differs = p->has_total && p->total != pass_leads(p);
    if (p->passes == 1)
        return p->has_moved || differs ? begin_again(p) : done(p, LIST_END_COMPLETE);
    if (p->n_new_in_all == 0)
        return done(p, differs ? LIST_END_TOTAL_DIFFERS : LIST_END_COMPLETE);
    if (p->passes == 1 + LIST_REPEATS_MAX)
        return done(p, LIST_END_CHANGED);
    return begin_again(p);
}

/* Detects a list that does not end. Some servers return the last page for all later numbers, which is accepted if the total
 * has been reached. */
static enum rc find_loop(struct list_pages *p, const struct list_page *page, bool *found,
                         enum list_step *out, struct err *e)
{
    bool is_new_page = true, is_new_token = true;
    enum rc rc = RC_OK;
    *found = true;
    if (p->page_keys.len)
        rc = add_digest(&p->pages, buf_str(&p->page_keys), &is_new_page, e);
    if (rc == RC_OK && page->cursor.len && continues(p, page))
        rc = add_digest(&p->tokens, page->cursor, &is_new_token, e);
    p->pages_nothing_new = p->n_page_new ? 0 : p->pages_nothing_new + 1;
    if (!is_new_token)
        *out = done(p, LIST_END_TOKEN_REPEATED);
    else if (!is_new_page && p->style == LIST_PAGE && list_pages_has_total(p))
        *out = end_pass(p);
    else if (!is_new_page)
        *out = done(p, LIST_END_PAGE_REPEATED);
    else if (p->pages_nothing_new == LIST_PAGES_NOTHING_NEW)
        *out = done(p, LIST_END_NOTHING_NEW);
    else
        *found = false;
    return rc;
}

enum rc list_pages_next(struct list_pages *p, const struct list_page *page, enum list_step *out,
                        struct err *e)
{
    bool found = false;
    note_total(p, page);
    note_size(p, page->n_items);
    enum rc rc = find_loop(p, page, &found, out, e);
    if (rc == RC_OK && !found)
        *out = continues(p, page) ? LIST_STEP_NEXT : end_pass(p);
    p->n_page_new = 0;
    buf_clear(&p->page_keys);
    return rc;
}

enum rc list_pages_none(struct list_pages *p, enum list_step *out, struct err *e)
{
    const struct list_page none = {.is_last = true};
    return list_pages_next(p, &none, out, e);
}
