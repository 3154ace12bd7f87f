/* SPDX-License-Identifier: MIT
 *
 * What the rest of the library asks of the platform.  A platform is a folder with sources of these
 * functions and a platform_types.h of its own; configure chooses which.
 */
#ifndef FLK_PLATFORM_H
#define FLK_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "deadline.h"
#include "platform_types.h"

struct range;

/* ---- Time ---------------------------------------------------------------------------------- */

/* Nanoseconds on a monotonic clock. */
int64_t flk_now(void);

/* ---- Threads ------------------------------------------------------------------------------- */

/* struct mutex, which MUTEX_INIT initializes as well. */
void flk_mutex_init(struct mutex *mutex);
void flk_mutex_destroy(struct mutex *mutex);
void flk_mutex_lock(struct mutex *mutex);
void flk_mutex_unlock(struct mutex *mutex);

thread_id flk_thread_self(void);
bool flk_thread_equal(thread_id a, thread_id b);

/* Keeps the caller's thread from being cancelled inside the library; returns what to give back. */
int flk_thread_shield(void);
void flk_thread_unshield(int before);

/* From now on thread_ended is called when this thread ends. */
void flk_thread_watch_end(void);

/* What the handles want to know of the process; fork's with the guard taken. */
struct platform_events {
    void (*thread_ended)(void);
    void (*process_ends)(void); /* in the thread that called exit(3) */
    bool (*before_fork)(void); /* true: the parent is to go on after child_forked in the child */
    void (*parent_forked)(void);
    void (*child_forked)(void);
};

/* Starts telling, once a process.  0, -ENOMEM or -EAGAIN. */
int flk_platform_start(const struct platform_events *events);

/* ---- Fork ---------------------------------------------------------------------------------- */

/*
 * The guard protects what a forked child must find whole: the list of handles, and which
 * descriptors they have.  It is taken before any handle's mutex, never after.
 */
void flk_guard_lock(void);
void flk_guard_unlock(void);

/*
 * A descriptor that was opened while another thread forked has a copy in the child that nobody
 * there knows of, and that would keep a lock alive.  So whoever opens one that will be locked says
 * so before, and after with flk_opened(), which takes the guard: if true, the descriptor may be
 * recorded and the guard given back; if not, there was a fork, and it must be closed and opened
 * again.  A fork waits for those who are opening, but not for ever: an open may hang.
 */
unsigned flk_opening(void);
bool flk_opened(unsigned epoch);

/* ---- Files --------------------------------------------------------------------------------- */

/*
 * An open file is a number of 0 or more; -1 is none.  What the platform's own number for it is, and
 * whether that is a descriptor of the C library's, is known to the platform only.  struct identity
 * tells one file from another.
 */

/* What the caller's descriptor is to the functions below, or -EBADF: it is none. */
int flk_file_of_descriptor(int fd);

/* The descriptor by which a program may use an open file of ours, or -1: there is none. */
int flk_file_descriptor(int fd);

enum file_wish {
    FILE_FOLLOW = 1,       /* the last component may be a symbolic link */
    FILE_READ_ONLY_OK = 2, /* a descriptor that cannot be written will do; so will a directory */
    FILE_MAKE_PARENTS = 4,
    FILE_EXISTING = 8      /* not to be created */
};

/*
 * Opens the lock file, created if need be; 0, -errno, or FLK_CONTENDED: what somebody else does to the
 * file keeps it from being opened, for the moment.  mode: as options.file_mode.
 */
int flk_file_open(const char *path, unsigned wishes, unsigned mode, int *fd, bool *writable);

/* Opens what a descriptor refers to once more, as an open file of its own; 0 or -errno. */
int flk_file_reopen(int fd, int *copy, bool *writable);

/* Opens what may be a lock file for a look inside, never waiting; the descriptor or -errno. */
int flk_file_open_to_read(const char *path, bool follow);

void flk_file_close(int fd);
int flk_file_identity(int fd, struct identity *id);

/* Whether that is what is said for want of descriptors or memory, and nothing of the file: -EMFILE, -ENFILE, -ENOMEM. */
bool flk_file_lacks_means(int rc);

/* Whether that is what the lookup of a path says when it names no file. */
bool flk_file_names_nothing(int rc);

int flk_file_path_identity(const char *path, bool follow, struct identity *id);

/* Whether the open file is known to have no path any more. */
bool flk_file_is_removed(int fd);

bool flk_file_same(const struct identity *a, const struct identity *b);
/* Removes the file that the path names: of a link that is followed, the file it leads to. */
int flk_file_remove(const char *path, bool follow);

/* The same of one file: -ENOENT if the path does not name it. */
int flk_file_remove_same(const char *path, bool follow, const struct identity *id);
int flk_file_inherit(int fd, bool on_exec);

/* The whole contents, at most size bytes: how many, or -errno; -EINVAL if not a regular file. */
ssize_t flk_file_read(int fd, char *bytes, size_t size);

/* Replaces the contents of a regular file. */
int flk_file_write(int fd, const char *bytes, size_t size);

/* The same by the record of who has locked a range of it, where others can read that. */
int flk_file_write_record(int fd, const struct range *range, const char *text, size_t size);

/* When a file was written last, and which file it is. */
struct file_version {
    struct identity id;
    int64_t modified; /* ns */
    bool regular, directory;
};

int flk_file_version(int fd, struct file_version *version);

/* The version, and of a regular file the contents, at most size bytes: how many, or -errno. */
ssize_t flk_file_read_version(int fd, struct file_version *version, char *bytes, size_t size);
bool flk_file_same_version(const struct file_version *a, const struct file_version *b);

/*
 * The path from the root on, to be freed.  NULL: it is that already, or cannot be said, and has to do as it is.
 */
char *flk_file_absolute(const char *path);

/* The path that a symbolic link leads to, be there a file or not; to be freed.  NULL: errno tells. */
char *flk_file_resolve(const char *path);

/* Other hosts may lock or change files of this file system, and this one is not told. */
bool flk_file_is_remote(int fd);
bool flk_file_path_is_remote(const char *path);

/*
 * Some process is seen to have the file open for writing: 1; 0: an unseen one may; or -EMFILE, -ENFILE, -ENOMEM.
 */
int flk_file_is_written(const struct identity *id);

/* ---- Markers: files whose existence is a lock ---------------------------------------------- */

/*
 * Makes the marker appear at the path with all of its contents, open for writing and locked by
 * flock(2) where the file system can.  0 or -errno; -EEXIST: there is one.  mode: as file_mode.
 */
int flk_marker_publish(const char *path, unsigned mode, bool make_parents, const char *bytes, size_t size, int *fd);

/* Locks an open marker without waiting: 0, -EWOULDBLOCK, or -ENOTSUP where that cannot be done. */
int flk_marker_lock(int fd);

/* Ends that, also for copies of the descriptor that a forked child has got; it need not be locked. */
void flk_marker_unlock(int fd);

/*
 * A marker that was shared by fork is left by this process: *fd is closed, and -1.  One of those who go on holding is
 * named by it; if there is none, it is removed.  0; or -EMFILE, -ENFILE, -ENOMEM, and it is held as before, but not
 * if it is left for good.  sharer: the process that last forked while it held the lock, which is this one or the one
 * that this was forked from.
 */
int flk_marker_part(const char *path, const struct identity *id, int64_t sharer, bool for_good, int *fd);

/* ---- Wake-ups ------------------------------------------------------------------------------ */

/*
 * A struct wakeup: one thread waits, within limits, for another to signal.  A wake-up that could not
 * be had (no descriptor is free) naps instead: its wait returns 0 after a jittered 1 to 50 ms, and
 * whoever waits looks for himself.
 */

/* In the way that the limits ask for: 0, or -errno: it can be used, and naps. */
int flk_wakeup_open(struct wakeup *wakeup, const struct limits *limits);
void flk_wakeup_open_napping(struct wakeup *wakeup);
void flk_wakeup_close(struct wakeup *wakeup);

/*
 * What it takes to signal: a struct waker.  Who is woken may end the wake-up at once, so it is read
 * from there while the wake-up is sure to be there, under whatever mutex makes it so.
 */
struct waker flk_wakeup_waker(struct wakeup *wakeup);
void flk_wake(const struct waker *waker);

/* Whether it may be one: a waitable is not looked at before a wait. */
bool flk_waitable_valid(filelock_waitable waitable);

/* 0: signalled, or a nap is over.  -ETIMEDOUT, -ECANCELED, -EINTR: a limit was reached.  -EINVAL: cancel is not open. */
int flk_wakeup_wait(struct wakeup *wakeup, const struct limits *limits);

/* Nothing but the signal ends this one; not for naps. */
void flk_wakeup_wait_only(struct wakeup *wakeup);

void flk_wakeups_forked(void); /* in a child, with the guard taken */

/*
 * A struct watch waits for a path to be removed or a process to end, whichever is first.  One that
 * cannot be had naps, as a wake-up does.
 */
void flk_watch_open(struct watch *watch, const char *path);

/*
 * Which process, 0: none; the token is that of its record.  true: it is the one that was watched before, and has not
 * ended since; so if it was alive after it began to be watched, it is.
 */
bool flk_watch_process(struct watch *watch, int64_t pid, const char *token);
void flk_watch_close(struct watch *watch);

/* As flk_wakeup_wait(); also returns 0 after at_most ns. */
int flk_watch_wait(struct watch *watch, const struct limits *limits, int64_t at_most);

/* Gives back what was kept for the next watch: nobody has watched for a while, or will. */
void flk_watches_rest(void);
void flk_watches_forked(void); /* in a child, with the guard taken */

#endif
