/* SPDX-License-Identifier: MIT
 *
 * command.h - finds the command for which a program like this tool holds a lock; one command_*.c is linked.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <filelock.h>

#include <stdint.h>

struct command {
    int64_t pid;
    int holds;     /* the command is seen to hold the lock too: it has the file open, with the lock */
    char name[64]; /* as the system tells it, with '?' for each unprintable byte */
};

/*
 * Looks for the command that the owner runs, if the owner is this tool or flock(1): programs that run a command while
 * they hold a lock.  path names the locked file.  Returns
 *   1  the command was found: *command is filled in
 *   0  no command was found
 */
int command_of(const struct filelock_owner *owner, const char *path, struct command *command);

#endif
