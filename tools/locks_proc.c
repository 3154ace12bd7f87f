/* SPDX-License-Identifier: MIT
 *
 * locks_proc.c - finds locks in /proc of Linux (proc(5)): /proc/locks lists them, and /proc/PID/fdinfo tells which
 * processes have a lock by an open file.  A process that has no privileges can look only into processes of its user.
 */
#include <config.h>

#include "locks.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <unistd.h>

/* A line of the list. */
struct line {
    const char *kind;
    int waits;
    int mode;
    int64_t pid; /* the process that took the lock or waits; 0 or less: the system does not tell */
    unsigned major, minor;
    uint64_t inode;
    int64_t first, last;
    int seen;   /* a process is seen to hold it by an open file */
    char *path; /* NULL: not known */
};

/* The file that is asked about.  Some file systems list it by another device than stat(2) tells. */
struct wanted {
    int any; /* all files */
    unsigned major[2], minor[2];
    uint64_t inode;
};

struct search {
    struct wanted wanted;
    struct line *lines;
    size_t count;
    struct sightings *sightings;
    const char *path; /* of every sighting; NULL: the path that is found */
    int error;        /* 0 or -errno: the search is over */
};

/* ---- Files in /proc ------------------------------------------------------------------------- */

/* Bounds a path in /proc: numbers and short names. */
#define PROC_PATH 96

static int is_number(const char *name)
{
    return isdigit((unsigned char) name[0]);
}

/* Stores the name of a process, with '?' for unprintable bytes; "" if it is not known. */
static void read_name(int64_t pid, char *name, size_t size)
{
    char path[PROC_PATH];
    size_t length = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%" PRId64 "/comm", pid);
    file = fopen(path, "re");
    if (file != NULL) {
        length = fread(name, 1, size - 1, file);
        fclose(file);
    }
    if (length > 0 && name[length - 1] == '\n')
        length--;
    name[length] = '\0';
    for (; *name != '\0'; name++)
        if (!isprint((unsigned char) *name))
            *name = '?';
}

/* True if the process has ended, though another may hold what it took. */
static int has_ended(int64_t pid)
{
    return kill((pid_t) pid, 0) != 0 && errno == ESRCH;
}

/* Reads what follows a word at the beginning of a line in a file of /proc.  Returns 1 if there is such a line. */
static int read_field(const char *path, const char *word, char *value, size_t size)
{
    char line[512];
    int found = 0;
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return 0;
    while (!found && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, word, strlen(word)) == 0) {
            snprintf(value, size, "%s", line + strlen(word));
            found = 1;
        }
    fclose(file);
    return found;
}

/* ---- The file that is wanted ---------------------------------------------------------------- */

/*
 * Stores the device of the mount on which a file is, by the table of mounts.  Locks are listed by this device, which
 * stat(2) does not tell on btrfs and overlayfs.
 */
static void find_device(int fd, unsigned *major, unsigned *minor)
{
    char path[PROC_PATH], value[64], *line = NULL;
    size_t size = 0;
    int wanted, id;
    FILE *mounts;

    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    if (!read_field(path, "mnt_id:", value, sizeof value))
        return;
    wanted = atoi(value);
    mounts = fopen("/proc/self/mountinfo", "re");
    if (mounts == NULL)
        return;
    while (getline(&line, &size, mounts) > 0) {
        unsigned numbers[2];

        if (sscanf(line, "%d %*d %u:%u", &id, &numbers[0], &numbers[1]) == 3 && id == wanted) {
            *major = numbers[0];
            *minor = numbers[1];
        }
    }
    free(line);
    fclose(mounts);
}

/* Returns 0 or -errno.  O_PATH: opening a FIFO does not wait, and no permission to read is needed. */
static int find_file(const char *path, struct wanted *wanted)
{
    struct stat st;
    int fd = open(path, O_PATH | O_CLOEXEC), error = 0;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) != 0)
        error = -errno;
    if (error == 0) {
        wanted->inode = st.st_ino;
        wanted->major[0] = wanted->major[1] = major(st.st_dev);
        wanted->minor[0] = wanted->minor[1] = minor(st.st_dev);
        find_device(fd, &wanted->major[1], &wanted->minor[1]);
    }
    close(fd);
    return error;
}

static int is_wanted(const struct wanted *wanted, const struct line *line)
{
    int i;

    if (wanted->any)
        return 1;
    for (i = 0; i < 2; i++)
        if (line->inode == wanted->inode && line->major == wanted->major[i] && line->minor == wanted->minor[i])
            return 1;
    return 0;
}

/* ---- Lines ---------------------------------------------------------------------------------- */

/* Leases (LEASE, DELEG) keep nobody out, so they are no locks. */
static const char *kind_of(const char *type)
{
    static const char *const kinds[][2] = { { "FLOCK", "flock" }, { "OFDLCK", "ofd" }, { "POSIX", "posix" } };
    size_t i;

    for (i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(type, kinds[i][0]) == 0)
            return kinds[i][1];
    return NULL;
}

/* True for a byte by which a waiter for a soft lock queues up: that is no lock on the file. */
static int is_place_in_queue(const struct line *line)
{
    return strcmp(line->kind, "ofd") == 0 && line->mode == FILELOCK_EXCLUSIVE && line->first == line->last &&
           line->first >= LOCKS_QUEUE_START;
}

/* Parses "1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF".  A waiter has "->" before "FLOCK".  Returns 1 for a lock. */
static int parse_line(const char *text, struct line *line)
{
    const char *at = strchr(text, ':');
    char type[16], mode[16], last[24];

    memset(line, 0, sizeof *line);
    if (at == NULL)
        return 0;
    at += 1 + strspn(at + 1, " ");
    line->waits = strncmp(at, "->", 2) == 0;
    if (sscanf(line->waits ? at + 2 : at, "%15s %*s %15s %" SCNd64 " %x:%x:%" SCNu64 " %" SCNd64 " %23s", type, mode,
               &line->pid, &line->major, &line->minor, &line->inode, &line->first, last) != 8)
        return 0;
    line->kind = kind_of(type);
    line->mode = strcmp(mode, "READ") == 0    ? FILELOCK_SHARED
                 : strcmp(mode, "WRITE") == 0 ? FILELOCK_EXCLUSIVE
                                              : MODE_UNKNOWN;
    line->last = strcmp(last, "EOF") == 0 ? INT64_MAX : strtoll(last, NULL, 10);
    return line->kind != NULL && !is_place_in_queue(line);
}

static int is_same_file(const struct line *one, const struct line *other)
{
    return one->major == other->major && one->minor == other->minor && one->inode == other->inode;
}

static int is_same_request(const struct line *one, const struct line *other)
{
    return is_same_file(one, other) && one->waits == other->waits && strcmp(one->kind, other->kind) == 0 &&
           one->mode == other->mode && one->first == other->first && one->last == other->last;
}

/* Returns the line of the search that is like this one, or NULL.  The pid may be hidden in one of the two. */
static struct line *find_line(const struct search *search, const struct line *line)
{
    size_t i;

    for (i = 0; i < search->count; i++)
        if (is_same_request(&search->lines[i], line) && (search->lines[i].pid == line->pid || line->pid == 0))
            return &search->lines[i];
    return NULL;
}

/* Adds a line to the search, or returns the one that is there.  NULL: there is no memory. */
static struct line *add_line(struct search *search, const struct line *line)
{
    struct line *lines = find_line(search, line);

    if (lines != NULL)
        return lines;
    lines = realloc(search->lines, (search->count + 1) * sizeof *lines);
    if (lines == NULL) {
        search->error = -ENOMEM;
        return NULL;
    }
    search->lines = lines;
    lines[search->count] = *line;
    return &lines[search->count++];
}

/* Stores the path of a file in all its lines. */
static void learn_path(struct search *search, const struct line *line, const char *path)
{
    size_t i;

    for (i = 0; i < search->count; i++)
        if (*path != '\0' && search->lines[i].path == NULL && is_same_file(&search->lines[i], line))
            search->lines[i].path = strdup(path);
}

/* ---- The list ------------------------------------------------------------------------------- */

/* The kernel hands out the list in pieces: each pass asks for pieces of another size, so that they end elsewhere. */
static int read_pass(struct search *search, size_t piece)
{
    char buffer[4096], text[256];
    FILE *file = fopen("/proc/locks", "re");
    struct line line;

    if (file == NULL)
        return errno == ENOENT ? -ENOTSUP : -errno;
    setvbuf(file, buffer, _IOFBF, piece);
    while (search->error == 0 && fgets(text, sizeof text, file) != NULL)
        if (parse_line(text, &line) && is_wanted(&search->wanted, &line))
            (void) add_line(search, &line);
    fclose(file);
    return search->error;
}

/* Give up after so many passes in which new locks are seen: other processes may lock and unlock all the time. */
#define MAX_PASSES 4

/*
 * Reads the list until a pass finds nothing new, and twice at least.  A lock that ends between two pieces of a pass
 * moves the later locks up, and hides the lock that was next.
 */
static int read_list(struct search *search)
{
    size_t before = 0, pass;
    int error = 0;

    for (pass = 0; error == 0 && pass < MAX_PASSES && (pass < 2 || search->count > before); pass++) {
        before = search->count;
        error = read_pass(search, 4096 - pass * 640);
    }
    return error;
}

/* ---- Sightings ------------------------------------------------------------------------------ */

/* True if the process has its sighting already: it may have several descriptors of an open file. */
static int is_known(const struct search *search, const struct line *line, int64_t pid)
{
    size_t i;

    for (i = 0; i < search->sightings->count; i++) {
        const struct sighting *known = &search->sightings->list[i];

        if (pid > 0 && known->owner.pid == pid && known->waits == line->waits && known->inode == line->inode &&
            known->major == line->major && known->minor == line->minor && known->mode == line->mode &&
            strcmp(known->kind, line->kind) == 0 && known->start == line->first &&
            known->length == (line->last == INT64_MAX ? 0 : line->last - line->first + 1))
            return 1;
    }
    return 0;
}

static void add_sighting(struct search *search, const struct line *line, int64_t pid)
{
    struct sighting sighting = { .path = search->path, .kind = line->kind, .waits = line->waits, .mode = line->mode };

    if (is_known(search, line, pid))
        return;
    if (sighting.path == NULL)
        sighting.path = line->path;
    sighting.start = line->first;
    sighting.length = line->last == INT64_MAX ? 0 : line->last - line->first + 1;
    sighting.major = line->major;
    sighting.minor = line->minor;
    sighting.inode = line->inode;
    sighting.owner.local = 1;
    sighting.owner.alive = -1;
    if (pid > 0) {
        sighting.owner.pid = pid;
        sighting.owner.alive = !has_ended(pid);
        read_name(pid, sighting.owner.command, sizeof sighting.owner.command);
    }
    search->error = sightings_add(search->sightings, &sighting);
}

/* ---- Open files ----------------------------------------------------------------------------- */

/* What a walk through the open files of all processes calls for each: folder is an open /proc/PID/fd. */
typedef void visit(struct search *search, int64_t pid, int folder, const char *name);

static void visit_process(struct search *search, int64_t pid, visit *each)
{
    char path[PROC_PATH];
    struct dirent *entry;
    DIR *descriptors;

    snprintf(path, sizeof path, "/proc/%" PRId64 "/fd", pid);
    descriptors = opendir(path);
    if (descriptors == NULL)
        return;
    while (search->error == 0 && (entry = readdir(descriptors)) != NULL)
        if (is_number(entry->d_name))
            each(search, pid, dirfd(descriptors), entry->d_name);
    closedir(descriptors);
}

static void visit_all(struct search *search, visit *each)
{
    struct dirent *entry;
    DIR *processes = opendir("/proc");

    if (processes == NULL)
        return;
    while (search->error == 0 && (entry = readdir(processes)) != NULL)
        if (is_number(entry->d_name))
            visit_process(search, strtoll(entry->d_name, NULL, 10), each);
    closedir(processes);
}

/*
 * Stores the path of an open file; "" if it is too long.  Returns 1, or 0 if it is no file of a file system.  The path
 * of a file that is not below the root of the process begins with "(unreachable)".
 */
static int read_link(int folder, const char *name, char path[PATH_MAX])
{
    ssize_t length = readlinkat(folder, name, path, PATH_MAX - 1);
    int is_file = length > 0 && (path[0] == '/' || path[0] == '(');

    path[length > 0 && length < PATH_MAX - 1 ? length : 0] = '\0';
    return is_file;
}

/* Adds the locks that a process has by an open file. */
static void visit_holder(struct search *search, int64_t pid, int folder, const char *name)
{
    static const char lead[] = "lock:";
    char path[PATH_MAX], text[512];
    struct line line, *listed;
    FILE *info;

    if (!read_link(folder, name, path))
        return;
    snprintf(text, sizeof text, "/proc/%" PRId64 "/fdinfo/%.20s", pid, name);
    info = fopen(text, "re");
    if (info == NULL)
        return;
    while (search->error == 0 && fgets(text, sizeof text, info) != NULL) {
        if (strncmp(text, lead, sizeof lead - 1) != 0 || !parse_line(text + sizeof lead - 1, &line) ||
            !is_wanted(&search->wanted, &line))
            continue;
        listed = add_line(search, &line);
        if (listed == NULL)
            break;
        listed->seen = 1;
        learn_path(search, &line, path);
        add_sighting(search, listed, pid);
    }
    fclose(info);
}

/* Learns the path of a file that a waiter has open, if no holder has shown it. */
static void visit_waiter(struct search *search, int64_t pid, int folder, const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    size_t i;

    if (!read_link(folder, name, path) || fstatat(folder, name, &st, 0) != 0)
        return;
    for (i = 0; i < search->count; i++)
        if (search->lines[i].path == NULL && search->lines[i].pid == pid && search->lines[i].inode == st.st_ino)
            learn_path(search, &search->lines[i], path);
}

static int may_look_into(int64_t pid)
{
    char path[PROC_PATH];
    DIR *descriptors;

    snprintf(path, sizeof path, "/proc/%" PRId64 "/fd", pid);
    descriptors = opendir(path);
    if (descriptors == NULL)
        return 0;
    closedir(descriptors);
    return 1;
}

/*
 * Adds the process that took a lock, if it may hold it: it cannot be looked into.  If no process is seen to hold the
 * lock, adds what the list says.
 */
static void add_taker(struct search *search, const struct line *line)
{
    if (!line->seen || (line->pid > 0 && !has_ended(line->pid) && !may_look_into(line->pid)))
        add_sighting(search, line, line->pid > 0 ? line->pid : 0);
}

/* ---- Waiters whose pid is not listed -------------------------------------------------------- */

#ifdef SYS_fcntl64
#define CALL_FCNTL SYS_fcntl64
#else
#define CALL_FCNTL SYS_fcntl
#endif
#ifndef F_OFD_SETLKW
#define F_OFD_SETLKW 38
#endif

/*
 * Adds a sighting if the thread waits for an OFD lock: then it is in fcntl(2), on a descriptor of the file.  If waiters
 * for one file want different bytes or modes, it is not known which is whose: they stay without a pid.
 */
static void try_waiter(struct search *search, int64_t pid, const char *thread)
{
    char path[PROC_PATH], text[256];
    unsigned long long descriptor, command;
    long call;
    struct stat st;
    struct line *line = NULL;
    size_t i;

    snprintf(path, sizeof path, "/proc/%" PRId64 "/task/%.20s/syscall", pid, thread);
    if (!read_field(path, "", text, sizeof text) || sscanf(text, "%ld %llx %llx", &call, &descriptor, &command) != 3 ||
        call != CALL_FCNTL || command != F_OFD_SETLKW)
        return;
    snprintf(path, sizeof path, "/proc/%" PRId64 "/fd/%llu", pid, descriptor);
    if (stat(path, &st) != 0)
        return;
    for (i = 0; i < search->count; i++) {
        struct line *candidate = &search->lines[i];

        if (!candidate->waits || candidate->pid > 0 || strcmp(candidate->kind, "ofd") != 0 ||
            candidate->inode != st.st_ino)
            continue;
        if (line != NULL)
            return;
        line = candidate;
    }
    if (line == NULL)
        return;
    line->seen = 1;
    add_sighting(search, line, pid);
}

static int has_hidden_waiter(const struct search *search)
{
    size_t i;

    for (i = 0; i < search->count; i++)
        if (search->lines[i].waits && search->lines[i].pid <= 0)
            return 1;
    return 0;
}

static void add_hidden_waiters(struct search *search)
{
    struct dirent *process, *thread;
    char path[PROC_PATH];
    DIR *processes = has_hidden_waiter(search) ? opendir("/proc") : NULL, *threads;

    if (processes == NULL)
        return;
    while (search->error == 0 && (process = readdir(processes)) != NULL) {
        snprintf(path, sizeof path, "/proc/%.20s/task", process->d_name);
        threads = is_number(process->d_name) ? opendir(path) : NULL;
        if (threads == NULL)
            continue;
        while (search->error == 0 && (thread = readdir(threads)) != NULL)
            if (is_number(thread->d_name))
                try_waiter(search, strtoll(process->d_name, NULL, 10), thread->d_name);
        closedir(threads);
    }
    closedir(processes);
}

/* ---- All of it ------------------------------------------------------------------------------ */

static void add_waiters(struct search *search)
{
    size_t i;

    for (i = 0; search->error == 0 && i < search->count; i++)
        if (search->lines[i].waits && search->lines[i].path == NULL && search->path == NULL)
            visit_process(search, search->lines[i].pid, visit_waiter);
    for (i = 0; search->error == 0 && i < search->count; i++)
        if (search->lines[i].waits && search->lines[i].pid > 0)
            add_sighting(search, &search->lines[i], search->lines[i].pid);
    add_hidden_waiters(search);
    for (i = 0; search->error == 0 && i < search->count; i++)
        if (search->lines[i].waits && search->lines[i].pid <= 0 && !search->lines[i].seen)
            add_sighting(search, &search->lines[i], 0);
}

int locks_list(const char *path, struct sightings *sightings)
{
    struct search search = { .wanted = { .any = path == NULL }, .sightings = sightings, .path = path };
    size_t i;

    if (path != NULL)
        search.error = find_file(path, &search.wanted);
    if (search.error == -ENOENT || search.error == -ENOTDIR)
        return 0;
    if (search.error == 0)
        search.error = read_list(&search);
    if (search.error == 0 && search.count > 0)
        visit_all(&search, visit_holder);
    for (i = 0; search.error == 0 && i < search.count; i++)
        if (!search.lines[i].waits)
            add_taker(&search, &search.lines[i]);
    if (search.error == 0)
        add_waiters(&search);
    for (i = 0; i < search.count; i++)
        free(search.lines[i].path);
    free(search.lines);
    return search.error;
}

/*
 * True if the path is that of a file without a name.  The system goes on showing a file so that was made without one,
 * as the marker of a soft lock is (O_TMPFILE), after it has got its name.
 */
static int is_nameless(const char *path)
{
    static const char tail[] = " (deleted)";
    size_t length = path != NULL ? strlen(path) : 0;

    return path == NULL || (length >= sizeof tail - 1 && strcmp(path + length - (sizeof tail - 1), tail) == 0);
}

int locks_name(struct sightings *sightings, const struct stat *st, const char *path)
{
    size_t i;

    for (i = 0; i < sightings->count; i++) {
        struct sighting *sighting = &sightings->list[i];

        if (sighting->inode != st->st_ino || sighting->major != major(st->st_dev) ||
            sighting->minor != minor(st->st_dev) || !is_nameless(sighting->path))
            continue;
        if (sighting_rename(sighting, path) != 0)
            return -ENOMEM;
    }
    return 0;
}

/* ---- Waiters for soft locks ----------------------------------------------------------------- */

/* What a waiter for a soft lock watches. */
enum { SEES_DIRECTORY = 1, SEES_HOLDER = 2, SEES_BOTH = SEES_DIRECTORY | SEES_HOLDER };

/* A holder of a soft lock, and what of it the process watches that is looked at. */
struct watched {
    size_t holder; /* its number in the list of sightings */
    int64_t pid;
    struct stat directory;
    int sees;
};

struct watching {
    struct watched *list;
    size_t count;
};

/* True if a line of fdinfo is a watch of inotify(7) on the directory: "inotify wd:1 ino:a821 sdev:fe00000 ...". */
static int is_watch(const char *text, const struct stat *directory)
{
    unsigned long long inode, device;

    return sscanf(text, "inotify wd:%*s ino:%llx sdev:%llx", &inode, &device) == 2 && inode == directory->st_ino &&
           device == ((unsigned long long) major(directory->st_dev) << 20 | minor(directory->st_dev));
}

static void look_at_line(struct watching *watching, const char *text)
{
    int64_t pid = 0;
    size_t i;

    if (sscanf(text, "Pid: %" SCNd64, &pid) != 1 && strncmp(text, "inotify ", 8) != 0)
        return;
    for (i = 0; i < watching->count; i++) {
        struct watched *watched = &watching->list[i];

        if (pid == watched->pid)
            watched->sees |= SEES_HOLDER;
        else if (pid == 0 && is_watch(text, &watched->directory))
            watched->sees |= SEES_DIRECTORY;
    }
}

static void look_at_descriptor(struct watching *watching, const char *path)
{
    char text[512];
    FILE *info = fopen(path, "re");

    if (info == NULL)
        return;
    while (fgets(text, sizeof text, info) != NULL)
        look_at_line(watching, text);
    fclose(info);
}

/* Looks only at descriptors without a path: those of inotify and of a process (pidfd_open(2)) have none. */
static void look_at_process(struct watching *watching, int64_t pid)
{
    char path[PROC_PATH], link[16];
    struct dirent *entry;
    DIR *descriptors;

    snprintf(path, sizeof path, "/proc/%" PRId64 "/fd", pid);
    descriptors = opendir(path);
    if (descriptors == NULL)
        return;
    while ((entry = readdir(descriptors)) != NULL) {
        if (!is_number(entry->d_name) || readlinkat(dirfd(descriptors), entry->d_name, link, sizeof link) <= 0 ||
            strncmp(link, "anon_inode:", 11) != 0)
            continue;
        snprintf(path, sizeof path, "/proc/%" PRId64 "/fdinfo/%.20s", pid, entry->d_name);
        look_at_descriptor(watching, path);
    }
    closedir(descriptors);
}

/* Stores what the directory of a file is.  Returns 1 if that is known. */
static int find_directory(const char *path, struct stat *directory)
{
    const char *slash = strrchr(path, '/');
    char *name;
    int found;

    if (slash == NULL)
        return stat(".", directory) == 0;
    name = strndup(path, (size_t) (slash - path) + 1);
    found = name != NULL && stat(name, directory) == 0;
    free(name);
    return found;
}

static int is_soft_holder(const struct sighting *sighting)
{
    return !sighting->waits && sighting->owner.local && sighting->owner.pid > 0 && sighting->path != NULL &&
           (strcmp(sighting->kind, "soft") == 0 || strcmp(sighting->kind, "lease") == 0);
}

/* Stores the holders of soft locks that are in the list.  Returns 0 or -ENOMEM. */
static int find_holders(const struct sightings *sightings, struct watching *watching)
{
    size_t i;

    watching->count = 0;
    watching->list = calloc(sightings->count + 1, sizeof *watching->list);
    if (watching->list == NULL)
        return -ENOMEM;
    for (i = 0; i < sightings->count; i++) {
        struct watched *watched = &watching->list[watching->count];

        watched->holder = i;
        watched->pid = sightings->list[i].owner.pid;
        if (is_soft_holder(&sightings->list[i]) && find_directory(sightings->list[i].path, &watched->directory))
            watching->count++;
    }
    return 0;
}

/* Adds a process as a waiter for each lock of which it watches both.  Returns 0 or -ENOMEM. */
static int add_waiter(struct sightings *sightings, struct watching *watching, int64_t pid)
{
    int error = 0;
    size_t i;

    for (i = 0; i < watching->count; i++) {
        struct watched *watched = &watching->list[i];

        if (watched->sees == SEES_BOTH && error == 0) {
            struct sighting waiter = sightings->list[watched->holder];

            waiter.waits = 1;
            waiter.owner.pid = pid;
            waiter.owner.alive = 1;
            read_name(pid, waiter.owner.command, sizeof waiter.owner.command);
            error = sightings_add(sightings, &waiter);
        }
        watched->sees = 0;
    }
    return error;
}

/* All locks are looked for in one walk through the processes, which takes a while. */
int locks_list_soft_waiters(struct sightings *sightings)
{
    struct watching watching;
    struct dirent *entry;
    int error = find_holders(sightings, &watching);
    DIR *processes = error == 0 && watching.count > 0 ? opendir("/proc") : NULL;

    while (processes != NULL && error == 0 && (entry = readdir(processes)) != NULL) {
        int64_t pid = is_number(entry->d_name) ? strtoll(entry->d_name, NULL, 10) : 0;

        if (pid == 0)
            continue;
        look_at_process(&watching, pid);
        error = add_waiter(sightings, &watching, pid);
    }
    if (processes != NULL)
        closedir(processes);
    free(watching.list);
    return error;
}
