/* SPDX-License-Identifier: MIT
 *
 * standin.c - kqueue(2), libproc and renamex_np(2) of macOS, made of what Linux has.  With it, the sources for macOS
 * are built and tested on Linux.
 *
 * A queue is an epoll instance, so it can be polled.  A watched file is an inotify instance in it, a watched process a
 * pidfd.  An unlocking by flock(2) is told by IN_ATTRIB, which the stand-in's flock() causes, or by IN_CLOSE.
 *
 * With STANDIN_DEAF in the environment, no event of a file or process can be had.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libproc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/event.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Some suites have their own. */
int flock(int fd, int operation) __attribute__((weak));
int close(int fd) __attribute__((weak));

/* ---- kqueue --------------------------------------------------------------------------------- */

#define MOST_KNOTES 256

struct knote {
    int used, kq, inner; /* inner: the inotify instance or pidfd; -1: none */
    int16_t filter;
    uint16_t flags;
    uintptr_t ident;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct knote knotes[MOST_KNOTES];

static int is_queue(int fd)
{
    char path[64], link[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(path, link, sizeof link - 1);
    link[n > 0 ? n : 0] = '\0';
    return strcmp(link, "anon_inode:[eventpoll]") == 0;
}

static void drop(struct knote *knote)
{
    if (knote->inner >= 0)
        syscall(SYS_close, knote->inner);
    knote->used = 0;
}

int kqueue(void)
{
    return epoll_create1(EPOLL_CLOEXEC);
}

/* Drops what a queue has that is closed. */
int close(int fd)
{
    for (int i = 0; i < MOST_KNOTES; i++)
        if (knotes[i].used && knotes[i].kq == fd) {
            pthread_mutex_lock(&mutex);
            drop(&knotes[i]);
            pthread_mutex_unlock(&mutex);
        }
    return (int) syscall(SYS_close, fd);
}

static struct knote *find(int kq, const struct kevent *change)
{
    for (int i = 0; i < MOST_KNOTES; i++)
        if (knotes[i].used && knotes[i].kq == kq && knotes[i].filter == change->filter &&
            knotes[i].ident == change->ident)
            return &knotes[i];
    return NULL;
}

static int watch_file(const struct kevent *change)
{
    char path[64];
    uint32_t mask = 0;
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (change->fflags & NOTE_WRITE)
        mask |= IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
    if (change->fflags & NOTE_DELETE)
        mask |= IN_DELETE_SELF;
    if (change->fflags & NOTE_RENAME)
        mask |= IN_MOVE_SELF;
    if (change->fflags & NOTE_FUNLOCK)
        mask |= IN_CLOSE | IN_ATTRIB;
    snprintf(path, sizeof path, "/proc/self/fd/%d", (int) change->ident);
    if (fd >= 0 && inotify_add_watch(fd, path, mask) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int add(int kq, const struct kevent *change)
{
    struct knote *knote = find(kq, change);
    struct epoll_event event = { .events = EPOLLIN };
    for (int i = 0; !knote && i < MOST_KNOTES; i++)
        if (!knotes[i].used)
            knote = &knotes[i];
    if (!knote || knote->used)
        return knote ? 0 : ENOMEM;
    if (change->filter != EVFILT_USER && getenv("STANDIN_DEAF"))
        return ENOTSUP;
    *knote = (struct knote) { 0, kq, -1, change->filter, change->flags, change->ident };
    if (change->filter != EVFILT_USER) {
        knote->inner = change->filter == EVFILT_VNODE ? watch_file(change)
                                                      : (int) syscall(SYS_pidfd_open, (pid_t) change->ident, 0);
        event.data.u32 = (uint32_t) (knote - knotes);
        if (knote->inner < 0 || epoll_ctl(kq, EPOLL_CTL_ADD, knote->inner, &event) != 0)
            return errno;
    }
    knote->used = 1;
    return 0;
}

static int make_change(int kq, const struct kevent *change)
{
    struct knote *knote;
    if (change->flags & EV_ADD)
        return add(kq, change);
    knote = find(kq, change);
    if (!knote)
        return ENOENT;
    if (change->flags & EV_DELETE)
        drop(knote);
    return 0;
}

static uint32_t notes_of(const struct knote *knote)
{
    char bytes[4096];
    uint32_t notes = knote->filter == EVFILT_PROC ? NOTE_EXIT : 0;
    ssize_t n;
    while (knote->filter == EVFILT_VNODE && (n = read(knote->inner, bytes, sizeof bytes)) > 0)
        for (ssize_t at = 0; at < n;) {
            struct inotify_event event;
            memcpy(&event, bytes + at, sizeof event);
            at += (ssize_t) (sizeof event + event.len);
            notes |= event.mask & (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO) ? NOTE_WRITE
                     : event.mask & (IN_CLOSE | IN_ATTRIB)                              ? NOTE_FUNLOCK
                     : event.mask & IN_MOVE_SELF                                        ? NOTE_RENAME
                                                                                        : NOTE_DELETE;
        }
    return notes;
}

static int take(int kq, struct kevent *events, int room, const struct timespec *timeout)
{
    struct epoll_event ready[16];
    int ms = timeout ? (int) (timeout->tv_sec * 1000 + timeout->tv_nsec / 1000000) : -1;
    int count = epoll_wait(kq, ready, room < 16 ? room : 16, ms);
    for (int i = 0; i < count; i++) {
        struct knote *knote = &knotes[ready[i].data.u32];
        events[i] = (struct kevent) { knote->ident, knote->filter, knote->flags, notes_of(knote), 0, NULL };
        if (knote->flags & EV_ONESHOT)
            drop(knote);
    }
    return count;
}

int kevent(int kq, const struct kevent *changes, int count, struct kevent *events, int room,
           const struct timespec *timeout)
{
    int error = 0, taken = 0;
    if (!is_queue(kq)) {
        errno = EBADF;
        return -1;
    }
    pthread_mutex_lock(&mutex);
    for (int i = 0; !error && i < count; i++)
        error = make_change(kq, &changes[i]);
    if (!error && room > 0)
        taken = take(kq, events, room, timeout);
    pthread_mutex_unlock(&mutex);
    if (error)
        errno = error;
    return error ? -1 : taken;
}

int flock(int fd, int operation)
{
    struct stat status;
    int rc = (int) syscall(SYS_flock, fd, operation), error = errno;
    if (rc == 0 && (operation & LOCK_UN) && fstat(fd, &status) == 0)
        (void) fchmod(fd, status.st_mode & 07777);
    errno = error;
    return rc;
}

/* ---- libproc -------------------------------------------------------------------------------- */

/* Lists the numbers in a directory of /proc.  Returns how many there are; stores at most room. */
static int list_numbers(const char *path, int *numbers, int room)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    int count = 0;
    if (!directory)
        return -1;
    while ((entry = readdir(directory)) != NULL)
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9' && atoi(entry->d_name) != dirfd(directory)) {
            if (count < room)
                numbers[count] = atoi(entry->d_name);
            count++;
        }
    closedir(directory);
    return count;
}

int proc_listallpids(void *buffer, int size)
{
    int room = size / (int) sizeof(int), count = list_numbers("/proc", buffer, room);
    return buffer && count > room ? room : count;
}

static int read_info(int pid, struct proc_bsdinfo *info)
{
    char path[64], text[1024], *end;
    unsigned long long start;
    char state;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[n] = '\0';
    end = strrchr(text, ')');
    if (!end ||
        sscanf(end, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &state,
               &start) != 2 ||
        state == 'Z' || state == 'X') {
        errno = ESRCH;
        return 0;
    }
    *end = '\0';
    memset(info, 0, sizeof *info);
    snprintf(info->pbi_comm, sizeof info->pbi_comm, "%.15s", strchr(text, '(') + 1);
    info->pbi_start_tvsec = start / 100;
    info->pbi_start_tvusec = start % 100 * 10000;
    return (int) sizeof *info;
}

static int list_fds(int pid, struct proc_fdinfo *fds, int room)
{
    static int numbers[4096];
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
    char path[64];
    struct stat status;
    int count;
    pthread_mutex_lock(&one);
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    count = list_numbers(path, numbers, room < 4096 ? room : 4096);
    count = count > room ? room : count;
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, numbers[i]);
        fds[i].proc_fd = numbers[i];
        fds[i].proc_fdtype =
            stat(path, &status) == 0 && S_ISREG(status.st_mode) ? PROX_FDTYPE_VNODE : PROX_FDTYPE_SOCKET;
    }
    pthread_mutex_unlock(&one);
    errno = count >= 0 ? 0 : errno == ENOENT ? ESRCH : EPERM;
    return count < 0 ? 0 : count * (int) sizeof *fds;
}

int proc_pidinfo(int pid, int flavor, uint64_t arg, void *buffer, int size)
{
    (void) arg;
    if (flavor == PROC_PIDTBSDINFO && size == (int) sizeof(struct proc_bsdinfo))
        return read_info(pid, buffer);
    if (flavor == PROC_PIDLISTFDS)
        return list_fds(pid, buffer, size / (int) sizeof(struct proc_fdinfo));
    errno = EINVAL;
    return 0;
}

int proc_pidfdinfo(int pid, int fd, int flavor, void *buffer, int size)
{
    struct vnode_fdinfo *info = buffer;
    struct stat status, link;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
    if (flavor != PROC_PIDFDVNODEINFO || size != (int) sizeof *info || stat(path, &status) != 0 ||
        lstat(path, &link) != 0) {
        errno = EBADF;
        return 0;
    }
    memset(info, 0, sizeof *info);
    info->pfi.fi_openflags = (link.st_mode & S_IRUSR ? FREAD : 0u) | (link.st_mode & S_IWUSR ? FWRITE : 0u);
    info->pvi.vi_stat.vst_dev = (uint32_t) status.st_dev;
    info->pvi.vi_stat.vst_ino = status.st_ino;
    return (int) sizeof *info;
}

/* ---- renamex_np ----------------------------------------------------------------------------- */

int renamex_np(const char *from, const char *to, unsigned flags)
{
    return (int) syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags == RENAME_SWAP ? 2u : 0u);
}
