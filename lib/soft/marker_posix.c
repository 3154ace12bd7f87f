/* SPDX-License-Identifier: MIT
 *
 * Publishing, moving and sweeping markers.
 *
 * A marker is written under a private name or without a name, and then linked to its path.  So the path never names
 * half a record, and only one of several contenders succeeds.
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

#include "outcome.h"
#include "owner/process_id.h"
#include "owner/record.h"
#include "owner/sha256.h"
#include "soft/break_names.h"
#include "soft/marker.h"
#include "soft/marker_file.h"
#include "soft/publish.h"
#include "soft/stale.h"
#include "system/file.h"
#include "system/file_posix.h"
#include "system/guard.h"
#include "system/remote.h"
#include "wait/await.h"
#include "wait/limits.h"

/* Give up after making the parent directory this many times: another process keeps removing it. */
#define MAX_RACES 100

/* ---- Private names -------------------------------------------------------------------------- */

#define MAX_SUFFIX 64
#define MAX_NAME 143 /* the most bytes that every file system in use allows in a name: eCryptfs allows the fewest */
#define NAME_KEPT 60 /* bytes that are kept of a name to which no suffix can be added within MAX_NAME */

/* Returns the first bytes of the text's hash, which tell the text from others. */
static uint64_t hash_of(const char *text)
{
    uint8_t digest[32];
    uint64_t hash = 0;

    flk_sha256(text, strlen(text), digest);
    for (int i = 0; i < 8; i++)
        hash = hash << 8 | digest[i];
    return hash;
}

/* Returns a hash that has 8 digits, which are enough where it matters little if two texts have the same. */
static uint32_t short_hash_of(const char *text)
{
    return (uint32_t) (hash_of(text) >> 32);
}

/* Stores the beginning of all private names and break names of a path, without the directory. */
static void stem_of(const char *path, char stem[NAME_MAX + 1])
{
    const char *name = flk_file_name(path);
    int kept = NAME_KEPT;

    if (strlen(name) + MAX_SUFFIX <= MAX_NAME) {
        memcpy(stem, name, strlen(name) + 1);
        return;
    }
    while (kept > 0 && ((unsigned char) name[kept] & 0xc0) == 0x80)
        kept--; /* some file systems insist on UTF-8, so no character may be cut in two */
    (void) snprintf(stem, NAME_MAX + 1, "%.*s~%08" PRIx32, kept, name, short_hash_of(name));
}

/* Returns the path of another name in the same directory, to be freed.  NULL: no memory. */
static char *sibling(const char *path, const char *stem, const char *suffix)
{
    size_t folder = (size_t) (flk_file_name(path) - path);
    char *name = malloc(folder + strlen(stem) + strlen(suffix) + 1);

    if (name == NULL)
        return NULL;
    memcpy(name, path, folder);
    strcpy(name + folder, stem);
    strcat(name + folder, suffix);
    return name;
}

/* Returns the name beside the path that is made of it and the suffix, to be freed.  NULL: no memory. */
static char *name_with_suffix(const char *path, const char *suffix)
{
    char stem[NAME_MAX + 1];

    stem_of(path, stem);
    return sibling(path, stem, suffix);
}

static uint32_t own_host(void)
{
    struct record self;

    flk_process_self(&self);
    return short_hash_of(self.host);
}

/* Returns a private name that this process uses once: ".new.HOST.PID.NUMBER"; to be freed.  NULL: no memory. */
static char *new_private_name(const char *path)
{
    static unsigned long counter; /* under the guard */
    char suffix[MAX_SUFFIX];
    unsigned long number;

    flk_guard_lock();
    number = counter++;
    flk_guard_unlock();
    (void) snprintf(suffix, sizeof(suffix), ".new.%08" PRIx32 ".%" PRId64 ".%lx", own_host(), flk_process_pid(),
                    number);
    return name_with_suffix(path, suffix);
}

static bool is_gone(long pid)
{
    return pid > 0 && kill((pid_t) pid, 0) != 0 && errno == ESRCH;
}

/* True if new_private_name() made the suffix on this host, in a process that is gone. */
static bool made_by_dead(const char *suffix, uint32_t host)
{
    uint32_t of;
    long pid;
    int length = 0;

    if (sscanf(suffix, ".new.%8" SCNx32 ".%ld.%*x%n", &of, &pid, &length) != 2 || length == 0 || suffix[length] != '\0')
        return false;
    return of == host && is_gone(pid);
}

#define ASIDE ".break."
#define HASH_DIGITS 16
#define FOREIGN_DIGITS 32 /* in the break names of Python's filelock */

/*
 * Hashes the number of the file, and the owner's pid, token and host.  That is unique, because a dead owner makes no
 * more markers.  The owner of a lease may be alive, and its grant tells the lease from its others.  A record without a
 * token does not tell its process from others of the same pid.  Then the time of writing tells the marker from others
 * whose file had the same number.
 */
char *flk_marker_aside(const char *path, const struct marker *dead)
{
    const struct record *record = &dead->record;
    char text[512], suffix[MAX_SUFFIX];

    (void) snprintf(text, sizeof(text), "%ju %" PRId64 " %s %s %" PRId64 "%s%s", (uintmax_t) dead->version.id.inode,
                    record->pid, record->token, record->host, record->token[0] == '\0' ? dead->version.modified : 0,
                    record->grant[0] != '\0' ? " " : "", record->grant);
    (void) snprintf(suffix, sizeof(suffix), ASIDE "%0*" PRIx64, HASH_DIGITS, hash_of(text));
    return name_with_suffix(path, suffix);
}

char *flk_marker_aside_next(const char *path, const char *aside)
{
    char suffix[MAX_SUFFIX];

    (void) snprintf(suffix, sizeof(suffix), ASIDE "%0*" PRIx64, HASH_DIGITS, hash_of(flk_file_name(aside)));
    return name_with_suffix(path, suffix);
}

static bool is_aside(const char *suffix)
{
    size_t lead = strlen(ASIDE);

    return strncmp(suffix, ASIDE, lead) == 0 && strspn(suffix + lead, "0123456789abcdef") == HASH_DIGITS &&
           suffix[lead + HASH_DIGITS] == '\0';
}

/*
 * Parses the name that a breaker of Python's filelock gives to a marker that it moves away: ".break.PID.TOKEN" after
 * the whole name of the path.  Returns the pid of the breaker, or 0 if it is another name.
 */
static long foreign_breaker(const char *suffix)
{
    size_t lead = strlen(ASIDE);
    char *end;
    long pid;

    if (strncmp(suffix, ASIDE, lead) != 0 || suffix[lead] < '1' || suffix[lead] > '9')
        return 0;
    pid = strtol(suffix + lead, &end, 10);
    if (*end != '.' || strspn(end + 1, "0123456789abcdef") != FOREIGN_DIGITS || end[1 + FOREIGN_DIGITS] != '\0')
        return 0;
    return pid < INT_MAX ? pid : 0;
}

static bool is_stale(const char *path)
{
    struct marker marker;
    bool stale = flk_marker_look(path, &marker) == VERDICT_STALE;

    flk_marker_leave(&marker);
    return stale;
}

/*
 * True if the suffix names a marker that a breaker of other rules has moved away, and that may be removed.  Either it
 * is the caller's own, or both the breaker and the owner are dead.
 */
static bool moved_for_good(const char *path, const char *suffix, const struct identity *own)
{
    long breaker = foreign_breaker(suffix);
    struct identity id;
    char *moved;
    bool gone;

    if (breaker == 0 || (moved = sibling(path, flk_file_name(path), suffix)) == NULL)
        return false;
    gone = own != NULL && flk_file_path_identity(moved, false, &id) == 0 && flk_file_same(&id, own);
    gone = gone || (is_gone(breaker) && is_stale(moved));
    free(moved);
    return gone;
}

/*
 * True if files under break names may be removed: the path names the caller's marker, or none.  Such a file only serves
 * to take over a marker that the path names.
 */
static bool break_names_unused(const char *path, const struct identity *own)
{
    struct identity id;
    int rc = flk_file_path_identity(path, false, &id);

    return rc == 0 ? own != NULL && flk_file_same(&id, own) : flk_error_no_file(rc);
}

struct sweep {
    const char *path;
    const struct identity *own; /* the caller's marker, or NULL */
    uint32_t host;              /* hash of this host */
    char stem[NAME_MAX + 1];    /* the beginning of names that are made of the path */
};

/* Returns the part of the name after the lead.  NULL: the name does not begin with the lead. */
static const char *rest_after(const char *name, const char *lead)
{
    size_t length = strlen(lead);

    return strncmp(name, lead, length) == 0 ? name + length : NULL;
}

/* True if the name was left by a dead process, or the file is the caller's own that was moved away. */
static bool is_leftover(const struct sweep *sweep, const char *name)
{
    const char *suffix = rest_after(name, sweep->stem), *foreign = rest_after(name, flk_file_name(sweep->path));

    if (foreign != NULL && moved_for_good(sweep->path, foreign, sweep->own))
        return true;
    return suffix != NULL &&
           (made_by_dead(suffix, sweep->host) || (is_aside(suffix) && break_names_unused(sweep->path, sweep->own)));
}

void flk_marker_sweep(const char *path, const struct identity *own)
{
    struct sweep sweep = { .path = path, .own = own, .host = own_host() };
    char *folder = flk_file_parent(path);
    DIR *directory = folder != NULL ? opendir(folder) : NULL;
    struct dirent *entry;

    free(folder);
    if (directory == NULL)
        return;
    stem_of(path, sweep.stem);
    while ((entry = readdir(directory)) != NULL)
        if (is_leftover(&sweep, entry->d_name))
            (void) unlinkat(dirfd(directory), entry->d_name, 0);
    (void) closedir(directory);
}

/* ---- Publishing ----------------------------------------------------------------------------- */

static int identify_both(const char *path, int fd, struct identity *found, struct identity *own)
{
    int rc = flk_file_path_identity(path, false, found);

    return rc == 0 ? flk_file_identity(fd, own) : rc;
}

/* True if the path names the open file.  An error is tried once more, because it may pass.  Keeps errno. */
static bool path_names(const char *path, int fd)
{
    int error = errno;
    struct identity own, found;
    int rc = identify_both(path, fd, &found, &own);

    if (rc != 0 && rc != -ENOENT)
        rc = identify_both(path, fd, &found, &own);
    errno = error;
    return rc == 0 && flk_file_same(&own, &found);
}

static int create(const char *path, unsigned mode)
{
    mode_t bits = (mode_t) (mode != 0 ? mode : 0666);
    int fd = flk_file_open_flags(path, O_RDWR | O_CREAT | O_EXCL, bits);

    return fd >= 0 ? flk_file_created(path, fd, mode) : fd;
}

/* Creates a file with these contents.  Returns its descriptor, or -errno and leaves no file. */
static int create_filled(const char *path, unsigned mode, const char *bytes, size_t size)
{
    int fd = create(path, mode), rc;

    if (fd < 0)
        return fd;
    rc = flk_marker_fill(fd, bytes, size);
    if (rc == 0)
        return fd;
    if (path_names(path, fd)) /* else a breaker has removed the file, because it seemed to be a dead maker's */
        (void) unlink(path);
    (void) close(fd);
    return rc;
}

/*
 * Links the open file, which has this name, to the path.  Returns 0, or -1 and errno tells why.
 *
 * If a server's answer gets lost, the call is repeated, and may fail although the link was made.  So the path is looked
 * at.  The count of links would not tell, because other users may link the file elsewhere.
 */
static int link_named(const char *name, int fd, const char *path)
{
    return linkat(AT_FDCWD, name, AT_FDCWD, path, 0) == 0 || path_names(path, fd) ? 0 : -1;
}

/* A marker that is to be published. */
struct new_marker {
    const char *path; /* the path of the lock, of which private names are made */
    const char *at;   /* the path at which the marker is to appear */
    unsigned mode;
    const char *bytes;
    size_t size;
};

/*
 * Publishes by a private name.  Returns the descriptor or -errno; -ENOTSUP: the file system has no hard links, or does
 * not allow a name that long.
 */
static int publish_named(const struct new_marker *marker)
{
    char *name = new_private_name(marker->path);
    int fd = name != NULL ? create_filled(name, marker->mode, marker->bytes, marker->size) : -ENOMEM, error;

    if (fd >= 0 && link_named(name, fd, marker->at) != 0) {
        error = errno;
        (void) close(fd);
        fd = flk_marker_refused(error);
    }
    if (name != NULL)
        (void) unlink(name);
    free(name);
    return fd == -ENAMETOOLONG ? -ENOTSUP : fd;
}

/*
 * Wait this long for the lock on a marker that was made in its place: a breaker that looks at the marker may have it.
 */
#define LOCKED_MS 100

static enum outcome try_locking(void *arg)
{
    return flk_marker_lock(*(int *) arg) == -EWOULDBLOCK ? CONTENDED : 0;
}

/*
 * Makes the marker at the path where it is to appear.  If the maker is stopped before it has locked the marker, a
 * breaker may take that over as a torn marker.  So the maker locks and writes it, and then looks whether the path still
 * names it.  Returns the descriptor or -errno; -EEXIST: the path does not name the marker any more.
 */
static int create_in_place(const struct new_marker *marker)
{
    struct limits limits = { .timeout_ms = LOCKED_MS, .cancel = FILELOCK_NO_WAITABLE };
    int fd = create_filled(marker->at, marker->mode, marker->bytes, marker->size);

    if (fd < 0)
        return fd;
    flk_limits_start(&limits);
    (void) flk_retry(try_locking, &fd, &limits);
    if (path_names(marker->at, fd))
        return fd;
    (void) close(fd);
    return -EEXIST;
}

/*
 * Publishes in the best way that the file system allows.  Returns the descriptor or -errno.  *named: a file with a name
 * was made on the way, which a crash may leave.
 */
static int publish(const struct new_marker *marker, bool *named)
{
    int fd = flk_marker_publish_unnamed(marker->at, marker->mode, marker->bytes, marker->size);

    *named = fd == -ENOTSUP;
    if (fd == -ENOTSUP &&
        !flk_file_place_is_smb(marker->at, false)) /* there, a marker that is open by its private name has no other */
        fd = publish_named(marker);
    if (fd == -ENOTSUP)
        fd = create_in_place(marker);
    return fd;
}

/* Finishes publishing: sweeps the names that crashes may have left, where markers are published by name. */
static int finish_publishing(const char *path, int marker, bool named, int *fd)
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

    for (int races = 0; rc == -ENOENT && races < MAX_RACES; races++) {
        rc = publish(&marker, &named);
        if (rc >= 0)
            return finish_publishing(path, rc, named, fd);
        if (rc == -ENOENT && (rc = flk_file_ensure_parent(path, make_parents)) == 0)
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

char *flk_marker_away(const char *path, const char *aside)
{
    return flk_file_place_is_smb(path, false) ? new_private_name(path) : strdup(aside);
}

int flk_marker_displace(const char *path, const char *aside)
{
    return rename(path, aside) == 0 ? 0 : -errno;
}

void flk_marker_replace(const char *aside, const char *path)
{
    struct identity id;
    int error = EOPNOTSUPP;

    if (!flk_file_place_is_smb(path, false))
        error = linkat(AT_FDCWD, aside, AT_FDCWD, path, 0) == 0 ? 0 : errno;

    /*
     * Without hard links this is not quite safe.  If another contender publishes a marker between the look and the
     * rename, its marker is replaced, and it finds out by filelock_check().
     */
    if (error != 0 && error != EEXIST && flk_file_path_identity(path, false, &id) != 0 && rename(aside, path) == 0)
        return;
    (void) unlink(aside);
}
