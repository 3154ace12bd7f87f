/* SPDX-License-Identifier: MIT
 *
 * Processes as proc(5) of Linux tells of them.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform.h"
#include "posix/proc.h"
#include "posix/proc_text.h"
#include "process_id.h"

#define INITIAL_PID_NAMESPACE 0xEFFFFFFCu /* PROC_PID_INIT_INO, fixed by the kernel */

/* ---- Reading /proc -------------------------------------------------------------------------- */

/* The first bytes of a small file, NUL-terminated; false if it cannot be read. */
static bool read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return false;
    do
        n = read(fd, text, size - 1);
    while (n < 0 && errno == EINTR);
    (void) close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

bool flk_proc_is_ours(void)
{
    char target[24];
    ssize_t n = readlink("/proc/self", target, sizeof(target) - 1);

    target[n > 0 ? n : 0] = '\0';
    return n > 0 && strtoll(target, NULL, 10) == getpid();
}

/*
 * By way of the first thread: an emulator of user programs, as qemu, makes up /proc/PID/stat for the
 * process itself, and the start in its token would not be the one that everybody else sees.
 */
static bool read_stat(int64_t pid, struct process_stat *stat)
{
    char path[80], text[1024];

    (void) snprintf(path, sizeof(path), "/proc/%lld/task/%lld/stat", (long long) pid, (long long) pid);
    return flk_proc_is_ours() && read_text(path, text, sizeof(text)) && flk_proc_stat(text, stat);
}

/* ---- Tokens --------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int) (at - digits) : -1;
}

/* All zero where it cannot be read: false. */
static bool read_boot_id(uint8_t id[16])
{
    char text[64];
    size_t n = 0;

    memset(id, 0, 16);
    if (!read_text("/proc/sys/kernel/random/boot_id", text, sizeof(text)))
        return false;
    for (const char *c = text; *c != '\0' && n < 32; c++) {
        int value = hex_value(*c);

        if (value < 0)
            continue;
        id[n / 2] = (uint8_t) (id[n / 2] << 4 | value);
        n++;
    }
    return n == 32;
}

/* (boot << 64) | start, in decimal. */
static void write_token(const uint8_t boot[16], const struct process_stat *stat, char token[64])
{
    uint8_t number[RECORD_NUMBER_BYTES];

    memcpy(number, boot, 16);
    for (int i = 0; i < 8; i++)
        number[16 + i] = (uint8_t) (stat->start >> (56 - 8 * i));
    flk_record_decimal(number, token);
}

/* ---- This process --------------------------------------------------------------------------- */

/* The namespace that pids of this process are of; 0 where that cannot be told: it may be any. */
static unsigned long long pid_namespace(void)
{
    struct stat st;

    return stat("/proc/self/ns/pid", &st) == 0 ? (unsigned long long) st.st_ino : 0;
}

static void write_host(unsigned long long namespace, char *host, size_t size)
{
    char name[RECORD_NAME_MOST + 1];
    size_t length;

    name[0] = name[RECORD_NAME_MOST] = '\0';
    (void) gethostname(name, RECORD_NAME_MOST);
    flk_record_host(name, host);
    if (namespace == INITIAL_PID_NAMESPACE)
        return;
    length = strlen(host);
    (void) snprintf(host + length, size - length, "?pidns-%llx", namespace);
}

/* What never changes in a process is found out once, all of it; a forked child finds out anew. */
struct self {
    pid_t pid;
    unsigned long long namespace;
    bool knows_boot; /* else boot is 0 */
    uint8_t boot[16];
    char token[sizeof(((struct record *) NULL)->token)];
};

static struct self known; /* under the guard */

static struct self know_self(void)
{
    struct process_stat stat;
    struct self self;

    flk_guard_lock();
    self = known;
    flk_guard_unlock();
    if (self.pid == getpid())
        return self;
    self = (struct self) { .pid = getpid(), .namespace = pid_namespace() };
    self.knows_boot = read_boot_id(self.boot);
    if (read_stat(self.pid, &stat))
        write_token(self.boot, &stat, self.token);
    if (self.namespace == 0 || !self.knows_boot || self.token[0] == '\0')
        return self;
    flk_guard_lock();
    known = self;
    flk_guard_unlock();
    return self;
}

/* Its pid does not tell: two that are the first of their pid namespaces have the same. */
void flk_process_forked(void)
{
    known.pid = 0;
}

int64_t flk_process_pid(void)
{
    return getpid();
}

bool flk_process_sees_all(void)
{
    return know_self().namespace == INITIAL_PID_NAMESPACE;
}

void flk_process_self(struct record *record)
{
    struct self self = know_self();

    *record = (struct record) { .pid = self.pid };
    write_host(self.namespace, record->host, sizeof(record->host));
    memcpy(record->token, self.token, sizeof(self.token));
}

/* ---- Other processes ------------------------------------------------------------------------ */

bool flk_process_record(int64_t pid, struct record *record)
{
    struct process_stat stat;
    uint8_t boot[16];
    bool seen = read_stat(pid, &stat);

    *record = (struct record) { .pid = pid };
    write_host(pid_namespace(), record->host, sizeof(record->host));
    if (!seen)
        return kill((pid_t) pid, 0) == 0 || errno != ESRCH;
    (void) read_boot_id(boot);
    write_token(boot, &stat, record->token);
    return true;
}

bool flk_process_local(const struct record *record)
{
    unsigned long long namespace = know_self().namespace;
    char host[sizeof(record->host)];

    write_host(namespace, host, sizeof(host));
    return namespace != 0 && strcmp(record->host, host) == 0;
}

/* Proof that this is not the process of a token; who could not read the boot id wrote 0 for it. */
static bool is_another(const struct process_stat *stat, const char *token)
{
    static const uint8_t unknown[16];
    struct self self = know_self();
    char full[64], blind[64];

    if (token[0] == '\0' || !self.knows_boot)
        return false;
    write_token(self.boot, stat, full);
    write_token(unknown, stat, blind);
    return strcmp(token, full) != 0 && strcmp(token, blind) != 0;
}

enum life flk_process_life_here(const struct record *record)
{
    struct process_stat stat;

    if (!read_stat(record->pid, &stat))
        return kill((pid_t) record->pid, 0) != 0 && errno == ESRCH ? LIFE_DEAD : LIFE_ALIVE;
    /* The first thread of a process may end long before the others. */
    if ((stat.state == 'Z' || stat.state == 'X') && stat.threads <= 1)
        return LIFE_DEAD;
    return is_another(&stat, record->token) ? LIFE_DEAD : LIFE_ALIVE;
}

void flk_process_command(int64_t pid, char *command, size_t size)
{
    char path[48];

    (void) snprintf(path, sizeof(path), "/proc/%lld/comm", (long long) pid);
    if (!flk_proc_is_ours() || !read_text(path, command, size)) {
        command[0] = '\0';
        return;
    }
    command[strcspn(command, "\n")] = '\0';
    for (; *command != '\0'; command++)
        if (*command < 0x20 || *command > 0x7e)
            *command = '?';
}
