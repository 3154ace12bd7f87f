/* SPDX-License-Identifier: MIT
 *
 * markers.c - markers built by hand, as others would write them.
 *
 * Nothing here is taken from the library: what it writes and how it judges is compared with this.
 */
#include "markers.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define INITIAL_PID_NAMESPACE 0xEFFFFFFCul

const struct kind *soft_kind(void)
{
    for (int i = 0; i < kinds_count(); i++)
        if (kind_at(i)->kind == FILELOCK_KIND_SOFT)
            return kind_at(i);
    return NULL;
}

struct filelock *new_soft(const char *path, unsigned flags)
{
    return new_lock(soft_kind(), path, flags);
}

int under_valgrind(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded && strstr(preloaded, "vgpreload");
}

/* ---- Who ------------------------------------------------------------------------------------- */

static void escape(const char *name, char *host)
{
    for (; *name; name++) {
        unsigned char byte = (unsigned char)*name;
        if (byte > 0x20 && byte < 0x7f && byte != '?')
            host += sprintf(host, "%c", byte);
        else
            host += sprintf(host, "?%02x", byte);
    }
    *host = '\0';
}

const char *marker_host(void)
{
    static char host[1024];
    char name[256] = "";
    struct stat status;
    ck_assert_int_eq(gethostname(name, sizeof name - 1), 0);
    escape(name, host);
    if (!*host)
        strcpy(host, "?");
    if (stat("/proc/self/ns/pid", &status) == 0 && status.st_ino != INITIAL_PID_NAMESPACE)
        sprintf(host + strlen(host), "?pidns-%llx", (unsigned long long)status.st_ino);
    return host;
}

/* number * factor + addend, of decimal digits. */
static void multiply_add(char *digits, unsigned factor, unsigned addend)
{
    size_t length = strlen(digits);
    unsigned carry = addend;
    for (size_t i = length; i-- > 0;) {
        carry += (unsigned)(digits[i] - '0') * factor;
        digits[i] = (char)('0' + carry % 10);
        carry /= 10;
    }
    for (; carry; carry /= 10) {
        memmove(digits + 1, digits, strlen(digits) + 1);
        digits[0] = (char)('0' + carry % 10);
    }
}

static void append_hexadecimal(char *digits, const char *text)
{
    for (; *text && *text != '\n'; text++)
        if (*text != '-')
            multiply_add(digits, 16, (unsigned)(*text <= '9' ? *text - '0' : *text - 'a' + 10));
}

/* Field 22 of /proc/PID/stat; the second one may have blanks and parentheses in it. */
static int start_time(int64_t pid, uint64_t *start)
{
    char path[64], text[1024], *field;
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
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
        _exit(0);
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(process_wait(&(struct process){pid, -1, -1}, PATIENCE_MS), 0);
    return pid;
}

/* ---- Markers --------------------------------------------------------------------------------- */

const char *marker_record(int64_t pid)
{
    static char record[MARKER_SIZE];
    const char *token = marker_token(pid);
    const char *end = *token ? "\n" : "";
    snprintf(record, sizeof record, "%lld\n%s\n%s%s", (long long)pid, marker_host(), token, end);
    return record;
}

void put_marker_bytes(const char *path, const void *bytes, size_t size)
{
    ck_assert_msg(write_file(path, bytes, size) == 0, "cannot write %s", path);
}

void put_marker(const char *path, const char *text)
{
    put_marker_bytes(path, text, strlen(text));
}

const char *file_beside(const char *path)
{
    static char found[256];
    char folder[2048];
    const char *name = strrchr(path, '/') + 1;
    const struct dirent *entry;
    snprintf(folder, sizeof folder, "%.*s", (int)(name - path), path);
    DIR *directory = opendir(folder);
    ck_assert_ptr_nonnull(directory);
    found[0] = '\0';
    while ((entry = readdir(directory)) != NULL)
        if (!strncmp(entry->d_name, name, strlen(name)) && strcmp(entry->d_name, name) != 0)
            snprintf(found, sizeof found, "%.255s", entry->d_name);
    closedir(directory);
    return *found ? found : NULL;
}

void expect_nothing_beside(const char *path)
{
    const char *name = file_beside(path);
    ck_assert_msg(!name, "left behind: %s", name);
}

void expect_nothing_at(const char *path)
{
    ck_assert_msg(!path_exists(path), "left behind: %s", path);
    expect_nothing_beside(path);
}

int try_soft(const char *path, int64_t timeout_ms)
{
    struct filelock *lock = new_soft(path, 0);
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, timeout_ms);
    filelock_free(lock);
    return result;
}

void expect_usable(const char *path)
{
    int64_t start = now_ns();
    EXPECT(try_soft(path, PATIENCE_MS), 0);
    ck_assert_int_lt((now_ns() - start) / 1000000, 10000);
    expect_nothing_at(path);
}
