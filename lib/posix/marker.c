/* SPDX-License-Identifier: MIT
 *
 * Markers made, moved and removed.
 *
 * A marker is written under another name, or none, and then linked to its path: nobody ever finds
 * half a record there, and of any number who do it one succeeds.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform.h"
#include "posix/file.h"
#include "posix/marker.h"
#include "posix/publish.h"
#include "process_id.h"
#include "sha256.h"

/* Rounds of finding the parent directory gone and there. */
#define RACES_MOST 100

/* ---- Private names -------------------------------------------------------------------------- */

#define SUFFIX_MOST 64
#define NAME_MOST 143  /* bytes that a name may have: the least of the file systems that are about is eCryptfs's */
#define NAME_KEPT 60   /* of a name that is too long for another one to be made of it */

/* The first bytes of a hash of it, which tell one text from another. */
static uint64_t hash_of(const char *text)
{
    uint8_t digest[32];
    uint64_t hash = 0;

    flk_sha256(text, strlen(text), digest);
    for (int i = 0; i < 8; i++)
        hash = hash << 8 | digest[i];
    return hash;
}

/* Eight digits of it are enough where it does not matter much. */
static uint32_t short_hash_of(const char *text)
{
    return (uint32_t) (hash_of(text) >> 32);
}

/* What the private names of a path begin with, less the directory. */
static void stem_of(const char *path, char stem[NAME_MAX + 1])
{
    const char *name = flk_file_name(path);
    int kept = NAME_KEPT;

    if (strlen(name) + SUFFIX_MOST <= NAME_MOST) {
        memcpy(stem, name, strlen(name) + 1);
        return;
    }
    while (kept > 0 && ((unsigned char) name[kept] & 0xc0) == 0x80)
        kept--; /* not within a character of UTF-8, which some file systems insist on */
    (void) snprintf(stem, NAME_MAX + 1, "%.*s~%08" PRIx32, kept, name, short_hash_of(name));
}

static char *beside(const char *path, const char *suffix)
{
    size_t folder = (size_t) (flk_file_name(path) - path);
    char *name = malloc(folder + NAME_MAX + SUFFIX_MOST + 1);

    if (name == NULL)
        return NULL;
    memcpy(name, path, folder);
    stem_of(path, name + folder);
    strcat(name + folder, suffix);
    return name;
}

static uint32_t own_host(void)
{
    struct record self;

    flk_process_self(&self);
    return short_hash_of(self.host);
}

/* Of this process alone: ".new.HOST.PID.NUMBER". */
static char *own_name(const char *path)
{
    static unsigned long counter; /* under the guard */
    char suffix[SUFFIX_MOST];
    unsigned long number;

    flk_guard_lock();
    number = counter++;
    flk_guard_unlock();
    (void) snprintf(suffix, sizeof(suffix), ".new.%08" PRIx32 ".%" PRId64 ".%lx", own_host(), flk_process_pid(),
                    number);
    return beside(path, suffix);
}

/* What own_name() made of this path, on this host, for a process that is no more. */
static bool left_by_dead(const char *suffix, uint32_t host)
{
    uint32_t of;
    long pid;
    int length = 0;

    if (sscanf(suffix, ".new.%8" SCNx32 ".%ld.%*x%n", &of, &pid, &length) != 2 || length == 0 || suffix[length] != '\0')
        return false;
    return of == host && pid > 0 && kill((pid_t) pid, 0) != 0 && errno == ESRCH;
}

#define ASIDE ".break."
#define HASH_DIGITS 16

/*
 * The dead make no more markers, so that the file and the process are enough.  A marker that does not tell its
 * process from all others is told from others of the same number by when it was written.
 */
char *flk_marker_aside(const char *path, const struct marker *dead)
{
    const struct record *record = &dead->record;
    char text[512], suffix[SUFFIX_MOST];

    (void) snprintf(text, sizeof(text), "%ju %" PRId64 " %s %s %" PRId64, (uintmax_t) dead->version.id.inode,
                    record->pid, record->token, record->host, record->token[0] == '\0' ? dead->version.modified : 0);
    (void) snprintf(suffix, sizeof(suffix), ASIDE "%0*" PRIx64, HASH_DIGITS, hash_of(text));
    return beside(path, suffix);
}

static bool is_aside(const char *suffix)
{
    size_t lead = strlen(ASIDE);

    return strncmp(suffix, ASIDE, lead) == 0 && strspn(suffix + lead, "0123456789abcdef") == HASH_DIGITS &&
           suffix[lead + HASH_DIGITS] == '\0';
}

/* Of a name aside that is there: nobody takes over what the path does not name. */
static bool is_nobodys(const char *path, const struct identity *own)
{
    struct identity id;
    int rc = flk_file_path_identity(path, false, &id);

    return rc == 0 ? own != NULL && flk_file_same(&id, own) : flk_file_names_nothing(rc);
}

void flk_marker_sweep(const char *path, const struct identity *own)
{
    char stem[NAME_MAX + 1], *folder = flk_file_parent(path);
    DIR *directory = folder != NULL ? opendir(folder) : NULL;
    uint32_t host = own_host();
    struct dirent *entry;
    size_t length;

    free(folder);
    if (directory == NULL)
        return;
    stem_of(path, stem);
    length = strlen(stem);
    while ((entry = readdir(directory)) != NULL) {
        const char *suffix = entry->d_name + length;

        if (strncmp(entry->d_name, stem, length) == 0 &&
            (left_by_dead(suffix, host) || (is_aside(suffix) && is_nobodys(path, own))))
            (void) unlinkat(dirfd(directory), entry->d_name, 0);
    }
    (void) closedir(directory);
}

/* ---- Publishing ----------------------------------------------------------------------------- */

int flk_marker_lock(int fd)
{
    while (flock(fd, LOCK_EX | LOCK_NB) != 0)
        if (errno != EINTR)
            return errno == EWOULDBLOCK ? -EWOULDBLOCK : -ENOTSUP;
    return 0;
}

void flk_marker_unlock(int fd)
{
    (void) flock(fd, LOCK_UN);
}

/* Nobody can have it locked yet; a file system that cannot lock is none that this needs. */
int flk_marker_fill(int fd, const char *bytes, size_t size)
{
    int rc = flk_file_write_all(fd, bytes, size);

    if (rc == 0)
        (void) flk_marker_lock(fd);
    return rc;
}

static int create(const char *path, unsigned mode)
{
    mode_t bits = (mode_t) (mode != 0 ? mode : 0666);
    int fd = flk_file_open_flags(path, O_RDWR | O_CREAT | O_EXCL, bits);

    return fd >= 0 ? flk_file_created(path, fd, mode) : fd;
}

/* A new file with these contents; what fails leaves none. */
static int create_filled(const char *path, unsigned mode, const char *bytes, size_t size)
{
    int fd = create(path, mode), rc;

    if (fd < 0)
        return fd;
    rc = flk_marker_fill(fd, bytes, size);
    if (rc == 0)
        return fd;
    (void) unlink(path);
    (void) close(fd);
    return rc;
}

static bool no_links(int error)
{
    return error == EPERM || error == ENOSYS || error == EOPNOTSUPP || error == EMLINK || error == EXDEV ||
           error == EINVAL;
}

/* The answer of a server may get lost, and the repeated call fail: the count tells (open(2), O_EXCL). */
static bool is_linked(int fd)
{
    int error = errno;
    struct stat st;
    bool linked = fstat(fd, &st) == 0 && st.st_nlink == 2;

    errno = error;
    return linked;
}

/* A new marker. */
struct new_marker {
    const char *path; /* of the lock: private names are made of it */
    const char *at;   /* where it is to appear */
    unsigned mode;
    const char *bytes;
    size_t size;
};

/* By a private name; -ENOTSUP where the file system has no hard links, or the name would be too long. */
static int publish_named(const struct new_marker *marker)
{
    char *name = own_name(marker->path);
    int fd = name != NULL ? create_filled(name, marker->mode, marker->bytes, marker->size) : -ENOMEM, error;

    if (fd >= 0 && link(name, marker->at) != 0 && !is_linked(fd)) {
        error = errno;
        (void) close(fd);
        fd = no_links(error) ? -ENOTSUP : -error;
    }
    if (name != NULL)
        (void) unlink(name);
    free(name);
    return fd == -ENAMETOOLONG ? -ENOTSUP : fd;
}

/* As well as the file system allows.  The descriptor, or -errno.  named: by a name, which a crash may leave. */
static int publish(const struct new_marker *marker, bool *named)
{
    int fd = flk_marker_publish_unnamed(marker->at, marker->mode, marker->bytes, marker->size);

    *named = fd == -ENOTSUP;
    if (fd == -ENOTSUP)
        fd = publish_named(marker);
    if (fd == -ENOTSUP)
        fd = create_filled(marker->at, marker->mode, marker->bytes, marker->size);
    return fd;
}

static int published(const char *path, int marker, bool named, int *fd)
{
    struct identity own;

    if (named && flk_file_identity(marker, &own) == 0)
        flk_marker_sweep(path, &own);
    *fd = marker;
    return 0;
}

int flk_marker_publish(const char *path, unsigned mode, bool make_parents, const char *bytes, size_t size, int *fd)
{
    const struct new_marker marker = { path, path, mode, bytes, size };
    int rc = -ENOENT;
    bool named;

    for (int races = 0; rc == -ENOENT && races < RACES_MOST; races++) {
        rc = publish(&marker, &named);
        if (rc >= 0)
            return published(path, rc, named, fd);
        if (rc == -ENOENT && (rc = flk_file_mend_parent(path, make_parents)) == 0)
            rc = -ENOENT;
        else if (rc == -ENOENT)
            break;
    }
    return rc;
}

int flk_marker_publish_aside(const char *path, const char *aside, const struct draft *draft, int *fd)
{
    const struct new_marker marker = { path, aside, draft->mode, draft->text, draft->size };
    bool named;
    int rc = publish(&marker, &named);

    *fd = rc;
    return rc >= 0 ? 0 : rc;
}

/* ---- Moving --------------------------------------------------------------------------------- */

int flk_marker_displace(const char *path, const char *aside)
{
    return rename(path, aside) == 0 ? 0 : -errno;
}

void flk_marker_replace(const char *aside, const char *path)
{
    struct identity id;
    int error = link(aside, path) != 0 ? errno : 0;

    /* Without links that is only nearly safe.  If somebody has come, the owner finds out by filelock_check(). */
    if (no_links(error) && flk_file_path_identity(path, false, &id) != 0 && rename(aside, path) == 0)
        return;
    (void) unlink(aside);
}
