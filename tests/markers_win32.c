/* SPDX-License-Identifier: MIT
 *
 * markers_win32.c - what a process of Windows writes into a marker, found out without the library.
 */
#include "markers.h"

#include "peer.h"
#include "win32.h"

#include <stdio.h>
#include <tlhelp32.h>

const char *marker_host(void)
{
    static char host[1024];
    WCHAR text[256];
    char name[1024];
    DWORD size = 256;
    ck_assert(GetComputerNameExW(ComputerNameDnsHostname, text, &size));
    WideCharToMultiByte(CP_UTF8, 0, text, -1, name, sizeof name, NULL, NULL);
    marker_escape(name, host);
    return host;
}

/* Returns when a process was created, in units of 100 ns since 1601; 0: there is no such process. */
static uint64_t created(int64_t pid)
{
    FILETIME begun, ended, kernel, user;
    HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD) pid);
    if (!process)
        return 0;
    BOOL known = GetProcessTimes(process, &begun, &ended, &kernel, &user);
    CloseHandle(process);
    return known ? (uint64_t) begun.dwHighDateTime << 32 | begun.dwLowDateTime : 0;
}

const char *marker_token(int64_t pid)
{
    static char digits[32];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long) created(pid));
    return digits;
}

int64_t dead_pid(void)
{
    const char *argv[] = { peer_program, "--peer", NULL };
    struct process process;
    ck_assert_int_eq(process_start(&process, argv), 0);
    close_fd(process.to);
    ck_assert_int_eq(process_wait(&process, PATIENCE_MS), 0);
    close_fd(process.from);
    return process.pid;
}

int64_t other_pid(void)
{
    PROCESSENTRY32 entry = { .dwSize = sizeof entry };
    HANDLE processes = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    uint64_t own = created(own_pid());
    int64_t found = 0;
    for (BOOL more = Process32First(processes, &entry); more && !found; more = Process32Next(processes, &entry))
        if (created(entry.th32ProcessID) != 0 && created(entry.th32ProcessID) != own)
            found = entry.th32ProcessID;
    CloseHandle(processes);
    ck_assert_int_ne(found, 0);
    return found;
}

int64_t system_pid(void)
{
    return other_pid();
}

int tells_local_files(void)
{
    return 1;
}

/* Always true: a file that another process has open cannot be removed. */
int sees_all_openers(void)
{
    return 1;
}
