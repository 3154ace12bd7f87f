/* SPDX-License-Identifier: MIT
 *
 * Lock files.  A lock file may lie in a directory that others can write: a link, a FIFO, a device
 * or a file of somebody else's can stand at its path, and must neither be followed nor waited for.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform.h"
#include "posix/file.h"

/* Rounds of "it is not there" and "it cannot be created, it is there" before giving up. */
#define RACES_MOST 100

#define ALWAYS (O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

/* ---- Opening -------------------------------------------------------------------------------- */

int flk_file_above_standard(int fd)
{
    int moved, error;

    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    error = errno;
    (void) close(fd);
    errno = error;
    return moved;
}

/* The descriptor or -errno. */
static int open_as(const char *path, int flags, unsigned wishes, mode_t mode)
{
    int fd;

    if ((wishes & FILE_FOLLOW) == 0)
        flags |= O_NOFOLLOW;
    do
        fd = open(path, flags | ALWAYS, mode);
    while (fd < 0 && errno == EINTR);
    fd = flk_file_above_standard(fd);
    if (fd >= 0)
        return fd;
    return errno == EMLINK ? -ELOOP : -errno; /* FreeBSD's word for a link that O_NOFOLLOW refuses */
}

int flk_file_open_flags(const char *path, int flags, mode_t mode)
{
    return open_as(path, flags, 0, mode);
}

/* What a lock that needs no write access can still be taken on. */
static bool read_only_may_do(int rc)
{
    return rc == -EACCES || rc == -EPERM || rc == -EROFS || rc == -EISDIR || rc == -ETXTBSY;
}

/* O_CREAT is left out: a sticky directory refuses it for another's file, even one that is there. */
static int open_existing(const char *path, unsigned wishes, bool *writable)
{
    int fd = open_as(path, O_RDWR, wishes, 0), read_only;

    *writable = fd >= 0;
    if ((wishes & FILE_READ_ONLY_OK) == 0 || !read_only_may_do(fd))
        return fd;
    read_only = open_as(path, O_RDONLY, wishes, 0);
    return read_only >= 0 ? read_only : fd;
}

/* The umask and the file system have a say in the bits otherwise. */
int flk_file_created(const char *path, int fd, unsigned mode)
{
    int error;

    if (mode == 0 || fchmod(fd, (mode_t) mode) == 0)
        return fd;
    error = errno;
    (void) unlink(path);
    (void) close(fd);
    return -error;
}

/* O_EXCL tells whose file it is: what somebody else has created meanwhile is left as it is. */
static int create_exclusively(const char *path, unsigned mode)
{
    int fd = open_as(path, O_RDWR | O_CREAT | O_EXCL, 0, (mode_t) (mode != 0 ? mode : 0666));

    if (fd == -EISDIR)
        return -ENOENT; /* the name ends in a slash: it is that of a directory, which is not there */
    return fd >= 0 ? flk_file_created(path, fd, mode) : fd;
}

/* A link that leads nowhere counts as there: the file is created where it leads. */
static int create_new(const char *path, unsigned wishes, unsigned mode)
{
    int fd = create_exclusively(path, mode);
    char *real;

    if (fd != -EEXIST || (wishes & FILE_FOLLOW) == 0)
        return fd;
    real = flk_file_resolve(path);
    fd = real != NULL ? create_exclusively(real, mode) : -errno;
    free(real);
    return fd;
}

/* ---- Directories ---------------------------------------------------------------------------- */

char *flk_file_parent(const char *path)
{
    size_t end = (size_t) (flk_file_name(path) - path);
    char *parent;

    if (end == 0)
        return strdup(".");
    while (end > 1 && path[end - 1] == '/')
        end--;
    parent = malloc(end + 1);
    if (parent != NULL) {
        memcpy(parent, path, end);
        parent[end] = '\0';
    }
    return parent;
}

const char *flk_file_name(const char *path)
{
    size_t end = strlen(path);

    while (end > 0 && path[end - 1] == '/')
        end--;
    while (end > 0 && path[end - 1] != '/')
        end--;
    return path + end;
}

/* A directory that was removed while it was open or current is still found, without a link. */
static bool is_directory(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_nlink > 0;
}

static int make_directory(const char *path)
{
    int rc;

    do
        rc = mkdir(path, 0777);
    while (rc != 0 && errno == EINTR);
    return rc == 0 || errno == EEXIST ? 0 : -errno;
}

/*
 * 0 also if somebody else was quicker.  What matters is whether the last one succeeds; if it does not for
 * want of another one, the reason is the one that that one had.
 */
static int make_directories(char *path)
{
    int rc, reason = -ENOENT;

    for (char *end = path + 1; *end != '\0'; end++) {
        if (*end != '/' || end[-1] == '/')
            continue;
        *end = '\0';
        rc = make_directory(path);
        if (rc != 0 && rc != -ENOENT)
            reason = rc;
        *end = '/';
    }
    rc = make_directory(path);
    return rc == -ENOENT ? reason : rc;
}

int flk_file_mend_parent(const char *path, bool make)
{
    char *parent = flk_file_parent(path);
    int rc = -ENOENT;

    if (parent == NULL)
        return -ENOMEM;
    if (is_directory(parent))
        rc = 0;
    else if (make)
        rc = make_directories(parent);
    free(parent);
    return rc;
}

int flk_file_open(const char *path, unsigned wishes, unsigned mode, int *fd, bool *writable)
{
    int rc = -ENOENT;

    for (int races = 0; races < RACES_MOST; races++) {
        rc = open_existing(path, wishes, writable);
        if (rc == -ENOENT && (wishes & FILE_EXISTING) == 0) {
            rc = create_new(path, wishes, mode);
            *writable = true;
        }
        if (rc >= 0) {
            *fd = rc;
            return 0;
        }
        if ((wishes & FILE_EXISTING) != 0)
            return rc;
        if (rc == -ENOENT && (rc = flk_file_mend_parent(path, (wishes & FILE_MAKE_PARENTS) != 0)) == 0)
            rc = -ENOENT;
        else if (rc != -EEXIST)
            return rc;
    }
    return rc;
}

int flk_file_open_to_read(const char *path, bool follow)
{
    return open_as(path, O_RDONLY, follow ? FILE_FOLLOW : 0, 0);
}

#define LINKS_MOST 40 /* as many as Linux follows */

/*
 * Where a link leads, taken from the folder that it lies in, to be freed: 1.  0: the path names no link, or nothing.
 * -1: errno tells.
 */
static int follow_one(const char *path, char **leads)
{
    size_t folder = (size_t) (flk_file_name(path) - path);
    char *next = malloc(folder + PATH_MAX + 1);
    ssize_t n = next != NULL ? readlink(path, next + folder, PATH_MAX) : -1;

    if (n < 0) {
        bool no_link = next != NULL && (errno == EINVAL || errno == ENOENT);

        free(next);
        return no_link ? 0 : -1;
    }
    next[folder + (size_t) n] = '\0';
    if (next[folder] == '/')
        memmove(next, next + folder, (size_t) n + 1);
    else
        memcpy(next, path, folder);
    *leads = next;
    return 1;
}

char *flk_file_absolute(const char *path)
{
    char folder[PATH_MAX], *absolute;
    size_t length, size = strlen(path) + 1;

    if (path[0] == '/' || getcwd(folder, sizeof(folder)) == NULL || folder[0] != '/')
        return NULL;
    length = strlen(folder);
    absolute = length + 1 + size <= sizeof(folder) ? malloc(length + 1 + size) : NULL;
    if (absolute != NULL) {
        memcpy(absolute, folder, length);
        absolute[length] = '/';
        memcpy(absolute + length + 1, path, size);
    }
    return absolute;
}

char *flk_file_resolve(const char *path)
{
    char *at = strdup(path);

    for (int i = 0; i < LINKS_MOST && at != NULL; i++) {
        char *next = NULL;
        int more = follow_one(at, &next), error = errno;

        if (more == 0)
            break;
        free(at);
        at = next;
        errno = error;
    }
    return at;
}

/*
 * Linux opens what /proc/self/fd names anew; other systems that have /dev/fd only duplicate there,
 * which would be the same open file, and so the same lock.
 */
int flk_file_reopen(int fd, int *copy, bool *writable)
{
    char path[48];
    int flags = fcntl(fd, F_GETFL);

    if (flags == -1)
        return -errno;
    (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    *writable = (flags & O_ACCMODE) != O_RDONLY;
    *copy = open_as(path, flags & O_ACCMODE, FILE_FOLLOW, 0);
    return *copy < 0 ? *copy : 0;
}

/* ---- What is open --------------------------------------------------------------------------- */

void flk_file_close(int fd)
{
    (void) close(fd);
}

int flk_file_of_descriptor(int fd)
{
    return fcntl(fd, F_GETFD) == -1 ? -errno : fd;
}

int flk_file_descriptor(int fd)
{
    return fd;
}

int flk_file_inherit(int fd, bool on_exec)
{
    return fcntl(fd, F_SETFD, on_exec ? 0 : FD_CLOEXEC) == -1 ? -errno : 0;
}

static void identity_of(const struct stat *st, struct identity *id)
{
    id->device = st->st_dev;
    id->inode = st->st_ino;
}

int flk_file_stat(int fd, struct stat *st)
{
    int rc;

    do
        rc = fstat(fd, st);
    while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : -errno;
}

int flk_file_identity(int fd, struct identity *id)
{
    struct stat st;
    int rc = flk_file_stat(fd, &st);

    if (rc != 0)
        return rc;
    identity_of(&st, id);
    return 0;
}

/* A server may lose track of a file once, on the way to a path that is there: two looks tell. */
int flk_file_path_identity(const char *path, bool follow, struct identity *id)
{
    struct stat st;
    int stale = 0;

    while ((follow ? stat(path, &st) : lstat(path, &st)) != 0)
        if (errno != EINTR && (errno != ESTALE || stale++ > 0))
            return -errno;
    identity_of(&st, id);
    return 0;
}

/* Not seen of a file that the file system keeps by a name of its own, as NFS does for who has it open on this host. */
bool flk_file_is_removed(int fd)
{
    struct stat st;
    int rc = flk_file_stat(fd, &st);

    return rc == -ESTALE || (rc == 0 && st.st_nlink == 0);
}

bool flk_file_lacks_means(int rc)
{
    return rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM;
}

bool flk_file_names_nothing(int rc)
{
    return rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP || rc == -ESTALE;
}

bool flk_file_same(const struct identity *a, const struct identity *b)
{
    return a->inode == b->inode && a->device == b->device;
}

static void version_of(const struct stat *st, struct file_version *version)
{
    identity_of(st, &version->id);
    version->modified = (int64_t) st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
    version->regular = S_ISREG(st->st_mode);
    version->directory = S_ISDIR(st->st_mode);
}

int flk_file_version(int fd, struct file_version *version)
{
    struct stat st;
    int rc = flk_file_stat(fd, &st);

    if (rc == 0)
        version_of(&st, version);
    return rc;
}

bool flk_file_same_version(const struct file_version *a, const struct file_version *b)
{
    return flk_file_same(&a->id, &b->id) && a->modified == b->modified;
}

int flk_file_remove_same(const char *path, bool follow, const struct identity *id)
{
    struct identity found;
    int rc = flk_file_path_identity(path, follow, &found);

    if (flk_file_names_nothing(rc) || (rc == 0 && !flk_file_same(&found, id)))
        return -ENOENT;
    return rc != 0 ? rc : flk_file_remove(path, follow);
}

int flk_file_remove(const char *path, bool follow)
{
    char *real = follow ? realpath(path, NULL) : NULL;
    int rc = unlink(real != NULL ? real : path) == 0 ? 0 : -errno;

    free(real);
    return rc;
}

/* ---- Contents ------------------------------------------------------------------------------- */

static int want_regular(int fd, struct stat *st)
{
    int rc = flk_file_stat(fd, st);

    if (rc != 0)
        return rc;
    return S_ISREG(st->st_mode) ? 0 : S_ISDIR(st->st_mode) ? -EISDIR : -EINVAL;
}

/* The end that the file's length promises is not asked for once more. */
static ssize_t read_contents(int fd, char *bytes, size_t size, off_t length)
{
    size_t have = 0;

    while (have < size) {
        ssize_t n = pread(fd, bytes + have, size - have, (off_t) have);

        if (n < 0 && errno != EINTR)
            return -errno;
        have += n > 0 ? (size_t) n : 0;
        if (n == 0 || (n > 0 && (off_t) have == length))
            break;
    }
    return (ssize_t) have;
}

ssize_t flk_file_read_version(int fd, struct file_version *version, char *bytes, size_t size)
{
    struct stat st;
    int rc = flk_file_stat(fd, &st);

    if (rc != 0)
        return rc;
    version_of(&st, version);
    return version->regular ? read_contents(fd, bytes, size, st.st_size) : 0;
}

ssize_t flk_file_read(int fd, char *bytes, size_t size)
{
    struct stat st;
    int rc = want_regular(fd, &st);

    return rc == 0 ? read_contents(fd, bytes, size, st.st_size) : rc;
}

int flk_file_write_all(int fd, const char *bytes, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = pwrite(fd, bytes + done, size - done, (off_t) done);

        if (n >= 0)
            done += (size_t) n;
        else if (errno != EINTR)
            return -errno;
    }
    return 0;
}

/* The new bytes first, then the length: nobody who reads meanwhile finds nothing at all. */
int flk_file_write(int fd, const char *bytes, size_t size)
{
    struct stat st;
    int rc = want_regular(fd, &st);

    if (rc == 0)
        rc = flk_file_write_all(fd, bytes, size);
    while (rc == 0 && ftruncate(fd, (off_t) size) != 0)
        if (errno != EINTR)
            rc = -errno;
    return rc;
}

/* These locks are advisory: whatever is locked can be read. */
int flk_file_write_record(int fd, const struct range *range, const char *text, size_t size)
{
    (void) range;
    return flk_file_write(fd, text, size);
}
