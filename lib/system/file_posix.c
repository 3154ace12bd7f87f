/* SPDX-License-Identifier: MIT
 *
 * Lock files.  A lock file may lie in a directory that other users can write.  So a link, a FIFO, a device or the file
 * of another user can stand at its path: the library must neither follow it nor wait for it.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "outcome.h"
#include "system/file.h"
#include "system/file_posix.h"
#include "system/pending.h"
#include "system/remote.h"

/* Give up after so many rounds in which the file is missing for open(2), but there when it is to be created. */
#define MAX_RACES 100

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

/* Returns the descriptor or -errno. */
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
    return errno == EMLINK ? -ELOOP : -errno; /* FreeBSD: EMLINK for a link that O_NOFOLLOW refuses */
}

int flk_file_open_flags(const char *path, int flags, mode_t mode)
{
    return open_as(path, flags, 0, mode);
}

static bool is_forbidden(int rc)
{
    return rc == -EACCES || rc == -EPERM;
}

/* True if the error may be about writing.  Opening for reading is then worth a try, and fails for any other cause. */
static bool refuses_writing(int rc)
{
    return rc < 0 && rc != -EWOULDBLOCK && !flk_error_no_file(rc) && !flk_error_no_resources(rc);
}

static int flags_of(unsigned wishes)
{
    return (wishes & FILE_TO_WRITE) != 0 ? O_RDWR : O_RDONLY;
}

static unsigned access_of(int flags)
{
    int mode = flags & O_ACCMODE;

    return mode == O_RDWR ? FILE_READS | FILE_WRITES : mode == O_WRONLY ? FILE_WRITES : FILE_READS;
}

/*
 * Opens without O_CREAT: a sticky directory refuses that for the file of another user, even for a file that exists.
 * If every way to open the file is refused, returns the error of the first.
 */
static int open_existing(const char *path, unsigned wishes, unsigned *access)
{
    int flags = flags_of(wishes), first = open_as(path, flags, wishes, 0), fd = first;

    if (flags == O_RDWR && (wishes & FILE_READ_ONLY_OK) != 0 && refuses_writing(fd)) {
        flags = O_RDONLY;
        fd = open_as(path, flags, wishes, 0);
    }
    if ((wishes & FILE_WRITE_ONLY_OK) != 0 && is_forbidden(fd)) {
        flags = O_WRONLY;
        fd = open_as(path, flags, wishes, 0);
    }
    *access = access_of(flags);
    return fd >= 0 ? fd : first;
}

/* Calls fchmod(2), since the umask and the file system change the bits that open(2) is given. */
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

/* Creates by O_EXCL, which tells the caller's file from a file that another process has just created: that is kept. */
static int create_exclusively(const char *path, unsigned wishes, unsigned mode)
{
    int flags = flags_of(wishes) | O_CREAT | O_EXCL;
    int fd = open_as(path, flags, 0, (mode_t) (mode != 0 ? mode : 0666));

    if (fd == -EISDIR)
        return -ENOENT; /* the name ends in a slash, so it is the name of a directory, and there is none */
    return fd >= 0 ? flk_file_created(path, fd, mode) : fd;
}

/* O_EXCL takes a link that leads nowhere for a file.  If links are followed, creates the file where the link leads. */
static int create_new(const char *path, unsigned wishes, unsigned mode)
{
    int fd = create_exclusively(path, wishes, mode);
    char *real;

    if (fd != -EEXIST || (wishes & FILE_FOLLOW) == 0)
        return fd;
    real = flk_file_resolve(path);
    fd = real != NULL ? create_exclusively(real, wishes, mode) : -errno;
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

/*
 * True if the path names a directory with a link.  A directory that was removed while it was open or current is still
 * found, but has no link.
 */
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
 * Makes the directory, and the missing directories above it.  Returns 0 also if another process makes them first.
 * Only the last mkdir(2) has to succeed.  If it fails because a directory above is missing, returns the reason why
 * that directory was not made.
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

int flk_file_ensure_parent(const char *path, bool make)
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

/*
 * Returns CONTENDED for -EWOULDBLOCK, and other errors as they are.  -EWOULDBLOCK: a lease (fcntl(2) F_SETLEASE) or the
 * delegation of a server is in the way, and its holder has been told to give it up.
 */
static int contended_or_error(int rc)
{
    return rc == -EWOULDBLOCK ? CONTENDED : rc;
}

bool flk_file_place_is_smb(const char *path, bool follow)
{
    char *real = follow ? flk_file_resolve(path) : NULL;
    char *folder = flk_file_parent(real != NULL ? real : path);
    bool is = folder != NULL && flk_file_path_is_smb(folder);

    free(folder);
    free(real);
    return is;
}

enum outcome flk_file_open(const char *path, unsigned wishes, unsigned mode, int *fd, unsigned *access)
{
    int rc = -ENOENT;

    for (int races = 0; races < MAX_RACES; races++) {
        rc = open_existing(path, wishes, access);
        if (rc == -ENOENT && (wishes & FILE_EXISTING) == 0) {
            rc = create_new(path, wishes, mode);
            *access = access_of(flags_of(wishes));
        }
        if (rc >= 0) {
            *fd = rc;
            return 0;
        }
        if (rc == -EWOULDBLOCK || (wishes & FILE_EXISTING) != 0)
            return contended_or_error(rc);
        if (rc == -ENOENT && (rc = flk_file_ensure_parent(path, (wishes & FILE_MAKE_PARENTS) != 0)) == 0)
            rc = -ENOENT;
        else if (rc != -EEXIST)
            return rc;
    }
    /* A file that can be neither opened nor made was removed: on SMB it keeps its name until no process has it open. */
    return rc == -EEXIST && flk_file_place_is_smb(path, (wishes & FILE_FOLLOW) != 0) ? CONTENDED : rc;
}

int flk_file_open_to_read(const char *path, bool follow)
{
    return open_as(path, O_RDONLY, follow ? FILE_FOLLOW : 0, 0);
}

#define MAX_LINKS 40 /* give up after as many links as Linux follows */

/*
 * Finds where a link leads.
 *   1   *leads is the path, to be freed; a relative target is put after the folder of the link
 *   0   the path names no link, or nothing
 *   -1  errno tells why
 */
static int follow_link(const char *path, char **leads)
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
    size_t length, size = strlen(path) + 1;
    char *folder = path[0] != '/' ? malloc(PATH_MAX) : NULL, *absolute = NULL;

    if (folder != NULL && getcwd(folder, PATH_MAX) != NULL && folder[0] == '/') {
        length = strlen(folder);
        absolute = length + 1 + size <= PATH_MAX ? malloc(length + 1 + size) : NULL;
        if (absolute != NULL) {
            memcpy(absolute, folder, length);
            absolute[length] = '/';
            memcpy(absolute + length + 1, path, size);
        }
    }
    free(folder);
    return absolute;
}

char *flk_file_resolve(const char *path)
{
    char *at = strdup(path);

    for (int i = 0; i < MAX_LINKS && at != NULL; i++) {
        char *next = NULL;
        int more = follow_link(at, &next), error = errno;

        if (more == 0)
            break;
        free(at);
        at = next;
        errno = error;
    }
    return at;
}

/*
 * Opens the name in /proc/self/fd, by which Linux opens the file anew.  Other systems that have /dev/fd only duplicate
 * the descriptor: that would be the same open file, and so the same lock.
 */
enum outcome flk_file_reopen(int fd, int *copy, unsigned *access)
{
    char path[48];
    int flags = fcntl(fd, F_GETFL);

    if (flags == -1)
        return -errno;
    (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    *access = access_of(flags);
    *copy = open_as(path, flags & O_ACCMODE, FILE_FOLLOW, 0);
    return *copy < 0 ? contended_or_error(*copy) : 0;
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

static void open_and_close(const char *path, int flags, unsigned wishes)
{
    int fd = path != NULL ? open_as(path, O_RDONLY | flags, wishes, 0) : -1;

    if (fd >= 0)
        (void) close(fd);
}

/* Opens the directory, whose attributes the client then asks for, and the file by its name. */
void flk_file_path_refresh(const char *path, bool follow)
{
    char *absolute = flk_file_absolute(path); /* "." is not looked up */
    char *parent = flk_file_parent(absolute != NULL ? absolute : path);

    open_and_close(parent, O_DIRECTORY, FILE_FOLLOW);
    open_and_close(path, 0, follow ? FILE_FOLLOW : 0);
    free(parent);
    free(absolute);
}

void flk_file_send(int fd)
{
    while (fsync(fd) != 0 && errno == EINTR)
        ;
}

/*
 * False also for a removed file that the file system keeps under a name of its own.  NFS does that for a process of
 * this host that has the file open.
 */
bool flk_file_is_removed(int fd)
{
    struct stat st;
    int rc = flk_file_stat(fd, &st);

    return rc == -ESTALE || (rc == 0 && st.st_nlink == 0);
}

bool flk_error_no_resources(int rc)
{
    return rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM;
}

bool flk_error_no_file(int rc)
{
    return rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP || rc == -ESTALE;
}

bool flk_file_same(const struct identity *a, const struct identity *b)
{
    return a->inode == b->inode && a->device == b->device;
}

size_t flk_file_key(const struct identity *id, unsigned char *bytes)
{
    memcpy(bytes, &id->device, sizeof(id->device));
    memcpy(bytes + sizeof(id->device), &id->inode, sizeof(id->inode));
    return sizeof(id->device) + sizeof(id->inode);
}

static void version_of(const struct stat *st, struct file_version *version)
{
    identity_of(st, &version->id);
    version->modified = (int64_t) st->ST_MTIM.tv_sec * 1000000000 + st->ST_MTIM.tv_nsec;
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

/* Looks again after the first -ESTALE: a server may lose track of a file on the way to a path that exists. */
int flk_file_path_version(const char *path, bool follow, struct file_version *version)
{
    struct stat st;
    int stale = 0;

    while ((follow ? stat(path, &st) : lstat(path, &st)) != 0)
        if (errno != EINTR && (errno != ESTALE || stale++ > 0))
            return -errno;
    version_of(&st, version);
    return 0;
}

int flk_file_path_identity(const char *path, bool follow, struct identity *id)
{
    struct file_version version;
    int rc = flk_file_path_version(path, follow, &version);

    if (rc == 0)
        *id = version.id;
    return rc;
}

int flk_file_folder_identity(const char *path, struct identity *id)
{
    char *folder = flk_file_parent(path);
    int rc = folder != NULL ? flk_file_path_identity(folder, true, id) : -ENOMEM;

    free(folder);
    return rc;
}

/* Some file systems keep even seconds only.  A file that was touched is to look changed there, too. */
#define COARSEST_NS 2000000000

/*
 * Gives a file the time of now.  A process that has changed its user, and some file systems, may not set times.  Then
 * the first byte is written once more, for which the open descriptor will do.  Returns 0 or -errno.
 */
static int touch_now(int fd)
{
    char byte;
    int rc = futimens(fd, NULL) == 0 ? 0 : -errno;

    if (rc != 0 && pread(fd, &byte, 1, 0) == 1 && pwrite(fd, &byte, 1, 0) == 1)
        rc = 0;
    return rc;
}

int flk_file_touch(int fd, int64_t *modified)
{
    int64_t later = *modified + COARSEST_NS;
    struct file_version version;
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
    int rc = touch_now(fd);

    if (rc == 0)
        rc = flk_file_version(fd, &version);
    if (rc == 0 && version.modified == *modified) {
        times[1] = (struct timespec) { (time_t) (later / 1000000000), (long) (later % 1000000000) };
        rc = futimens(fd, times) == 0 ? flk_file_version(fd, &version) : -errno;
    }
    if (rc == 0)
        *modified = version.modified;
    return rc;
}

bool flk_file_numbers_recur(void)
{
    return true;
}

bool flk_file_same_version(const struct file_version *a, const struct file_version *b)
{
    return flk_file_same(&a->id, &b->id) && a->modified == b->modified;
}

int flk_file_remove_same(const char *path, bool follow, const struct identity *id)
{
    struct identity found;
    int rc = flk_file_path_identity(path, follow, &found);

    if (flk_error_no_file(rc) || (rc == 0 && !flk_file_same(&found, id)))
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

/* Stops at the length that fstat(2) gave, and so saves the call that would only find the end of the file. */
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

/* Reads locked files as well, since these locks are advisory. */
ssize_t flk_file_read(int fd, char *bytes, size_t size)
{
    struct stat st;
    int rc = want_regular(fd, &st);

    return rc == 0 ? read_contents(fd, bytes, size, st.st_size) : rc;
}

static int write_bytes(int fd, const char *bytes, size_t size)
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

/*
 * True if the signal was pending before this thread blocked it.  That is possible only if mask, the signals that the
 * thread blocked before, has the signal: otherwise a call is saved.
 */
static bool was_pending(const sigset_t *mask, int number)
{
    sigset_t pending;

    return sigismember(mask, number) == 1 && sigpending(&pending) == 0 && sigismember(&pending, number) == 1;
}

/*
 * Blocks SIGXFSZ in this thread, since a write beyond RLIMIT_FSIZE raises it, and by default it ends the program.  A
 * signal that a write has raised is taken back.  A signal that was pending before is the program's, and stays.
 */
int flk_file_write_all(int fd, const char *bytes, size_t size)
{
    sigset_t signals, mask;
    bool pending;
    int rc;

    (void) sigemptyset(&signals);
    (void) sigaddset(&signals, SIGXFSZ);
    if (pthread_sigmask(SIG_BLOCK, &signals, &mask) != 0)
        return write_bytes(fd, bytes, size);
    pending = was_pending(&mask, SIGXFSZ);
    rc = write_bytes(fd, bytes, size);
    if (rc == -EFBIG && !pending)
        flk_pending_take(&signals);
    (void) pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return rc;
}

static int set_size(int fd, size_t size)
{
    while (ftruncate(fd, (off_t) size) != 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/*
 * Shortens a longer file before it writes the bytes.  If a reader comes in between, or the writer is killed in between,
 * the reader finds the beginning of the old bytes, which counts as a torn record.  In the other order, a reader could
 * find the new bytes and the end of the old bytes.  That is no record at all, and a marker with such contents is never
 * taken.
 */
int flk_file_write(int fd, const char *bytes, size_t size)
{
    struct stat st;
    int rc = want_regular(fd, &st);

    if (rc == 0 && st.st_size > (off_t) size)
        rc = set_size(fd, size);
    return rc == 0 ? flk_file_write_all(fd, bytes, size) : rc;
}
