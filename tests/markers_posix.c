/* SPDX-License-Identifier: MIT
 *
 * markers_posix.c - what a process of this system writes into a marker, found out without the library.
 */
#include "markers.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#ifdef __linux__
#include <sys/vfs.h>

#define FUSE_MAGIC 0x65735546
#endif
#include <sys/types.h>
#include <unistd.h>

#define INITIAL_PID_NAMESPACE 0xEFFFFFFCul

const char *marker_host(void)
{
    static char host[1024];
    char name[256] = "";
    struct stat status;
    ck_assert_int_eq(gethostname(name, sizeof name - 1), 0);
    marker_escape(name, host);
    status.st_ino = 0; /* where that cannot be told, no contender may judge by the pid */
    if (path_exists("/proc/version") && stat("/proc/self/ns/pid", &status) != 0)
        strcat(host, "?pidns-0");
    else if (status.st_ino != 0 && status.st_ino != INITIAL_PID_NAMESPACE)
        sprintf(host + strlen(host), "?pidns-%llx", (unsigned long long) status.st_ino);
    return host;
}

int tells_local_files(void)
{
#ifdef __linux__
    struct statfs fs;
    if (statfs(scratch("."), &fs) == 0 && fs.f_type == FUSE_MAGIC)
        return 0;
#endif
    return path_exists("/proc/version");
}

int places_at(const char *path)
{
    struct stat status;
    char line[256];
    long long first;
    unsigned long long inode;
    int count = 0;
    FILE *locks = fopen("/proc/locks", "re");
    if (stat(path, &status) != 0)
        status.st_ino = 0;
    while (locks && fgets(line, sizeof line, locks))
        if (sscanf(line, "%*d: OFDLCK %*s WRITE %*d %*x:%*x:%llu %lld", &inode, &first) == 2)
            count += inode == status.st_ino && first >= 1LL << 32;
    if (locks)
        fclose(locks);
    return count;
}

int sees_all_openers(void)
{
    struct stat status;
    return geteuid() == 0 && stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == INITIAL_PID_NAMESPACE;
}

/* Multiplies a decimal number, and adds to it. */
static void multiply_add(char *digits, unsigned factor, unsigned addend)
{
    size_t length = strlen(digits);
    unsigned carry = addend;
    for (size_t i = length; i-- > 0;) {
        carry += (unsigned) (digits[i] - '0') * factor;
        digits[i] = (char) ('0' + carry % 10);
        carry /= 10;
    }
    for (; carry; carry /= 10) {
        memmove(digits + 1, digits, strlen(digits) + 1);
        digits[0] = (char) ('0' + carry % 10);
    }
}

static void append_hexadecimal(char *digits, const char *text)
{
    for (; *text && *text != '\n'; text++)
        if (*text != '-')
            multiply_add(digits, 16, (unsigned) (*text <= '9' ? *text - '0' : *text - 'a' + 10));
}

/*
 * Stores field 22 of the thread's stat file, because qemu makes up /proc/PID/stat for the process itself.  The second
 * field may have blanks and parentheses in it.
 */
static int start_time(int64_t pid, uint64_t *start)
{
    char path[80], text[1024], *field;
    snprintf(path, sizeof path, "/proc/%lld/task/%lld/stat", (long long) pid, (long long) pid);
    if (read_file(path, text, sizeof text) <= 0 || !(field = strrchr(text, ')')))
        return -1;
    field += 2;
    for (int i = 3; i < 22; i++)
        field = strchr(field, ' ') + 1;
    *start = strtoull(field, NULL, 10);
    return 0;
}

const char *marker_token(int64_t pid)
{
    static char digits[128];
    char text[64], hexadecimal[32];
    uint64_t start;
    strcpy(digits, "");
    if (start_time(pid, &start) != 0)
        return digits;
    strcpy(digits, "0");
    if (read_file("/proc/sys/kernel/random/boot_id", text, sizeof text) > 0)
        append_hexadecimal(digits, text);
    snprintf(hexadecimal, sizeof hexadecimal, "%016" PRIx64, start);
    append_hexadecimal(digits, hexadecimal);
    return digits;
}

int64_t dead_pid(void)
{
    pid_t pid = fork();
    if (pid == 0)
        raise(SIGKILL); /* at an exit valgrind would look for what threads had, which are not there */
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(process_wait(&(struct process) { pid, -1, -1 }, PATIENCE_MS), 128 + SIGKILL);
    return pid;
}

int64_t other_pid(void)
{
    return getppid();
}

int64_t system_pid(void)
{
    return 1;
}
