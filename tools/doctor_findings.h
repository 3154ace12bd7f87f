/* SPDX-License-Identifier: MIT
 *
 * doctor_findings.h - what the doctor finds out, and what it says about it.
 */
#ifndef DOCTOR_FINDINGS_H
#define DOCTOR_FINDINGS_H

#include "report.h"

#include <filelock.h>

#include <stddef.h>
#include <stdint.h>

/* Bounds the number of kinds: more than there are, or will be. */
#define MAX_KINDS 16

enum finding {
    NOT_TRIED, /* it does not apply, or cannot be told */
    WORKS,
    FAILS
};

enum waiting {
    WAITING_NOT_TRIED,
    WAITING_TOLD,  /* the waiter sleeps until it is woken */
    WAITING_POLLS, /* the waiter looks again and again */
    WAITING_LOST   /* the waiter was not woken at all */
};

/* How far a lock reaches.  The file system's type and options tell, no trial does. */
enum reach {
    REACH_UNKNOWN,
    REACH_MACHINE, /* this machine's kernel keeps the lock, and tells no other machine */
    REACH_SERVER   /* every machine that has mounted the file system sees the lock */
};

struct kind_findings {
    int kind; /* never FILELOCK_KIND_DEFAULT */
    enum finding excludes;
    enum finding shares;
    enum finding ends_with_holder; /* a lock is gone when its holder was killed */
    enum waiting waiting;
    int64_t wake_us; /* the median time from a release to the waiter's acquire, or -1 */
    int overlaps;    /* intervals in which a process was inside while another was */
    enum reach reach;
    char error[256]; /* a sentence about what could not be done, or "" */
};

/* What the directory's file system can do beside locks. */
struct file_findings {
    enum finding replace; /* rename over a file that exists */
    enum finding hard_link;
    enum finding symbolic_link;
    enum finding unnamed; /* O_TMPFILE, and a link that names the file */
    enum finding swap;    /* renameat2 with RENAME_EXCHANGE */
};

/* Where the directory is mounted from; each text is "" if it is not known. */
struct mount_findings {
    char type[64];
    char source[512];
    char point[4096];
    char options[4096]; /* of the mount and of the file system, with commas */
};

struct findings {
    const char *directory; /* its real path */
    int judged;            /* the kind whose exclusion decides */
    int is_default;        /* the judged kind is the default */
    struct mount_findings mount;
    char between[512]; /* a sentence about other machines */
    struct file_findings files;
    struct kind_findings kinds[MAX_KINDS];
    int count;
    int recommended; /* the kind, or -1 */
    char advice[1024];
};

/* Fills in the kinds that the build has, untried.  If the judged kind is FILELOCK_KIND_DEFAULT, finds out which that
 * is.  False if the build lacks the judged kind. */
int findings_begin(struct findings *findings, const char *directory, int judged);

/* Returns what was found about the judged kind, or NULL: the build lacks it. */
const struct kind_findings *findings_judged(const struct findings *findings);

/* Finds out how far the locks of each kind reach, from where the directory is mounted from. */
void reach_find(struct findings *findings);

/* Chooses a kind to recommend, and makes a sentence of it. */
void advise(struct findings *findings);

/* Writes all to standard output. */
void findings_print(const struct findings *findings);
void findings_print_json(const struct findings *findings);

/* Returns "true", "false" or "null". */
const char *finding_json(enum finding finding);

/* Returns "yes", "no" or "-". */
const char *finding_text(enum finding finding);

/* Fills in where the directory is mounted from. */
void mount_find(const char *directory, struct mount_findings *mount);

/* Tries files in an empty directory of the doctor's own. */
void files_try(const char *place, struct file_findings *files);

#endif
