/* SPDX-License-Identifier: MIT
 *
 * peer_program.c - flock(1) and the tool of libfilelock, as scripts use them
 *
 * Scripts use two idioms.  `flock FILE true` is a process that runs a command while it holds the lock.  `flock FD` is a
 * process that locks a descriptor of the script, and ends.
 */
#include <config.h>

#include "subject.h"

#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Returns the tool that make names in FILELOCK_TOOL, or NULL: there is no tool to measure. */
static const char *tool(void)
{
    return getenv("FILELOCK_TOOL");
}

static const char *program(const struct subject *subject)
{
    const char *const *path = subject->variant;

    return *path ? *path : tool();
}

static int run(const char *const *argument)
{
    pid_t pid;
    int status;

    if (posix_spawnp(&pid, argument[0], NULL, NULL, (char *const *) argument, environ) != 0 ||
        waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* ---- PROGRAM FILE true, and true alone ------------------------------------------------------ */

struct command {
    const char *argument[8];
};

static void *command_open(const struct subject *subject, const char *path)
{
    struct command *command = calloc(1, sizeof *command);
    const char *name = program(subject);

    if (command && strcmp(name, "true") == 0)
        command->argument[0] = name;
    else if (command)
        memcpy(command->argument, (const char *[]) { name, "-w", "10", path, "true" }, 5 * sizeof(char *));
    return command;
}

static int command_acquire(void *handle, int64_t timeout_ms)
{
    struct command *command = handle;

    (void) timeout_ms;
    return run(command->argument);
}

static int command_release(void *handle)
{
    (void) handle;
    return 0;
}

static void command_close(void *handle)
{
    free(handle);
}

/* ---- PROGRAM FD ----------------------------------------------------------------------------- */

struct descriptor {
    const char *program, *path;
    int fd;
};

static void *descriptor_open(const struct subject *subject, const char *path)
{
    struct descriptor *descriptor = malloc(sizeof *descriptor);

    if (descriptor) {
        descriptor->program = program(subject);
        descriptor->path = path;
        descriptor->fd = -1;
    }
    return descriptor;
}

static int descriptor_acquire(void *handle, int64_t timeout_ms)
{
    struct descriptor *descriptor = handle;
    char number[16], seconds[32];

    descriptor->fd = open(descriptor->path, O_RDWR | O_CREAT, 0666);
    if (descriptor->fd < 0)
        return -1;
    snprintf(number, sizeof number, "%d", descriptor->fd);
    snprintf(seconds, sizeof seconds, "%" PRId64 ".%03d", timeout_ms / 1000, (int) (timeout_ms % 1000));
    if (timeout_ms < 0)
        return run((const char *[]) { descriptor->program, number, NULL });
    return run((const char *[]) { descriptor->program, "-w", seconds, number, NULL });
}

static int descriptor_release(void *handle)
{
    struct descriptor *descriptor = handle;
    int fd = descriptor->fd;

    descriptor->fd = -1;
    return close(fd);
}

static void descriptor_close(void *handle)
{
    struct descriptor *descriptor = handle;

    if (descriptor->fd >= 0)
        close(descriptor->fd);
    free(descriptor);
}

/* ---- Subjects ------------------------------------------------------------------------------- */

static const char *const path_true = "true", *const path_flock = BENCH_FLOCK, *const path_tool = NULL;

static int available(const struct subject *subject)
{
    const char *name = program(subject);

    return name && (strcmp(name, "true") == 0 || access(name, X_OK) == 0);
}

#define COMMAND(name, path)                                                                        \
    {                                                                                              \
        name, command_open, command_acquire, command_release, command_close, path, NULL, available \
    }
#define DESCRIPTOR(name, path)                                                                                 \
    {                                                                                                          \
        name, descriptor_open, descriptor_acquire, descriptor_release, descriptor_close, path, NULL, available \
    }

extern const struct subject subjects_peer_program[];
const struct subject subjects_peer_program[] = {
    COMMAND("true", &path_true),
    COMMAND("flock(1)", &path_flock),
    COMMAND("filelock(1)", &path_tool),
    DESCRIPTOR("flock(1) FD", &path_flock),
    DESCRIPTOR("filelock(1) FD", &path_tool),
    { NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
