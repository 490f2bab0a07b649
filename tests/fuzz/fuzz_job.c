/* Job files from outside: whatever is in one, it is refused in one line that shows no secret, or becomes a command line
 * that says the same each time. */
#include <string.h>

#include "cmd/job_file.h"
#include "cmd/options.h"
#include "core/base/unicode.h"
#include "fuzz.h"

#define NAME "fuzz.yaml"
#define FOLDER "/folder"
#define VARIABLE "FUZZ_SECRET" /* "${FUZZ_SECRET}" in a file */
#define SECRET "xq7-not-to-be-shown"
#define WORDS_MAX 64

/* As a terminal gets it. */
static bool is_line(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7F)
            return false;
    }
    return utf8_valid(text, n);
}

/* Two lines, the second of which has the caret. */
static void check_caret(const struct job_file *j)
{
    struct buf b;
    buf_init(&b, 65536);
    job_text_put_caret(&j->text, &b);
    MUST(buf_rc(&b) == RC_OK);
    struct str s = buf_str(&b);
    MUST(s.len == 0 || j->text.has_fault);
    if (s.len > 0) {
        const char *end = memchr(s.ptr, '\n', s.len);
        MUST(end && is_line(s.ptr, (size_t)(end - s.ptr)));
        size_t rest = s.len - (size_t)(end + 1 - s.ptr);
        MUST(rest > 2 && memcmp(end + rest - 1, "^\n", 2) == 0 && strspn(end + 1, " ") == rest - 2);
        MUST(!memmem(s.ptr, s.len, SECRET, sizeof SECRET - 1));
    }
    buf_free(&b);
}

static void check_refusal(const struct job_file *j, const struct err *e)
{
    MUST(strncmp(e->msg, NAME, sizeof NAME - 1) == 0);
    MUST(is_line(e->msg, strlen(e->msg)) && !strstr(e->msg, SECRET));
    for (size_t i = 0; i < j->n; i++)
        MUST(j->arguments[i].option && (j->arguments[i].option->flags & OPTION_REPORTING));
    check_caret(j);
}

static void put_arguments(const struct job_file *j, struct buf *out)
{
    for (size_t i = 0; i < j->n; i++) {
        const struct job_argument *a = &j->arguments[i];
        buf_addf(out, "%s=%s\n", a->option ? a->option->name : "", a->value ? a->value : "");
    }
}

/* The command line that it stands for is read, or refused for what is in no single place of the file. */
static void check_options(const struct job_file *j)
{
    static char *argv[WORDS_MAX + 2];
    struct buf words[WORDS_MAX];
    char command[] = "export";
    struct export_options options;
    struct err e = {.msg = ""};
    int argc = 0;
    size_t n = j->n < WORDS_MAX ? j->n : WORDS_MAX;
    argv[argc++] = command;
    for (size_t i = 0; i < n; i++) {
        const struct job_argument *a = &j->arguments[i];
        MUST(!a->value || is_line(a->value, strlen(a->value)));
        buf_init(&words[i], (size_t)8 << 20);
        if (a->option)
            buf_addf(&words[i], "--%s%s%s", a->option->name, a->value ? "=" : "",
                     a->value ? a->value : "");
        else
            buf_adds(&words[i], a->value);
        MUST(*buf_cstr(&words[i])); /* ends with a NUL from here on */
        argv[argc++] = words[i].data;
    }
    argv[argc] = NULL;
    enum rc rc = options_parse(&options, argc, argv, &e);
    MUST(rc == RC_OK || rc == RC_USAGE);
    if (rc == RC_OK)
        options_free(&options);
    for (size_t i = 0; i < n; i++)
        buf_free(&words[i]);
}

static enum rc read_once(struct str text, bool keeps_references, struct buf *out)
{
    struct err e = {.msg = ""};
    struct job_file j = {.keeps_references = keeps_references};
    enum rc rc = job_file_read_text(&j, NAME, text, FOLDER, &e);
    MUST(rc == RC_OK || rc == RC_USAGE);
    if (rc == RC_OK && !keeps_references)
        check_options(&j);
    else if (rc != RC_OK)
        check_refusal(&j, &e);
    put_arguments(&j, out);
    buf_adds(out, e.msg);
    MUST(buf_rc(out) == RC_OK);
    job_file_free(&j);
    return rc;
}

/* libfyaml does not free what it had of a text in quotes that never ends. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the sanitizer calls it so */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml.so\n";
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf first, again, shown;
    size_t n = size < JOB_BYTES_MAX ? size : JOB_BYTES_MAX;
    if (size && memmem(data, size, SECRET, 3)) /* that a file shows its own text is no fault */
        return 0;
    char *copy = malloc(n + 1);
    MUST(copy && setenv(VARIABLE, SECRET, 1) == 0);
    if (n)
        memcpy(copy, data, n);
    copy[n] = '\0';
    struct str text = {copy, n};
    buf_init(&first, (size_t)64 << 20);
    buf_init(&again, (size_t)64 << 20);
    buf_init(&shown, (size_t)64 << 20);
    enum rc rc = read_once(text, false, &first);
    MUST(read_once(text, false, &again) == rc);
    MUST(first.len == again.len && (!first.len || memcmp(first.data, again.data, first.len) == 0));
    (void)read_once(text, true, &shown); /* as --print does */
    buf_free(&first);
    buf_free(&again);
    buf_free(&shown);
    free(copy);
    return 0;
}
