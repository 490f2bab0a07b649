/* An object of a bucket while memory runs out for the thread that writes it: the upload is aborted, and nothing that
 * was there is lost. The server is another process, whose memory does not. */
#include "allocation_sweep.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "core/file/outfile.h"
#include "core/file/places.h"
#include "core/object/object_recover.h"
#include "core/object/object_store.h"
#include "folder.h"

#define ID "up-1"
#define REQUEST_BYTES ((size_t)16 << 10)

/* What the server has seen; of both processes. */
struct seen {
    unsigned begun, aborted, completed; /* uploads */
    unsigned deleted;                   /* of the object itself, which nobody may ask for */
    size_t part_bytes;
};

static struct seen *seen;

/* ---- the server ----------------------------------------------------------------------------- */

static void answer(int fd, const char *status, const char *fields, const char *body)
{
    char text[1024];
    int n = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s", status,
                     strlen(body), fields, body);
    if (write(fd, text, (size_t)n) != n)
        _exit(1);
}

static void answer_parts(int fd)
{
    char body[512];
    (void)snprintf(
        body, sizeof body,
        "<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber>"
        "<ETag>\"e1\"</ETag><Size>%zu</Size></Part></ListPartsResult>",
        seen->part_bytes);
    answer(fd, "200 OK", "", body);
}

static void respond(int fd, const char *head, size_t body_bytes)
{
    bool of_upload = strstr(head, "uploadId=" ID) != NULL;
    if (strncmp(head, "PUT ", 4) == 0) {
        seen->part_bytes = body_bytes;
        answer(fd, "200 OK", "ETag: \"e1\"\r\n", "");
    } else if (strncmp(head, "DELETE ", 7) == 0) {
        seen->aborted += of_upload;
        seen->deleted += !of_upload;
        answer(fd, "204 No Content", "", "");
    } else if (strncmp(head, "POST ", 5) == 0 && of_upload) {
        seen->completed++;
        answer(fd, "200 OK", "",
               "<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>");
    } else if (strncmp(head, "POST ", 5) == 0) {
        seen->begun++;
        answer(fd, "200 OK", "",
               "<InitiateMultipartUploadResult><UploadId>" ID
               "</UploadId></InitiateMultipartUploadResult>");
    } else if (of_upload) {
        answer_parts(fd);
    } else {
        answer(fd, "200 OK", "",
               "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>"
               "</ListMultipartUploadsResult>");
    }
}

/* One connection, until its end. */
static void serve(int fd)
{
    static char in[REQUEST_BYTES];
    size_t n = 0;
    for (;;) {
        in[n] = '\0';
        char *end = strstr(in, "\r\n\r\n");
        const char *length = end ? strcasestr(in, "\r\nContent-Length:") : NULL;
        size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
        size_t all = end ? (size_t)(end + 4 - in) + body : 0;
        if (end && n >= all) {
            *end = '\0';
            respond(fd, in, body);
            n -= all;
            memmove(in, in + all, n);
            continue;
        }
        ssize_t got = read(fd, in + n, sizeof in - 1 - n);
        if (got <= 0)
            return;
        n += (size_t)got;
    }
}

/* Its address is *url. */
static pid_t start_server(char url[64])
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof here;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&here, n), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &n), 0);
    (void)snprintf(url, 64, "http://127.0.0.1:%u", ntohs(here.sin_port));
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(seen != MAP_FAILED);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) {
        assert_int_equal(close(fd), 0);
        return pid;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) { /* one client, with one connection at a time */
        int one = accept(fd, NULL, NULL);
        if (one < 0)
            _exit(1);
        serve(one);
        (void)close(one);
    }
}

/* ---- an object ------------------------------------------------------------------------------ */

struct object_work {
    struct object_store_cfg cfg;
    bool aborts, reads_back;
    struct object_store *store;
    struct outfile *file;
    struct buf mark, text;
};

static const char content[] = "what the object is to hold";

static struct places places_of(const struct place_scheme *scheme)
{
    return (struct places){scheme, 1};
}

static void object_begin(void *ctx)
{
    struct object_work *w = ctx;
    struct err e;
    *seen = (struct seen){0};
    w->store = NULL;
    w->file = NULL;
    buf_init(&w->mark, 4096);
    buf_init(&w->text, 4096);
    assert_int_equal(aws_credentials_load(&w->cfg.http.credentials, w->cfg.http.secrets, &e),
                     RC_OK);
}

static enum rc write_object(struct object_work *w, struct err *e)
{
    outfile_write(w->file, content, sizeof content - 1);
    enum rc rc = outfile_mark(w->file, &w->mark, e);
    if (rc == RC_OK && buf_rc(&w->mark) != RC_OK)
        rc = err_nomem(e);
    if (rc == RC_OK)
        rc = outfile_sync(w->file, e);
    if (rc == RC_OK)
        rc = outfile_complete(w->file, e);
    if (rc == RC_OK && w->aborts)
        return outfile_abort(w->file, e);
    if (rc == RC_OK)
        rc = outfile_prepare(w->file, &w->text, e);
    if (rc == RC_OK && buf_rc(&w->text) != RC_OK)
        rc = err_nomem(e);
    return rc == RC_OK ? outfile_publish(w->file, e) : rc;
}

static enum rc object_run(void *ctx, struct err *e)
{
    struct object_work *w = ctx;
    enum rc rc = object_store_new(&w->store, &w->cfg, e);
    if (rc != RC_OK)
        return rc;
    const struct place_scheme scheme = {S3_SCHEME, &place_object, w->store};
    const struct places places = places_of(&scheme);
    const struct outfile_cfg cfg = {.places = &places,
                                    .path = "s3://bucket/key",
                                    .want_sha256 = true,
                                    .reads_back = w->reads_back};
    rc = outfile_open_cfg(&w->file, &cfg, e);
    return rc == RC_OK ? write_object(w, e) : rc;
}

/* As a run ends: an output that was not published is aborted. */
static void object_end(void *ctx, enum rc rc, struct buf *out)
{
    struct object_work *w = ctx;
    struct err e;
    if (rc != RC_OK && w->file && outfile_abort(w->file, &e) != RC_OK)
        fail_msg("%s", e.msg);
    outfile_close(w->file, false);
    object_store_free(w->store);
    aws_credentials_free(w->cfg.http.credentials);
    buf_free(&w->mark);
    buf_free(&w->text);
    if (seen->deleted)
        fail_msg("the object that was there is deleted");
    if (rc == RC_OK)
        buf_addf(out, "%u %u %u %zu", seen->begun, seen->aborted, seen->completed,
                 seen->part_bytes);
    else if (memory.kind == SHORTAGE_ONCE && seen->begun > seen->completed + seen->aborted)
        fail_msg("an upload is left at the server");
}

static void objects(void **state)
{
    char url[64];
    struct object_work w = {.store = NULL};
    const struct http_retry_cfg retry = {1, 60000, 10000, 5000};
    struct secrets *secrets;
    (void)state;
    assert_true(folder_make());
    assert_int_equal(setenv("AWS_ACCESS_KEY_ID", "key", 1), 0);
    assert_int_equal(setenv("AWS_SECRET_ACCESS_KEY", "secret", 1), 0);
    assert_int_equal(secrets_new(&secrets), RC_OK);
    pid_t server = start_server(url);
    w.cfg = (struct object_store_cfg){.http = {.region = "us-east-1",
                                               .proxy = "",
                                               .retry = retry,
                                               .clock = &clock_system,
                                               .secrets = secrets},
                                      .endpoint = url,
                                      .addressing = S3_ADDRESSING_PATH,
                                      .spool_dir = folder};
    memory.spares_libraries = true; /* libuv ends the program without memory */
    memory.owner = pthread_self();
    memory.has_owner = true;
    sweep(&(struct work){"an object", false, object_begin, object_run, object_end, &w});
    w.aborts = true;
    sweep(&(struct work){"an object that is aborted", false, object_begin, object_run, object_end,
                         &w});
    w.aborts = false;
    w.reads_back = true;
    sweep(&(struct work){"an object that is read back", false, object_begin, object_run, object_end,
                         &w});
    w.cfg.owns_keys = true;
    sweep(&(struct work){"an object of a run with a state", false, object_begin, object_run,
                         object_end, &w});
    memory.has_owner = memory.spares_libraries = false;
    assert_int_equal(kill(server, SIGKILL), 0);
    assert_int_equal(waitpid(server, NULL, 0), server);
    secrets_free(secrets);
    assert_true(folder_remove());
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(objects)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
