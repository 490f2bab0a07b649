/* A receiver on loopback for tests: one request after another, each answered as it was set before,
 * all stored. It speaks as little HTTP as will do. */
#ifndef LEADPIPE_TESTS_HTTP_STUB_H
#define LEADPIPE_TESTS_HTTP_STUB_H

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define STUB_REQUESTS_MAX 64
#define STUB_HOLD "" /* no answer until the stub ends */

struct stub {
    int listener;
    char url[64];
    pthread_t thread;
    const char *answers[STUB_REQUESTS_MAX];           /* whole; NULL: 200 without a body */
    void (*received)(void *ctx, const char *request); /* before it is answered; NULL: nobody asks */
    void *ctx;
    /* under `lock` until stub_end() */
    pthread_mutex_t lock;
    pthread_cond_t more;               /* requests */
    char *requests[STUB_REQUESTS_MAX]; /* head and body */
    size_t n;
    int held[STUB_REQUESTS_MAX];
    size_t n_held;
};

static inline void stub_must(bool ok, const char *what)
{
    if (!ok) {
        perror(what);
        abort();
    }
}

/* The value of a header or "": in a static buffer, one for each call in a row of four. */
static inline const char *stub_header(const char *request, const char *name)
{
    static char values[4][1024];
    static unsigned next;
    char *out = values[next++ % 4];
    size_t name_len = strlen(name);
    *out = '\0';
    for (const char *line = request; *line && *line != '\r';) {
        size_t len = strcspn(line, "\r");
        if (len > name_len + 1 && strncasecmp(line, name, name_len) == 0 && line[name_len] == ':')
            (void)snprintf(out, 1024, "%.*s", (int)(len - name_len - 2), line + name_len + 2);
        line += line[len] == '\r' ? len + 2 : len;
    }
    return out;
}

static inline const char *stub_body(const char *request)
{
    const char *end = strstr(request, "\r\n\r\n");
    return end ? end + 4 : NULL;
}

/* NULL: the connection ended without a whole request. */
static inline char *stub_read(int fd)
{
    size_t len = 0, cap = 1 << 20;
    char *text = malloc(cap);
    stub_must(text != NULL, "malloc");
    for (;;) {
        text[len] = '\0';
        const char *body = stub_body(text);
        if (body && strlen(body) >= strtoul(stub_header(text, "content-length"), NULL, 10))
            return text;
        ssize_t n = len + 1 < cap ? read(fd, text + len, cap - len - 1) : 0;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    free(text);
    return NULL;
}

static inline void stub_answer(struct stub *s, int fd, const char *answer)
{
    if (!answer)
        answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    if (!*answer) {
        s->held[s->n_held++] = fd;
        return;
    }
    (void)!write(fd, answer, strlen(answer));
    close(fd);
}

static inline void *stub_run(void *arg)
{
    struct stub *s = arg;
    for (;;) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        char *request = stub_read(fd);
        if (!request || s->n == STUB_REQUESTS_MAX) {
            free(request);
            close(fd);
            continue;
        }
        if (s->received)
            s->received(s->ctx, request);
        pthread_mutex_lock(&s->lock);
        s->requests[s->n] = request;
        const char *answer = s->answers[s->n++];
        pthread_cond_broadcast(&s->more);
        pthread_mutex_unlock(&s->lock);
        stub_answer(s, fd, answer);
    }
}

static inline void stub_start(struct stub *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    (void)signal(SIGPIPE, SIG_IGN); /* as http.h requires */
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    stub_must(s->listener >= 0, "socket");
    stub_must(bind(s->listener, (struct sockaddr *)&a, len) == 0, "bind");
    stub_must(listen(s->listener, 128) == 0, "listen");
    stub_must(getsockname(s->listener, (struct sockaddr *)&a, &len) == 0, "getsockname");
    (void)snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u/hook", ntohs(a.sin_port));
    stub_must(pthread_mutex_init(&s->lock, NULL) == 0, "pthread_mutex_init");
    stub_must(pthread_cond_init(&s->more, NULL) == 0, "pthread_cond_init");
    stub_must(pthread_create(&s->thread, NULL, stub_run, s) == 0, "pthread_create");
}

/* Until `n` requests have come. */
static inline void stub_wait(struct stub *s, size_t n)
{
    pthread_mutex_lock(&s->lock);
    while (s->n < n)
        pthread_cond_wait(&s->more, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

static inline void stub_end(struct stub *s)
{
    (void)shutdown(s->listener, SHUT_RDWR); /* wakes accept() */
    stub_must(pthread_join(s->thread, NULL) == 0, "pthread_join");
    close(s->listener);
    for (size_t i = 0; i < s->n_held; i++)
        close(s->held[i]);
}

static inline void stub_free(struct stub *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->requests[i]);
    pthread_cond_destroy(&s->more);
    pthread_mutex_destroy(&s->lock);
}

#endif
