/* SPDX-License-Identifier: MIT
 *
 * foreign_fcntl.c - a program that locks with plain POSIX record locks, and does not use the library.
 *
 * Commands, each on a line: "lock TYPE START LENGTH", where TYPE is r or w; "wait TYPE START LENGTH"; "unlock".
 * Answers "0", "held", or the system's error message.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int set_lock(int fd, int command, short type, long start, long length)
{
    struct flock request;
    memset(&request, 0, sizeof request);
    request.l_type = type;
    request.l_whence = SEEK_SET;
    request.l_start = start;
    request.l_len = length;
    return fcntl(fd, command, &request) == 0 ? 0 : errno;
}

static int obey(int fd, const char *line)
{
    char verb[16], type = 'w';
    long start = 0, length = 0;
    if (sscanf(line, "%15s %c %ld %ld", verb, &type, &start, &length) < 1)
        return EINVAL;
    if (!strcmp(verb, "unlock"))
        return set_lock(fd, F_SETLK, F_UNLCK, 0, 0);
    return set_lock(fd, strcmp(verb, "wait") ? F_SETLK : F_SETLKW, type == 'r' ? F_RDLCK : F_WRLCK, start, length);
}

int main(int argc, char **argv)
{
    char line[256];
    int fd = argc == 2 ? open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (fd < 0)
        return 1;
    while (fgets(line, sizeof line, stdin)) {
        int error = obey(fd, line);
        printf("%s\n", error == EAGAIN || error == EACCES ? "held" : error ? strerror(error) : "0");
        fflush(stdout);
    }
    return 0;
}
