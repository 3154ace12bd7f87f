/* SPDX-License-Identifier: MIT
 *
 * Identifying processes on a POSIX system that only tells whether a process is there.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "owner/life.h"
#include "owner/process_id.h"
#include "owner/record.h"
#include "system/lifetime.h"

static void own_host(char host[RECORD_HOST_SIZE])
{
    char name[MAX_RECORD_NAME + 1] = "";

    (void) gethostname(name, sizeof(name) - 1);
    flk_record_host(name, host);
}

bool flk_process_record(int64_t pid, struct record *record)
{
    *record = (struct record) { .pid = pid };
    own_host(record->host);
    return kill((pid_t) pid, 0) == 0 || errno != ESRCH;
}

void flk_process_self(struct record *record)
{
    (void) flk_process_record(getpid(), record);
}

const struct subscriber flk_process_subscriber = { .child_forked = NULL };

int64_t flk_process_pid(void)
{
    return getpid();
}

bool flk_process_local(const struct record *record)
{
    char host[RECORD_HOST_SIZE];

    own_host(host);
    return strcmp(record->host, host) == 0;
}

enum life flk_process_find(const struct record *record, int64_t *pid)
{
    *pid = record->pid;
    return kill((pid_t) record->pid, 0) != 0 && errno == ESRCH ? LIFE_DEAD : LIFE_ALIVE;
}

void flk_process_command(int64_t pid, char *command, size_t size)
{
    (void) pid;
    (void) size;
    command[0] = '\0';
}

bool flk_process_sees_all(void)
{
    return true;
}
