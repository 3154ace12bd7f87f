/* SPDX-License-Identifier: MIT
 *
 * lying.c - locks that lie, for tests/doctor.sh: a library to be loaded before the C library (LD_PRELOAD).
 *
 * FILELOCK_LIE says how:
 *   grant    every lock of the operating system is granted to all
 *   marker   every link is made, and none is there: soft locks are granted to all
 *   alone    shared locks exclude each other
 *   outlive  a lock lives on when its holder is killed
 *   silent   no directory can be watched
 *   hello    none: the library says that it was loaded
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

static int lies(const char *how)
{
    const char *lie = getenv("FILELOCK_LIE");

    return lie != NULL && strcmp(lie, how) == 0;
}

__attribute__((constructor)) static void say_hello(void)
{
    if (lies("hello"))
        fputs("lying is loaded\n", stderr);
}

static int is_named_flock(int fd)
{
    char link[64], path[4096];
    ssize_t length;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path);
    return length > 6 && memcmp(path + length - 6, "/flock", 6) == 0;
}

/* Leaves a process behind which has the lock's descriptor alone, and ends after a while.  The handlers of a fork would
 * close it. */
static void outlive(int fd)
{
    int other;

    if (syscall(SYS_clone, 0, 0, 0, 0, 0) != 0)
        return;
    for (other = 0; other < 256; other++)
        if (other != fd)
            close(other);
    setsid();
    /* Signals may be blocked in this thread. */
    poll(NULL, 0, 8000);
    _exit(0);
}

int flock(int fd, int operation)
{
    int (*real)(int, int) = (int (*)(int, int)) dlsym(RTLD_NEXT, "flock");
    int rc;

    if (lies("grant"))
        return 0;
    if (lies("alone") && (operation & LOCK_SH))
        operation = (operation & ~LOCK_SH) | LOCK_EX;
    rc = real(fd, operation);
    if (rc == 0 && lies("outlive") && (operation & LOCK_EX) && is_named_flock(fd))
        outlive(fd);
    return rc;
}

static int lock_range(const char *name, int fd, int command, void *argument)
{
    int (*real)(int, int, ...) = (int (*)(int, int, ...)) dlsym(RTLD_NEXT, name);

    if (lies("grant") && (command == F_OFD_SETLK || command == F_OFD_SETLKW))
        return 0;
    return real(fd, command, argument);
}

int fcntl(int fd, int command, ...)
{
    va_list arguments;
    void *argument;

    va_start(arguments, command);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    return lock_range("fcntl", fd, command, argument);
}

int fcntl64(int fd, int command, ...)
{
    va_list arguments;
    void *argument;

    va_start(arguments, command);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    return lock_range("fcntl64", fd, command, argument);
}

int linkat(int from, const char *path, int to, const char *name, int flags)
{
    int (*real)(int, const char *, int, const char *, int) =
        (int (*)(int, const char *, int, const char *, int)) dlsym(RTLD_NEXT, "linkat");

    return lies("marker") ? 0 : real(from, path, to, name, flags);
}

int inotify_init1(int flags)
{
    int (*real)(int) = (int (*)(int)) dlsym(RTLD_NEXT, "inotify_init1");

    if (lies("silent")) {
        errno = EMFILE;
        return -1;
    }
    return real(flags);
}
