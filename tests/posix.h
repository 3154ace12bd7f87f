/* SPDX-License-Identifier: MIT
 *
 * posix.h - what suites use that run on POSIX only: permissions, users, forks.
 */
#ifndef TESTS_POSIX_H
#define TESTS_POSIX_H

#include "peers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define NOBODY 65534

/* The permission bits of a file; the test fails if there is none. */
unsigned mode_of(const char *path);

/* Makes a file with exactly these bits and contents. */
void make_file(const char *path, unsigned mode, const char *text);

/* Lets everybody into the scratch directory of the test. */
void open_scratch(void);

/* Makes this test's process an ordinary user's; it fails unless root runs the test. */
void become_nobody(void);

/* Skips what wants a user without root's privileges, and there is no way to have one. */
#define AS_ORDINARY_USER()                                                                         \
    do {                                                                                           \
        if (geteuid() == 0)                                                                        \
            become_nobody();                                                                       \
    } while (0)

#define NEEDS_ROOT()                                                                               \
    do {                                                                                           \
        if (geteuid() != 0)                                                                        \
            SKIP("wants to be run as root");                                                       \
    } while (0)

/* Has a peer fork, in its thread `worker` (NULL: the main one): the child, to be spoken to. */
struct peer *peer_fork(struct peer *peer, const char *worker);

#endif
