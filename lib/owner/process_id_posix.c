/* SPDX-License-Identifier: MIT
 *
 * Identifying processes on a POSIX system without proc(5) of Linux.
 */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "owner/life.h"
#include "owner/process_id.h"
#include "owner/process_seen.h"
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
    return flk_process_see(pid, record->token) == LIFE_ALIVE;
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
    char token[RECORD_TOKEN_SIZE];

    *pid = record->pid;
    if (flk_process_see(record->pid, token) == LIFE_DEAD)
        return LIFE_DEAD;
    /* A process that has got the pid since has another token. */
    return token[0] == '\0' || record->token[0] == '\0' || strcmp(token, record->token) == 0 ? LIFE_ALIVE : LIFE_DEAD;
}

void flk_process_command(int64_t pid, char *command, size_t size)
{
    flk_process_see_name(pid, command, size);
}

bool flk_process_sees_all(void)
{
    return true;
}
