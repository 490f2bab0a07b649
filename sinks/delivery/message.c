#include "sinks/delivery/message.h"

#include <stdlib.h>

#include "sinks/delivery/answer.h"

/* Of what an empty message may keep, its body has half; the answer and the noted leads share the rest. */
#define BODY_SHARE 2
#define SMALL_SHARE 4

struct message *message_new(struct delivery *d, size_t leads_max, size_t body_max)
{
    struct message *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->delivery = d;
    buf_init(&p->body, body_max);
    buf_init(&p->noted, body_max);
    buf_init(&p->request.answer, SIZE_MAX); /* the engine bounds it */
    p->envelope = &p->own;
    p->own.leads = calloc(leads_max, sizeof *p->own.leads);
    if (!p->own.leads) {
        free(p);
        return NULL;
    }
    return p;
}

void message_free(struct message *p)
{
    buf_free(&p->body);
    buf_free(&p->noted);
    buf_free(&p->request.answer);
    free(p->own.leads);
    free(p);
}

static void clear_or_free(struct buf *b, size_t keep_bytes)
{
    if (b->cap > keep_bytes)
        buf_free(b);
    else
        buf_clear(b);
}

void message_clear(struct message *p, size_t keep_bytes)
{
    clear_or_free(&p->request.answer, keep_bytes / SMALL_SHARE);
    clear_or_free(&p->body, keep_bytes / BODY_SHARE);
    clear_or_free(&p->noted, keep_bytes / SMALL_SHARE);
    p->request = (struct http_request){.answer = p->request.answer};
    p->envelope = &p->own;
    p->n_requests = 0;
    p->own.n_leads = 0;
    p->own.row = 0;
    p->last_seq = 0;
}

void message_list_add(struct message_list *list, struct message *p)
{
    p->next = NULL;
    if (list->last)
        list->last->next = p;
    else
        list->first = p;
    list->last = p;
}

void message_list_add_first(struct message_list *list, struct message *p)
{
    p->next = list->first;
    list->first = p;
    if (!list->last)
        list->last = p;
}

struct message *message_list_take(struct message_list *list)
{
    struct message *p = list->first;
    if (!p)
        return NULL;
    list->first = p->next;
    if (!list->first)
        list->last = NULL;
    p->next = NULL;
    return p;
}
