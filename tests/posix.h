/* SPDX-License-Identifier: MIT
 *
 * posix.h - what suites that run on POSIX only use: permissions, users, forks.
 */
#ifndef TESTS_POSIX_H
#define TESTS_POSIX_H

#include "peers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define NOBODY 65534

/* Returns the permission bits of a file; fails the test if there is no file. */
unsigned mode_of(const char *path);

/* Makes a file with exactly these bits and contents. */
void make_file(const char *path, unsigned mode, const char *text);

/* Lets every user into the scratch directory of the test. */
void open_scratch(void);

/* Makes this process an ordinary user's; fails the test unless root runs it. */
void become_nobody(void);

/* Makes sure that the test runs without root's privileges. */
#define AS_ORDINARY_USER()   \
    do {                     \
        if (geteuid() == 0)  \
            become_nobody(); \
    } while (0)

#define NEEDS_ROOT()                         \
    do {                                     \
        if (geteuid() != 0)                  \
            SKIP("wants to be run as root"); \
    } while (0)

/* Has a peer fork, in its thread `worker` (NULL: the main thread).  Returns the child, as another peer. */
struct peer *peer_fork(struct peer *peer, const char *worker);

#endif
