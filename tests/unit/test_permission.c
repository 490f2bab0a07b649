/* What is said of a refused file: whose it is, who this is, and the command that helps. */
#include "core/base/permission.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/cmocka_all.h"
#include "tests/unit/folder.h"

#define NOBODY 65534

static void make_file(const char *path, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void expect(const char *path, int errnum, enum permission_use use, const char *want)
{
    struct err e;
    (void)permission_failed(&e, RC_USAGE, errnum, path, use);
    size_t at = strlen(path) + 2 + strlen(strerror(errnum));
    if (e.rc != RC_USAGE || strcmp(e.msg + at, want) != 0)
        fail_msg("%s: got \"%s\", want \"%s\" at its end", path, e.msg, want);
}

/* Those of another user, as seen by nobody. */
static void of_another_user(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can be two users */
    make_file("file", 0600);
    assert_int_equal(mkdir("closed", 0700), 0);
    make_file("closed/file", 0644);
    make_file("a b; c", 0600);
    make_file("-R", 0600);
    assert_int_equal(chmod(".", 0755), 0);
    assert_int_equal(setegid(NOBODY), 0);
    assert_int_equal(seteuid(NOBODY), 0);
#define ROOTS(mode) " belongs to the user root (mode " mode "), and this is the user nobody; "
    expect("file", EACCES, PERMISSION_READ,
           "; it" ROOTS("0600") "as root run: chgrp nogroup file && chmod g+r file");
    expect("file", EACCES, PERMISSION_DATABASE,
           "; it" ROOTS("0600") "as root run: chown nobody file*");
    expect("closed", EACCES, PERMISSION_FOLDER,
           "; it" ROOTS("0700") "use a directory of your own, or as root run: chown nobody closed");
    expect("closed/file", EACCES, PERMISSION_READ,
           "; the directory closed" ROOTS(
               "0700") "as root run: chgrp nogroup closed && chmod g+x closed");
    expect("closed//a/b/", EACCES, PERMISSION_FOLDER,
           "; the directory closed" ROOTS(
               "0700") "as root run: chgrp nogroup closed && chmod g+x closed");
    expect("a b; c", EACCES, PERMISSION_READ,
           "; it" ROOTS("0600") "as root run: chgrp nogroup 'a b; c' && chmod g+r 'a b; c'");
    expect("a b; c", EACCES, PERMISSION_DATABASE,
           "; it" ROOTS("0600") "as root run: chown nobody 'a b; c'*");
    expect("-R", EACCES, PERMISSION_FOLDER,
           "; it" ROOTS("0600") "use a directory of your own, or as root run: chown nobody ./-R");
    expect("file", EROFS, PERMISSION_DATABASE, "");
    expect("", EACCES, PERMISSION_READ, "");
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(setegid(0), 0);
}

static void of_this_user(void **state)
{
    (void)state;
    make_file("file", 0);
    permission_explain(NULL, EACCES, "file", PERMISSION_READ);
    if (geteuid() == 0) {
        expect("file", EACCES, PERMISSION_READ, ""); /* then it is no matter of owners */
        assert_int_equal(chown("file", NOBODY, NOBODY), 0);
        assert_int_equal(chmod(".", 0755), 0);
        assert_int_equal(seteuid(NOBODY), 0);
    }
    struct err e;
    (void)permission_failed(&e, RC_IO, EACCES, "file", PERMISSION_READ);
    if (e.rc != RC_IO || !strstr(e.msg, "(mode 0000)") || !strstr(e.msg, "; run: chmod u+r file"))
        fail_msg("%s", e.msg);
    assert_int_equal(seteuid(getuid()), 0);
}

static void missing_folders(void **state)
{
    (void)state;
    struct err e;
    (void)err_set(&e, RC_USAGE, "x");
    permission_explain_missing(&e, "new/er");
    assert_string_equal(e.msg, "x; create it: mkdir -p new/er");
    (void)err_set(&e, RC_USAGE, "x");
    permission_explain_missing(&e, "it's\1/$(new)");
    assert_string_equal(e.msg, "x; create it: mkdir -p 'it'\\''s\1/$(new)'");
    permission_explain_missing(NULL, "new/er");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(of_another_user),
        IN_FOLDER(of_this_user),
        IN_FOLDER(missing_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
