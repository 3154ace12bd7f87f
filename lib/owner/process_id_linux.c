/* SPDX-License-Identifier: MIT
 *
 * Identifying processes by proc(5) of Linux.
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

#include "owner/life.h"
#include "owner/proc.h"
#include "owner/proc_text.h"
#include "owner/process_id.h"
#include "owner/process_start.h"
#include "owner/record.h"
#include "system/guard.h"
#include "system/lifetime.h"

#define PID_NAMESPACE "?pidns-" /* in a host; "?" of an escaped byte is followed by two hexadecimal digits instead */
#define INITIAL_PID_NAMESPACE 0xEFFFFFFCu /* PROC_PID_INIT_INO, fixed by the kernel */

/* ---- Tokens --------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int) (at - digits) : -1;
}

/* Reads the id of this boot.  False if it cannot be read; then the id is all zero. */
static bool read_boot_id(uint8_t id[16])
{
    char text[64];
    size_t n = 0;

    memset(id, 0, 16);
    if (!flk_proc_read("/proc/sys/kernel/random/boot_id", text, sizeof(text)))
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

/* Writes a token: (boot << 64) | start, in decimal. */
static void write_token(const uint8_t boot[16], const struct process_stat *stat, char token[64])
{
    uint8_t number[RECORD_NUMBER_BYTES];

    memcpy(number, boot, 16);
    for (int i = 0; i < 8; i++)
        number[16 + i] = (uint8_t) (stat->start >> (56 - 8 * i));
    flk_record_decimal(number, token);
}

/* ---- This process --------------------------------------------------------------------------- */

/* Returns the number of this process's pid namespace, or 0 if it cannot be read: then it may be any namespace. */
static unsigned long long pid_namespace(void)
{
    struct stat st;

    return stat("/proc/self/ns/pid", &st) == 0 ? (unsigned long long) st.st_ino : 0;
}

static void write_host(unsigned long long namespace, char *host, size_t size)
{
    char name[MAX_RECORD_NAME + 1];
    size_t length;

    name[0] = name[MAX_RECORD_NAME] = '\0';
    (void) gethostname(name, MAX_RECORD_NAME);
    flk_record_host(name, host);
    if (namespace == INITIAL_PID_NAMESPACE)
        return;
    length = strlen(host);
    (void) snprintf(host + length, size - length, PID_NAMESPACE "%llx", namespace);
}

/* The facts about this process that never change.  They are kept once all are known; a forked child finds its own. */
struct self {
    pid_t pid;
    unsigned long long namespace;
    bool knows_boot; /* false: boot is 0 */
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
    memset(&self, 0, sizeof(self));
    self.pid = getpid();
    self.namespace = pid_namespace();
    self.knows_boot = read_boot_id(self.boot);
    if (flk_proc_read_stat(self.pid, &stat))
        write_token(self.boot, &stat, self.token);
    if (self.namespace == 0 || !self.knows_boot || self.token[0] == '\0')
        return self;
    flk_guard_lock();
    known = self;
    flk_guard_unlock();
    return self;
}

/*
 * Forgets the parent's facts.  A comparison of pids would not do: parent and child may each be the first process of its
 * own pid namespace, and then have the same pid.
 */
static void child_forked(bool prepared)
{
    (void) prepared;
    known.pid = 0;
}

const struct subscriber flk_process_subscriber = { .child_forked = child_forked };

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
    (void) snprintf(record->token, sizeof(record->token), "%s", self.token);
}

/* ---- Other processes ------------------------------------------------------------------------ */

bool flk_process_record(int64_t pid, struct record *record)
{
    struct process_stat stat;
    uint8_t boot[16];
    bool seen = flk_proc_read_stat(pid, &stat);

    *record = (struct record) { .pid = pid };
    write_host(pid_namespace(), record->host, sizeof(record->host));
    if (!seen)
        return kill((pid_t) pid, 0) == 0 || errno != ESRCH;
    (void) read_boot_id(boot);
    write_token(boot, &stat, record->token);
    return true;
}

/* Returns the end of a host that names a pid namespace.  "": it is the initial one, or the writer did not tell. */
static const char *namespace_in(const char *host)
{
    const char *at = strstr(host, PID_NAMESPACE);

    return at != NULL ? at : "";
}

/* Reads the start in a token.  False if the token was not written by a process of this boot. */
static bool read_start_of_boot(const struct self *self, const char *token, uint64_t *start)
{
    uint8_t boot[PROC_BOOT_BYTES];

    return self->knows_boot && token[0] != '\0' && flk_proc_token(token, boot, start) &&
           memcmp(boot, self->boot, sizeof(boot)) == 0;
}

bool flk_process_local(const struct record *record)
{
    struct self self = know_self();
    char host[sizeof(record->host)];
    uint64_t start;

    write_host(self.namespace, host, sizeof(host));
    if (self.namespace == 0)
        return false;
    return strcmp(record->host, host) == 0 || (read_start_of_boot(&self, record->token, &start) &&
                                               strcmp(namespace_in(record->host), namespace_in(host)) == 0);
}

/* Reads the start in a token of this boot, or of an unknown one: a process that cannot read the boot id writes 0. */
static bool read_start(const struct self *self, const char *token, uint64_t *start)
{
    static const uint8_t unknown[PROC_BOOT_BYTES];
    uint8_t boot[PROC_BOOT_BYTES];

    return read_start_of_boot(self, token, start) ||
           (flk_proc_token(token, boot, start) && memcmp(boot, unknown, sizeof(boot)) == 0);
}

static enum life life_by_pid(const struct self *self, const struct record *record)
{
    struct process_stat stat;
    uint64_t start;

    if (!flk_proc_read_stat(record->pid, &stat))
        return kill((pid_t) record->pid, 0) != 0 && errno == ESRCH ? LIFE_DEAD : LIFE_ALIVE;
    if (flk_process_is_dead(&stat))
        return LIFE_DEAD;
    if (record->token[0] == '\0' || !self->knows_boot)
        return LIFE_ALIVE;
    return read_start(self, record->token, &start) ? flk_process_began_at(record->pid, &stat, start) : LIFE_DEAD;
}

/*
 * True if processes of all namespaces and users are seen.  Where /proc hides the processes of other users, it hides
 * process 1 too.
 */
static bool sees_all(const struct self *self)
{
    return self->namespace == INITIAL_PID_NAMESPACE && access("/proc/1/stat", R_OK) == 0;
}

/*
 * Looks in the pid namespaces within this one for the writer of a record that names no namespace.  Such a record comes
 * from a container that shares this host's name, or from an old version of Python's filelock.
 *
 * If the record names another host, the writer is only dead if all processes were seen in the search.  Else it is
 * UNKNOWN whether it is.
 */
static enum life life_within(const struct self *self, const struct record *record, int64_t *pid)
{
    char host[sizeof(record->host)];
    uint64_t start;
    enum life life;

    if (!read_start(self, record->token, &start) || !flk_proc_is_ours())
        return LIFE_DEAD;
    life = flk_process_search_within(record->pid, start, pid);
    write_host(self->namespace, host, sizeof(host));
    return life == LIFE_DEAD && !sees_all(self) && strcmp(record->host, host) != 0 ? LIFE_UNKNOWN : life;
}

enum life flk_process_find(const struct record *record, int64_t *pid)
{
    struct self self = know_self();
    enum life life = life_by_pid(&self, record);

    *pid = record->pid;
    if (life != LIFE_DEAD || record->token[0] == '\0' || namespace_in(record->host)[0] != '\0')
        return life;
    return life_within(&self, record, pid);
}

void flk_process_command(int64_t pid, char *command, size_t size)
{
    char path[48];

    (void) snprintf(path, sizeof(path), "/proc/%lld/comm", (long long) pid);
    if (!flk_proc_is_ours() || !flk_proc_read(path, command, size)) {
        command[0] = '\0';
        return;
    }
    command[strcspn(command, "\n")] = '\0';
}
