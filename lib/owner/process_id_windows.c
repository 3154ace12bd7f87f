/* SPDX-License-Identifier: MIT
 *
 * Identifying processes of Windows.  The time of creation tells a process from another that has the same pid.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "owner/life.h"
#include "owner/process_id.h"
#include "owner/record.h"
#include "system/guard.h"
#include "system/path_windows.h"

/* ---- This host ------------------------------------------------------------------------------ */

/* Reads the name of the host, which is the name that Python reads. */
static void read_host(char host[RECORD_HOST_SIZE])
{
    wchar_t wide[MAX_RECORD_NAME + 1];
    DWORD size = MAX_RECORD_NAME + 1;
    char *name = GetComputerNameExW(ComputerNamePhysicalDnsHostname, wide, &size) ? flk_path_utf8(wide) : NULL;

    flk_record_host(name != NULL ? name : "", host);
    free(name);
}

/* The facts about this process that never change.  They are found out once. */
struct self {
    bool known;
    char host[RECORD_HOST_SIZE];
    char token[sizeof(((struct record *) NULL)->token)];
};

static struct self self; /* under the guard */

static bool read_token(HANDLE process, char token[64])
{
    FILETIME created, exited, kernel, user;

    token[0] = '\0';
    if (!GetProcessTimes(process, &created, &exited, &kernel, &user))
        return false;
    (void) snprintf(token, 64, "%" PRIu64, (uint64_t) created.dwHighDateTime << 32 | created.dwLowDateTime);
    return true;
}

static struct self know_self(void)
{
    struct self known;

    flk_guard_lock();
    known = self;
    flk_guard_unlock();
    if (known.known)
        return known;
    read_host(known.host);
    (void) read_token(GetCurrentProcess(), known.token);
    known.known = true;
    flk_guard_lock();
    self = known;
    flk_guard_unlock();
    return known;
}

int64_t flk_process_pid(void)
{
    return GetCurrentProcessId();
}

bool flk_process_sees_all(void)
{
    return true;
}

void flk_process_self(struct record *record)
{
    struct self known = know_self();

    *record = (struct record) { .pid = flk_process_pid() };
    memcpy(record->host, known.host, sizeof(known.host));
    memcpy(record->token, known.token, sizeof(known.token));
}

bool flk_process_local(const struct record *record)
{
    return strcmp(record->host, know_self().host) == 0;
}

/* ---- Any process ---------------------------------------------------------------------------- */

/* Opens a process.  NULL: *gone tells whether no process has the pid.  If it is not set, access was refused. */
static HANDLE open_process(int64_t pid, DWORD access, bool *gone)
{
    HANDLE process = OpenProcess(access, FALSE, (DWORD) pid);

    *gone = process == NULL && GetLastError() == ERROR_INVALID_PARAMETER;
    return process;
}

/*
 * Tells whether the process is alive, and has this token.  A process that could be opened may have ended all the same:
 * it stays known as long as a program has a handle to it.
 */
static enum life life_of(HANDLE process, const char *token)
{
    char own[64];

    if (token[0] != '\0' && read_token(process, own) && strcmp(own, token) != 0)
        return LIFE_DEAD;
    return WaitForSingleObject(process, 0) == WAIT_OBJECT_0 ? LIFE_DEAD : LIFE_ALIVE;
}

enum life flk_process_find(const struct record *record, int64_t *pid)
{
    enum life life = LIFE_ALIVE;
    HANDLE process;
    bool gone;

    *pid = record->pid;
    process = open_process(record->pid, PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, &gone);
    if (process == NULL && !gone)
        process = open_process(record->pid, PROCESS_QUERY_LIMITED_INFORMATION, &gone);
    if (process == NULL)
        return gone ? LIFE_DEAD : LIFE_ALIVE;
    life = life_of(process, record->token);
    (void) CloseHandle(process);
    return life;
}

bool flk_process_record(int64_t pid, struct record *record)
{
    bool gone;
    HANDLE process = open_process(pid, PROCESS_QUERY_LIMITED_INFORMATION, &gone);

    *record = (struct record) { .pid = pid };
    (void) snprintf(record->host, sizeof(record->host), "%s", know_self().host);
    if (process == NULL)
        return !gone;
    (void) read_token(process, record->token);
    (void) CloseHandle(process);
    return true;
}

/* Returns the name of the program's file, to be freed; or NULL. */
static char *read_command(HANDLE process)
{
    wchar_t image[1024], *name;
    DWORD size = sizeof(image) / sizeof(*image);

    if (!QueryFullProcessImageNameW(process, 0, image, &size))
        return NULL;
    name = wcsrchr(image, '\\');
    return flk_path_utf8(name != NULL ? name + 1 : image);
}

void flk_process_command(int64_t pid, char *command, size_t size)
{
    bool gone;
    HANDLE process = open_process(pid, PROCESS_QUERY_LIMITED_INFORMATION, &gone);
    char *name = process != NULL ? read_command(process) : NULL;

    (void) snprintf(command, size, "%s", name != NULL ? name : "");
    free(name);
    if (process != NULL)
        (void) CloseHandle(process);
}
