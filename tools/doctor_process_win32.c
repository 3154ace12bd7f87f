/* SPDX-License-Identifier: MIT
 *
 * doctor_process_win32.c - the doctor's processes by CreateProcess, and its directory.
 *
 * A started process is this program again, with a variable in its environment that says so.  Its requests and answers
 * go through its standard input and output.  All are in a job, which ends with the doctor.
 */
#include <config.h>

#include "doctor_process.h"

#include "doctor_probe.h"
#include "doctor_win32.h"
#include "report.h"
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#define PROBE_VARIABLE L"FILELOCK_DOCTOR_PROBE"

/* Time that a process has to end when its pipe was closed. */
#define END_MS 5000

/* The status of a program that Ctrl-C has ended. */
#define ENDED_BY_CONSOLE 0xC000013Au

static HANDLE job, stop_event;
static volatile LONG stopping;

wchar_t *doctor_wide(const char *path)
{
    int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, NULL, 0);
    wchar_t *wide = n > 0 ? malloc((size_t) n * sizeof *wide) : NULL;

    if (wide != NULL)
        MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, n);
    return wide;
}

static int error_of(DWORD error)
{
    switch (error) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_NAME:
    case ERROR_BAD_NETPATH:
    case ERROR_BAD_NET_NAME:
        return ENOENT;
    case ERROR_ACCESS_DENIED:
        return EACCES;
    case ERROR_ALREADY_EXISTS:
    case ERROR_FILE_EXISTS:
        return EEXIST;
    case ERROR_WRITE_PROTECT:
        return EROFS;
    case ERROR_DISK_FULL:
        return ENOSPC;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_NO_SYSTEM_RESOURCES:
    case ERROR_COMMITMENT_LIMIT:
        return ENOMEM;
    case ERROR_TOO_MANY_OPEN_FILES:
        return EMFILE;
    case ERROR_SHARING_VIOLATION:
        return EAGAIN;
    default:
        return EIO;
    }
}

/* ---- Being told to stop --------------------------------------------------------------------- */

static BOOL WINAPI note_event(DWORD event)
{
    if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT)
        return FALSE;
    InterlockedExchange(&stopping, 1);
    SetEvent(stop_event);
    return TRUE;
}

int process_stopped(void)
{
    return stopping != 0;
}

void process_obey(void)
{
    if (process_stopped())
        ExitProcess(ENDED_BY_CONSOLE);
}

void process_prepare(void)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = { 0 };

    if (GetEnvironmentVariableW(PROBE_VARIABLE, NULL, 0) > 0) {
        probe_serve(GetStdHandle(STD_INPUT_HANDLE), GetStdHandle(STD_OUTPUT_HANDLE));
        ExitProcess(0);
    }
    stop_event = CreateEventW(NULL, TRUE, FALSE, NULL);
    SetConsoleCtrlHandler(note_event, TRUE);
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    job = CreateJobObjectW(NULL, NULL);
    if (job != NULL)
        SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
}

/* ---- Processes ------------------------------------------------------------------------------ */

/* Returns the errno value of the error for which no process was started.  Tells what has no such value by its number. */
static int start_error(void)
{
    DWORD said = GetLastError();
    int error = error_of(said);

    if (error == EIO)
        complain("cannot start a process: Windows answers with its error %lu", (unsigned long) said);
    return error;
}

/* Makes a pipe of which one end is for a process to inherit. */
static int open_pipe(HANDLE *own, HANDLE *inherited, int reads)
{
    HANDLE from, to;

    if (!CreatePipe(&from, &to, NULL, 0))
        return start_error();
    *own = reads ? from : to;
    *inherited = reads ? to : from;
    SetHandleInformation(*inherited, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    return 0;
}

static int create(HANDLE input, HANDLE output, PROCESS_INFORMATION *made)
{
    static const wchar_t arguments[] = L"filelock --doctor";
    STARTUPINFOW startup = { .cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES };
    wchar_t program[32768], line[sizeof arguments / sizeof *arguments];
    BOOL started;
    int error = 0;

    if (GetModuleFileNameW(NULL, program, sizeof program / sizeof *program) == 0)
        return start_error();
    wcscpy(line, arguments);
    startup.hStdInput = input;
    startup.hStdOutput = output;
    startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    SetEnvironmentVariableW(PROBE_VARIABLE, L"1");
    /* A group of its own: Ctrl-C is for the doctor, which ends its processes. */
    started = CreateProcessW(program, line, NULL, NULL, TRUE, CREATE_SUSPENDED | CREATE_NEW_PROCESS_GROUP, NULL, NULL,
                             &startup, made);
    if (!started)
        error = start_error();
    SetEnvironmentVariableW(PROBE_VARIABLE, NULL);
    return error;
}

int process_start(struct process *process)
{
    PROCESS_INFORMATION made;
    HANDLE input = NULL, output = NULL;
    int error;

    process->to = process->from = NULL;
    error = open_pipe(&process->to, &input, 0);
    if (error == 0)
        error = open_pipe(&process->from, &output, 1);
    if (error == 0)
        error = create(input, output, &made);
    if (input != NULL)
        CloseHandle(input);
    if (output != NULL)
        CloseHandle(output);
    if (error != 0) {
        if (process->to != NULL)
            CloseHandle(process->to);
        if (process->from != NULL)
            CloseHandle(process->from);
        return error;
    }
    if (job != NULL)
        AssignProcessToJobObject(job, made.hProcess);
    ResumeThread(made.hThread);
    CloseHandle(made.hThread);
    process->pid = (int64_t) made.dwProcessId;
    process->handle = made.hProcess;
    return 0;
}

static void forget(struct process *process)
{
    if (process->to != NULL)
        CloseHandle(process->to);
    CloseHandle(process->from);
    CloseHandle(process->handle);
    process->to = process->from = process->handle = NULL;
    process->pid = 0;
}

void process_kill(struct process *process)
{
    TerminateProcess(process->handle, 1);
    WaitForSingleObject(process->handle, END_MS);
    forget(process);
}

void process_end(struct process *process)
{
    CloseHandle(process->to);
    process->to = NULL;
    if (WaitForSingleObject(process->handle, END_MS) == WAIT_OBJECT_0)
        forget(process);
    else
        process_kill(process);
}

/* ---- Pipes ---------------------------------------------------------------------------------- */

int process_write(filelock_waitable to, const void *bytes, size_t size)
{
    const char *next = bytes;

    while (size > 0) {
        DWORD n = 0;

        if (!WriteFile(to, next, (DWORD) size, &n, NULL))
            return EPIPE;
        next += n;
        size -= n;
    }
    return 0;
}

int process_await(filelock_waitable from, void *bytes, size_t size)
{
    char *next = bytes;

    while (size > 0) {
        DWORD n = 0;

        if (!ReadFile(from, next, (DWORD) size, &n, NULL) || n == 0)
            return EPIPE;
        next += n;
        size -= n;
    }
    return 0;
}

/* An anonymous pipe can be neither waited for nor read with a timeout: looks every millisecond whether all is there. */
int process_read(filelock_waitable from, void *bytes, size_t size, int64_t timeout_ms)
{
    int64_t deadline = run_clock() + timeout_ms * 1000;

    for (;;) {
        DWORD there = 0;

        if (!PeekNamedPipe(from, NULL, 0, NULL, &there, NULL))
            return EPIPE;
        if (there >= size)
            return process_await(from, bytes, size);
        if (process_stopped())
            return EINTR;
        if (run_clock() >= deadline)
            return ETIMEDOUT;
        Sleep(1);
    }
}

/* Returns nothing to wait for: the job ends the processes of a doctor that was ended. */
filelock_waitable process_cancel(filelock_waitable from)
{
    (void) from;
    return FILELOCK_NO_WAITABLE;
}

int64_t process_sleeps(const struct process *process)
{
    (void) process;
    return -1;
}

void process_nap(int64_t ms)
{
    if (stop_event != NULL)
        WaitForSingleObject(stop_event, (DWORD) ms);
    else
        Sleep((DWORD) ms);
}

int64_t process_self(void)
{
    return (int64_t) GetCurrentProcessId();
}

void process_host(char *host, size_t size)
{
    wchar_t wide[256];
    DWORD length = sizeof wide / sizeof *wide;

    if (!GetComputerNameExW(ComputerNameDnsHostname, wide, &length) ||
        WideCharToMultiByte(CP_UTF8, 0, wide, -1, host, (int) size, NULL, NULL) == 0)
        host[0] = '\0';
}

/* ---- The directory -------------------------------------------------------------------------- */

int place_resolve(const char *directory, char *real, size_t size)
{
    wchar_t full[32768], *wide = doctor_wide(directory);
    DWORD attributes, length = wide != NULL ? GetFullPathNameW(wide, 32768, full, NULL) : 0;

    free(wide);
    if (length == 0 || length >= 32768)
        return ENOENT;
    attributes = GetFileAttributesW(full);
    if (attributes == INVALID_FILE_ATTRIBUTES)
        return error_of(GetLastError());
    if ((attributes & FILE_ATTRIBUTE_DIRECTORY) == 0)
        return ENOTDIR;
    return WideCharToMultiByte(CP_UTF8, 0, full, -1, real, (int) size, NULL, NULL) > 0 ? 0 : ENAMETOOLONG;
}

static int make_directory(const char *place)
{
    wchar_t *wide = doctor_wide(place);
    int error = wide == NULL ? ENOENT : CreateDirectoryW(wide, NULL) ? 0 : error_of(GetLastError());

    free(wide);
    return error;
}

int place_make(const char *directory, char *place, size_t size)
{
    int tries, error = EEXIST;

    for (tries = 0; tries < 100 && error == EEXIST; tries++) {
        if ((size_t) snprintf(place, size, "%s/.filelock-doctor.%lx-%d", directory,
                              (unsigned long) GetCurrentProcessId(), tries) >= size)
            return ENAMETOOLONG;
        error = make_directory(place);
    }
    return error;
}

int place_make_shared(const char *place)
{
    int error = make_directory(place);

    return error == EEXIST ? 0 : error;
}

int place_adopt(const char *place)
{
    (void) place;
    return 0;
}

/* Removes the directory itself: its files first, then what is left of it. */
int place_leave(const char *place)
{
    char pattern[4096 + 256];
    WIN32_FIND_DATAW found;
    wchar_t *wide;
    HANDLE search;
    BOOL removed;

    snprintf(pattern, sizeof pattern, "%s/*", place);
    wide = doctor_wide(pattern);
    search = wide != NULL ? FindFirstFileW(wide, &found) : INVALID_HANDLE_VALUE;
    free(wide);
    while (search != INVALID_HANDLE_VALUE) {
        wchar_t path[32768], *folder = doctor_wide(place);

        if (folder != NULL && wcslen(folder) + wcslen(found.cFileName) + 2 < 32768) {
            wcscpy(path, folder);
            wcscat(path, L"/");
            wcscat(path, found.cFileName);
            if ((found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0)
                DeleteFileW(path);
        }
        free(folder);
        if (!FindNextFileW(search, &found)) {
            FindClose(search);
            search = INVALID_HANDLE_VALUE;
        }
    }
    wide = doctor_wide(place);
    removed = wide != NULL && (RemoveDirectoryW(wide) || GetLastError() == ERROR_FILE_NOT_FOUND);
    free(wide);
    return removed ? 0 : ENOTEMPTY;
}

/* Opens a file so that others may do with it what they like. */
static HANDLE open_file(const char *path, DWORD access, DWORD disposition)
{
    wchar_t *wide = doctor_wide(path);
    HANDLE file = INVALID_HANDLE_VALUE;

    if (wide != NULL)
        file = CreateFileW(wide, access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, disposition,
                           FILE_ATTRIBUTE_NORMAL, NULL);
    free(wide);
    return file;
}

int place_claim(const char *path)
{
    HANDLE file = open_file(path, GENERIC_WRITE, CREATE_NEW);

    if (file == INVALID_HANDLE_VALUE)
        return error_of(GetLastError());
    CloseHandle(file);
    return 0;
}

int place_publish(const char *path, const char *bytes, size_t size)
{
    char draft[4096 + 256];
    wchar_t *from, *to;
    HANDLE file;
    int error;

    if ((size_t) snprintf(draft, sizeof draft, "%s.new", path) >= sizeof draft)
        return ENAMETOOLONG;
    file = open_file(draft, GENERIC_WRITE, CREATE_NEW);
    if (file == INVALID_HANDLE_VALUE)
        return error_of(GetLastError());
    error = process_write(file, bytes, size);
    CloseHandle(file);
    from = doctor_wide(draft);
    to = doctor_wide(path);
    if (error == 0 && (from == NULL || to == NULL || !MoveFileExW(from, to, 0)))
        error = error_of(GetLastError());
    free(from);
    free(to);
    return error;
}

long place_read(const char *path, char *bytes, size_t size)
{
    HANDLE file = open_file(path, GENERIC_READ, OPEN_EXISTING);
    DWORD length = 0, error = 0;

    if (file == INVALID_HANDLE_VALUE)
        return -error_of(GetLastError());
    if (!ReadFile(file, bytes, (DWORD) size, &length, NULL))
        error = GetLastError();
    CloseHandle(file);
    return error != 0 ? -error_of(error) : (long) length;
}

void place_stir(const char *path)
{
    wchar_t *wide;

    if (place_claim(path) != 0)
        return;
    wide = doctor_wide(path);
    if (wide != NULL)
        DeleteFileW(wide);
    free(wide);
}
