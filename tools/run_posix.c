/* SPDX-License-Identifier: MIT
 *
 * run_posix.c - runs commands by fork, exec and wait.
 */
#include <config.h>

#include "run.h"

#include "report.h"

#include <filelock.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char *const run_lacks = NULL;

int run_arguments(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return STATUS_OK;
}

unsigned run_sharing_flags(int is_file)
{
    return is_file ? FILELOCK_FORK_SHARE | FILELOCK_KEEP_ON_EXEC : FILELOCK_FORK_SHARE;
}

int64_t run_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void run_guard_streams(void)
{
    int fd;

    /* Not writable, so that output to a closed stream goes on failing, and closed again by exec. */
    do
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

void run_shell_command(const char *line, char *command[4])
{
    static char bourne_shell[] = "/bin/sh", option[] = "-c";
    char *shell = getenv("SHELL");

    command[0] = shell != NULL && *shell != '\0' ? shell : bourne_shell;
    command[1] = option;
    command[2] = (char *)line;
    command[3] = NULL;
}

int run_instead(char *const command[])
{
    int error;

    /* An ignored SIGCHLD would be inherited, and take the command's own children from it. */
    signal(SIGCHLD, SIG_DFL);
    execvp(command[0], command);
    error = errno;
    complain("cannot run %s: %s", command[0], strerror(error));
    return error == ENOMEM ? STATUS_OSERR : STATUS_UNAVAILABLE;
}

static int wait_for(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) {
            complain("cannot wait for the command: %s", strerror(errno));
            return STATUS_FAILURE;
        }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int run_command(char *const command[], int close_fd)
{
    pid_t child;

    /* Before the fork: with an ignored SIGCHLD there would be no status to wait for. */
    signal(SIGCHLD, SIG_DFL);
    child = fork();
    if (child < 0) {
        complain("cannot fork: %s", strerror(errno));
        return STATUS_OSERR;
    }
    if (child == 0) {
        if (close_fd >= 0)
            close(close_fd);
        _exit(run_instead(command));
    }
    return wait_for(child);
}
