/* SPDX-License-Identifier: MIT
 *
 * syscalls_linux.c - system calls that fail, or are stopped one after the other, by means of seccomp(2) of Linux.
 */
#define _GNU_SOURCE
#include "syscalls_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t) (offset))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (uint32_t) (value))
#define JUMP(how, value, yes, no) BPF_JUMP(BPF_JMP | (how) | BPF_K, (uint32_t) (value), (yes), (no))

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LOW_HALF 4
#else
#define LOW_HALF 0
#endif

static long load(struct sock_filter *filter, size_t length, unsigned flags)
{
    struct sock_fprog program = { (unsigned short) length, filter };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

int deny(long number, unsigned argument, uint32_t bits, int error)
{
    struct sock_filter filter[] = {
        LOAD(offsetof(struct seccomp_data, nr)),
        JUMP(BPF_JEQ, number, 0, 3),
        LOAD(offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t) + LOW_HALF),
        JUMP(BPF_JSET, bits, 0, bits ? 1 : 0),
        RETURN(SECCOMP_RET_ERRNO | ((uint32_t) error & SECCOMP_RET_DATA)),
        RETURN(SECCOMP_RET_ALLOW),
    };
#ifdef SYS_open
    /* glibc opens files by openat(2), musl by open(2). */
    if (number == SYS_openat && deny(SYS_open, argument ? argument - 1 : 0, bits, error) != 0)
        return -1;
#endif
    return load(filter, COUNT(filter), 0) == 0 ? 0 : -1;
}

#define UNNAMED_BITS ((uint32_t) (O_TMPFILE & ~O_DIRECTORY))

int impoverish(unsigned lacks)
{
    int result = 0;
    if (lacks & NO_UNNAMED)
        result |= deny(SYS_openat, 2, UNNAMED_BITS, EOPNOTSUPP);
    if (lacks & NO_LINKS)
        result |= deny(SYS_linkat, 0, 0, EPERM);
#ifdef SYS_link
    if (lacks & NO_LINKS)
        result |= deny(SYS_link, 0, 0, EPERM);
#endif
    if (lacks & NO_LOCKS)
        result |= deny(SYS_flock, 0, 0, ENOLCK);
    if (lacks & NO_SWAP)
        result |= deny(SYS_renameat2, 0, 0, EINVAL);
    if (lacks & NO_WATCH)
        result |= deny(SYS_inotify_init1, 0, 0, EMFILE);
    if (lacks & NO_PIDFD)
        result |= deny(SYS_pidfd_open, 0, 0, ENOSYS);
    return result;
}

/* ---- One after the other -------------------------------------------------------------------------- */

/*
 * Calls that the tracer is not told of.  The program under test does not make them of its own accord, or talks to the
 * test by them.
 */
static const long untold[] = {
    SYS_sendmsg,
    SYS_exit_group,
    SYS_exit,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_mmap,
    SYS_munmap,
    SYS_mprotect,
    SYS_mremap,
    SYS_madvise,
    SYS_brk,
    SYS_futex,
    SYS_sched_yield,
    SYS_clock_gettime,
    SYS_rt_sigprocmask,
    SYS_rt_sigaction,
    SYS_rt_sigreturn,
    SYS_getpid,
    SYS_restart_syscall,
    SYS_gettid,
    SYS_tgkill,
    SYS_uname,
    SYS_rseq,
    SYS_set_robust_list,
    SYS_sigaltstack,
#ifdef SYS_futex_time64
    SYS_futex_time64,
    SYS_clock_nanosleep_time64,
    SYS_clock_gettime64,
#endif
#ifdef SYS_mmap2
    SYS_mmap2,
#endif
#ifdef SYS_socketcall
    SYS_socketcall,
#endif
#ifdef SYS_sigreturn
    SYS_sigreturn,
#endif
};

/* Since Linux 6.6: the tracer runs at once when it is told of a call, on the processor of the traced process. */
#define SET_FLAGS _IOW('!', 4, uint64_t)
#define SYNC_WAKE_UP 1

int trace_me(int to)
{
    struct sock_filter filter[COUNT(untold) + 3] = { LOAD(offsetof(struct seccomp_data, nr)) };
    size_t length = 1;
    for (size_t i = 0; i < COUNT(untold); i++, length++)
        filter[length] = (struct sock_filter) JUMP(BPF_JEQ, untold[i], (uint8_t) (COUNT(untold) - i), 0);
    filter[length++] = (struct sock_filter) RETURN(SECCOMP_RET_USER_NOTIF);
    filter[length++] = (struct sock_filter) RETURN(SECCOMP_RET_ALLOW);
    int fd = (int) load(filter, length, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof fd)];
    } control;
    char byte = fd >= 0 ? 'y' : 'n';
    struct iovec data = { &byte, 1 };
    struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
    if (fd >= 0) {
        memset(&control, 0, sizeof control);
        control.header.cmsg_len = CMSG_LEN(sizeof fd);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
    }
    int sent = sendmsg(to, &message, 0) == 1 && fd >= 0;
    if (fd >= 0)
        close(fd); /* otherwise a tracer that is gone would be waited for, for ever */
    return sent ? 0 : -1;
}

int tracer_open(int from)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec data = { &byte, 1 };
    struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
    int fd = -1;
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) == 1 && byte == 'y' && CMSG_FIRSTHDR(&message))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    if (fd >= 0)
        (void) ioctl(fd, SET_FLAGS, SYNC_WAKE_UP); /* otherwise it takes longer */
    return fd;
}

enum trace trace_next(int tracer, struct trace_call *call)
{
    struct pollfd ready = { tracer, POLLIN, 0 };
    union {
        struct seccomp_notif call;
        char space[1024]; /* the kernel's structure may be larger */
    } told;
    if (poll(&ready, 1, 1) <= 0)
        return TRACE_IDLE;
    if (!(ready.revents & POLLIN))
        return TRACE_END;
    memset(&told, 0, sizeof told);
    if (ioctl(tracer, SECCOMP_IOCTL_NOTIF_RECV, &told) != 0)
        return TRACE_IDLE;
    call->id = told.call.id;
    call->number = told.call.data.nr;
    for (int i = 0; i < 6; i++)
        call->arguments[i] = told.call.data.args[i];
    return TRACE_CALL;
}

void trace_answer(int tracer, const struct trace_call *call, int error)
{
    union {
        struct seccomp_notif_resp answer;
        char space[1024];
    } say;
    memset(&say, 0, sizeof say);
    say.answer.id = call->id;
    say.answer.error = -error;
    say.answer.flags = (uint32_t) (error ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE);
    (void) ioctl(tracer, SECCOMP_IOCTL_NOTIF_SEND, &say);
}
