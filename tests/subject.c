/* SPDX-License-Identifier: MIT
 *
 * subject.c - a process that is experimented on, by means of seccomp(2) of Linux.
 */
#define _GNU_SOURCE
#include "subject.h"

#include "testing.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <execinfo.h>
#endif

#define IDLE_MS 20 /* a process that makes no call for this long, and sleeps, is waiting */
#define HELD_MS 3  /* so long no other thread makes a call while a call is held, until that is done */

/* ---- Which calls may fail, and how ------------------------------------------------------------------ */

#define ERRORS(...)    \
    (const int[])      \
    {                  \
        __VA_ARGS__, 0 \
    }
#define ON_FILES EINTR, EIO, EACCES, ENOMEM, ESTALE

static const struct {
    int number;
    const char *name;
    const int *errors;
} calls[] = {
    { SYS_openat, "openat", ERRORS(ON_FILES, ENOSPC, EMFILE) },
    { SYS_flock, "flock", ERRORS(EINTR, EIO, ENOLCK, ENOSYS, ENOMEM, EBADF, ESTALE, EAGAIN) },
    { SYS_fcntl, "fcntl", ERRORS(EBADF, EMFILE) },
    { FCNTL_LOCK, "fcntl, locking", ERRORS(EINTR, EIO, ENOLCK, EINVAL, EBADF, ESTALE, EACCES, EAGAIN) },
    { FCNTL_LOOK, "fcntl, looking", ERRORS(0) }, /* fails only if the descriptor is gone */
    { SYS_fstat, "fstat", ERRORS(EIO, ENOMEM, ESTALE) },
    { SYS_newfstatat, "newfstatat", ERRORS(ON_FILES) },
#ifdef SYS_statx
    { SYS_statx, "statx", ERRORS(ON_FILES) },
#endif
#ifdef SYS_open
    { SYS_open, "open", ERRORS(ON_FILES, ENOSPC, EMFILE) },
#endif
#ifdef SYS_stat
    { SYS_stat, "stat", ERRORS(ON_FILES) },
    { SYS_lstat, "lstat", ERRORS(ON_FILES) },
#endif
    { SYS_read, "read", ERRORS(EINTR, EIO, ENOMEM) },
    { SYS_pread64, "pread64", ERRORS(EINTR, EIO, ESTALE) },
    { SYS_pwrite64, "pwrite64", ERRORS(EINTR, EIO, ENOSPC, EDQUOT) },
    { SYS_ftruncate, "ftruncate", ERRORS(EINTR, EIO, ENOSPC) },
    { SYS_fchmod, "fchmod", ERRORS(EPERM, EIO) },
    { SYS_linkat, "linkat", ERRORS(EIO, ENOSPC, EACCES, EPERM, ENOSYS, EMLINK) },
#ifdef SYS_link
    { SYS_link, "link", ERRORS(EIO, ENOSPC, EACCES, EPERM, ENOSYS, EMLINK) },
#endif
    { SYS_unlinkat, "unlinkat", ERRORS(EIO, EACCES, EROFS, EBUSY) },
#ifdef SYS_unlink
    { SYS_unlink, "unlink", ERRORS(EIO, EACCES, EROFS, EBUSY) },
#endif
    { SYS_renameat2, "renameat2", ERRORS(EIO, ENOSPC, ENOSYS, EINVAL, EACCES) },
#ifdef SYS_rename
    { SYS_rename, "rename", ERRORS(EIO, ENOSPC, EACCES) },
#endif
#ifdef SYS_mkdir
    { SYS_mkdir, "mkdir", ERRORS(EIO, ENOSPC, EACCES) },
#endif
    { SYS_mkdirat, "mkdirat", ERRORS(EIO, ENOSPC, EACCES) },
    { SYS_getdents64, "getdents64", ERRORS(EIO, ENOENT) },
    { SYS_readlinkat, "readlinkat", ERRORS(EIO, EACCES) },
#ifdef SYS_readlink
    { SYS_readlink, "readlink", ERRORS(EIO, EACCES) },
#endif
    { SYS_fstatfs, "fstatfs", ERRORS(EIO, ENOSYS) },
    { SYS_statfs, "statfs", ERRORS(EIO, ENOSYS) },
    { FAILING_CLOSE, "close", ERRORS(EIO, EINTR) },
    { SYS_write, "write", ERRORS(EINTR) },
    { SYS_kill, "kill", ERRORS(EPERM) },
    { SYS_ppoll, "ppoll", ERRORS(EINTR, ENOMEM) },
#ifdef SYS_poll
    { SYS_poll, "poll", ERRORS(EINTR, ENOMEM) },
#endif
    { SYS_eventfd2, "eventfd2", ERRORS(EMFILE, ENFILE, ENOMEM, ENOSYS) },
    { SYS_pipe2, "pipe2", ERRORS(EMFILE, ENFILE) },
#ifdef SYS_pipe
    { SYS_pipe, "pipe", ERRORS(EMFILE, ENFILE) },
#endif
    { SYS_inotify_init1, "inotify_init1", ERRORS(EMFILE, ENOMEM, ENOSYS) },
    { SYS_inotify_add_watch, "inotify_add_watch", ERRORS(ENOSPC, ENOMEM, EACCES) },
#ifdef SYS_pidfd_open
    { SYS_pidfd_open, "pidfd_open", ERRORS(EMFILE, ENOMEM, ENOSYS) },
#endif
    { SYS_clone, "clone", ERRORS(EAGAIN, ENOMEM) },
#ifdef SYS_clone3
    { SYS_clone3, "clone3", ERRORS(EAGAIN, ENOMEM) },
#endif
};

/* 32-bit systems have these system calls in place of others. */
static const struct {
    int number, same_as;
} wide[] = {
#ifdef SYS_fcntl64
    { SYS_fcntl64, SYS_fcntl },
#endif
#ifdef SYS_fstat64
    { SYS_fstat64, SYS_fstat },
    { SYS_stat64, SYS_newfstatat },
    { SYS_lstat64, SYS_newfstatat },
    { SYS_fstatat64, SYS_newfstatat },
#endif
#ifdef SYS_ftruncate64
    { SYS_ftruncate64, SYS_ftruncate },
    { SYS_fstatfs64, SYS_fstatfs },
    { SYS_statfs64, SYS_statfs },
#endif
#ifdef SYS_ppoll_time64
    { SYS_ppoll_time64, SYS_ppoll },
#endif
    { -1, -1 },
};

#define CALLS (sizeof calls / sizeof *calls)

static size_t row_of(int number)
{
    size_t row = 0;
    while (row < CALLS && calls[row].number != number)
        row++;
    return row;
}

int errors_count(int number)
{
    size_t row = row_of(number);
    int count = 0;
    while (row < CALLS && calls[row].errors[count])
        count++;
    return count;
}

int error_of(int number, int choice)
{
    int count = errors_count(number);
    return count > 0 ? calls[row_of(number)].errors[choice % count] : 0;
}

static int number_of(const struct trace_call *call)
{
    int number = call->number;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (wide[i].number == number)
            number = wide[i].same_as;
    int locking = number == SYS_fcntl && (call->arguments[1] == F_OFD_SETLK || call->arguments[1] == F_OFD_SETLKW);
    if (number == SYS_close && (int) call->arguments[0] < 0)
        return FAILING_CLOSE;
    if (number == SYS_fcntl && call->arguments[1] == F_GETSIG)
        return FCNTL_LOOK;
    return locking ? FCNTL_LOCK : number;
}

int removes(int number)
{
#ifdef SYS_unlink
    if (number == SYS_unlink)
        return 1;
#endif
    return number == SYS_unlinkat;
}

/* True if the call can block: then the event that it waits for may happen from now on. */
static int may_block(const struct trace_call *call)
{
    switch (number_of(call)) {
#ifdef SYS_poll
    case SYS_poll:
#endif
    case SYS_ppoll:
        return 1;
    case SYS_flock:
        return !(call->arguments[1] & (LOCK_NB | LOCK_UN));
    case FCNTL_LOCK:
        return call->arguments[1] == F_OFD_SETLKW;
    default:
        return 0;
    }
}

/* ---- The process ------------------------------------------------------------------------------------ */

const struct fault no_fault = { -1, 0 };

/* The call fails only if there is no tracer. */
void subject_ready(void)
{
    if (syscall(TRACE_WORD) < 0)
        _exit(0);
}

/* Makes glibc load what cancelling a thread takes.  It does so once in a process, and not for the library's sake. */
static void warm_up(void)
{
#ifdef __GLIBC__
    void *frame[1];
    backtrace(frame, 1);
#endif
}

/* No operation makes more calls than this, apart from those that it makes for each process of the system. */
#define EVERY_STRIDE 128

int subject_next_call(int call, int stride)
{
    return call < EVERY_STRIDE ? call + stride : call + stride * (call / 16);
}

int subject_start(struct subject *subject, void (*body)(void *arg), void *arg)
{
    int ends[2];
    memset(subject, 0, sizeof *subject);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    subject->pid = fork();
    if (subject->pid == 0) {
        close(ends[0]);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGTERM, SIG_DFL); /* Check's handler is meant for the test */
        warm_up();
        int traced = trace_me(ends[1]) == 0;
        close(ends[1]);
        if (traced)
            body(arg);
        _exit(traced ? 0 : 70);
    }
    ck_assert_int_gt(subject->pid, 0);
    close(ends[1]);
    subject->tracer = tracer_open(ends[0]);
    close(ends[0]);
    if (subject->tracer >= 0)
        return 0;
    waitpid(subject->pid, NULL, 0);
    subject->pid = 0;
    return -1;
}

static void hit(struct subject *subject, const struct fault *fault, int number)
{
    size_t row = row_of(number);
    subject->hit = number;
    subject->error = fault->choice < 0 ? 0 : error_of(number, fault->choice);
    snprintf(subject->what, sizeof subject->what, "call %d, %s (%d): %s", fault->at,
             row < CALLS ? calls[row].name : "another", number,
             fault->choice == KILL    ? "killed"
             : fault->choice == PAUSE ? "paused"
             : fault->choice == HOLD  ? "held"
                                      : result_name(-subject->error));
}

static void on_call(struct subject *subject, const struct fault *fault, const struct trace_call *call)
{
    int at = subject->calls++;
    if (at == fault->at)
        hit(subject, fault, number_of(call));
    int choice = at == fault->at ? fault->choice : 0;
    if (choice < 0 && subject->doom)
        subject->doom();
    if (choice == KILL) {
        kill(subject->pid, SIGKILL);
    } else if (choice == HOLD) {
        subject->held = *call;
        subject->holding = 1;
    } else {
        trace_answer(subject->tracer, call, at == fault->at ? subject->error : 0);
    }
}

static void let_held_go(struct subject *subject)
{
    if (subject->holding)
        trace_answer(subject->tracer, &subject->held, 0);
    subject->holding = 0;
}

/* Counts the time for which no other thread has made a call. */
static void hold_on(struct subject *subject, enum trace trace)
{
    if (!subject->holding)
        return;
    subject->holding = trace == TRACE_IDLE ? subject->holding + 1 : 1;
    if (subject->holding > HELD_MS)
        let_held_go(subject);
}

struct tasks {
    int64_t pid;
    int awake;
};

static void look_at_task(const char *task, void *arg)
{
    struct tasks *tasks = arg;
    tasks->awake += task_asleep(tasks->pid, atoll(task)) == 0;
}

/* True if no thread of the process runs, or waits for a processor. */
static int is_asleep(const struct subject *subject)
{
    struct tasks tasks = { subject->pid, 0 };
    char path[64];
    snprintf(path, sizeof path, "/proc/%lld/task", (long long) subject->pid);
    return each_entry(path, look_at_task, &tasks) != 0 || tasks.awake == 0;
}

static int is_idle(const struct subject *subject, int64_t since)
{
    return now_ns() - since > IDLE_MS * 1000000 && is_asleep(subject);
}

int subject_go(struct subject *subject, const struct fault *fault, void (*blocked)(void))
{
    int64_t since = now_ns();
    struct trace_call call;
    subject->calls = 0;
    subject->hit = -1;
    subject->error = 0;
    snprintf(subject->what, sizeof subject->what, "no fault");
    if (subject->talking)
        trace_answer(subject->tracer, &subject->word, 0);
    subject->talking = 0;
    for (;;) {
        enum trace trace = trace_next(subject->tracer, &call);
        if (trace == TRACE_END)
            return 0;
        if (trace == TRACE_CALL && call.number == TRACE_WORD) {
            subject->word = call;
            subject->talking = 1;
            let_held_go(subject);
            return 1;
        }
        int waits = trace == TRACE_CALL ? may_block(&call) : is_idle(subject, since);
        if (trace == TRACE_CALL) {
            on_call(subject, fault, &call);
            since = now_ns();
        }
        hold_on(subject, trace);
        if (waits && blocked) {
            blocked();
            blocked = NULL;
        }
        ck_assert_msg(now_ns() - since < (int64_t) PATIENCE_MS * 1000000, "%s: stuck", subject->what);
    }
}

void subject_kill(struct subject *subject)
{
    kill(subject->pid, SIGKILL);
    ck_assert_int_eq(waitpid(subject->pid, NULL, 0), subject->pid);
    close(subject->tracer);
}

/* ---- From outside ----------------------------------------------------------------------------------- */

static int entries_of(const struct subject *subject, const char *what)
{
    char path[64];
    const struct dirent *entry;
    int count = 0;
    snprintf(path, sizeof path, "/proc/%lld/%s", (long long) subject->pid, what);
    DIR *directory = opendir(path);
    ck_assert_msg(directory != NULL, "there is no %s", path);
    while ((entry = readdir(directory)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

int subject_descriptors(const struct subject *subject)
{
    return entries_of(subject, "fd");
}

int subject_threads(const struct subject *subject)
{
    return entries_of(subject, "task");
}

/* True if the descriptor is not close-on-exec. */
static int is_kept(const struct subject *subject, const char *number)
{
    char path[300], line[128];
    unsigned flags = 0;
    snprintf(path, sizeof path, "/proc/%lld/fdinfo/%s", (long long) subject->pid, number);
    FILE *info = fopen(path, "re");
    ck_assert_ptr_nonnull(info);
    while (fgets(line, sizeof line, info) && sscanf(line, "flags: %o", &flags) != 1)
        ;
    fclose(info);
    return !(flags & O_CLOEXEC);
}

int subject_keeps(const struct subject *subject, const char *path)
{
    char name[300];
    struct stat wanted, there;
    const struct dirent *entry;
    int kept = -1;
    ck_assert_int_eq(stat(path, &wanted), 0);
    snprintf(name, sizeof name, "/proc/%lld/fd", (long long) subject->pid);
    DIR *directory = opendir(name);
    ck_assert_ptr_nonnull(directory);
    while ((entry = readdir(directory)) != NULL)
        if (fstatat(dirfd(directory), entry->d_name, &there, 0) == 0 && there.st_ino == wanted.st_ino &&
            there.st_dev == wanted.st_dev && entry->d_name[0] != '.')
            kept = is_kept(subject, entry->d_name);
    closedir(directory);
    return kept;
}
