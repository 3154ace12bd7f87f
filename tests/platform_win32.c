/* SPDX-License-Identifier: MIT
 *
 * platform_win32.c - the test harness's system calls on Windows.
 *
 * Descriptors are those of the C run-time.  Paths are UTF-8, and have slashes of either kind.
 */
#include "platform.h"
#include "win32.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tlhelp32.h>

#define MOST_HANDLES 4096 /* bounds the handles that a process of the tests has open */
#define MOST_PROCESSES 512
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

void platform_begin(void)
{
    _setmode(0, _O_BINARY);
    _setmode(1, _O_BINARY);
    _setmode(2, _O_BINARY);
    setvbuf(stdout, NULL, _IONBF, 0); /* shows what was printed before a hang */
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
}

/* Windows gives the path with backslashes and with ".exe": both are changed to what other systems have. */
void own_program(const char *named, char *path, size_t size)
{
    WCHAR name[MOST_PATH];
    (void) named;
    GetModuleFileNameW(NULL, name, MOST_PATH);
    WideCharToMultiByte(CP_UTF8, 0, name, -1, path, (int) size, NULL, NULL);
    for (char *at = path; *at; at++)
        if (*at == '\\')
            *at = '/';
    size_t length = strlen(path);
    if (length > 4 && !_stricmp(path + length - 4, ".exe"))
        path[length - 4] = '\0';
}

/* ---- Time ----------------------------------------------------------------------------------- */

int64_t now_ns(void)
{
    LARGE_INTEGER frequency, count;
    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&count);
    int64_t seconds = count.QuadPart / frequency.QuadPart, rest = count.QuadPart % frequency.QuadPart;
    return seconds * 1000000000 + rest * 1000000000 / frequency.QuadPart;
}

void nap_ms(int ms)
{
    Sleep((DWORD) ms);
}

void condition_init(pthread_cond_t *condition)
{
    pthread_cond_init(condition, NULL);
}

/* Conditions go by the wall clock here, so each wait adds the time that is left to it. */
int condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t end_ns)
{
    struct timespec when;
    int64_t left = end_ns - now_ns();
    if (left <= 0)
        return ETIMEDOUT;
    clock_gettime(CLOCK_REALTIME, &when);
    left += when.tv_nsec;
    when.tv_sec += (time_t) (left / 1000000000);
    when.tv_nsec = (long) (left % 1000000000);
    int error = pthread_cond_timedwait(condition, mutex, &when);
    return error == ETIMEDOUT && now_ns() < end_ns ? 0 : error;
}

/* ---- Files ---------------------------------------------------------------------------------- */

/* Long paths get the prefix "\\?\", which has no limit on the length, but takes full paths only. */
const WCHAR *wide(const char *path, WCHAR *text)
{
    int length = (int) strlen(path), at = length >= 240 && path[1] == ':' ? 4 : 0;
    memcpy(text, L"\\\\?\\", 4 * sizeof *text);
    text += at ? 0 : 4;
    WCHAR *begin = text;
    int used = MultiByteToWideChar(CP_UTF8, 0, path, -1, text + at, MOST_PATH - 4 - at);
    if (used == 0)
        text[at] = L'\0';
    for (text += at; *text; text++)
        if (*text == L'/')
            *text = L'\\';
    return begin;
}

static HANDLE open_wide(const char *path, DWORD access, DWORD sharing, DWORD disposition, DWORD flags)
{
    WCHAR text[MOST_PATH];
    return CreateFileW(wide(path, text), access, sharing, NULL, disposition, flags, NULL);
}

static void temporary_directory(char *path, size_t size)
{
    WCHAR text[MOST_PATH];
    DWORD length = GetTempPathW(MOST_PATH, text);
    WideCharToMultiByte(CP_UTF8, 0, length ? text : L".", -1, path, (int) size, NULL, NULL);
    for (char *at = path; *at; at++)
        if (*at == '\\')
            *at = '/';
    if (strlen(path) > 3 && path[strlen(path) - 1] == '/')
        path[strlen(path) - 1] = '\0';
}

int make_scratch(const char *parent, char *path, size_t size)
{
    static unsigned counter;
    char temporary[1024];
    if (!parent)
        temporary_directory(temporary, sizeof temporary);
    for (int tries = 0; tries < 10000; tries++) {
        snprintf(path, size, "%s/filelock.%lx.%x", parent ? parent : temporary, (unsigned long) GetCurrentProcessId(),
                 counter++);
        if (make_directory(path) == 0)
            return 0;
    }
    return -1;
}

int each_entry(const char *path, void (*callback)(const char *name, void *arg), void *arg)
{
    WCHAR text[MOST_PATH];
    WIN32_FIND_DATAW entry;
    char pattern[4096], name[1024];
    snprintf(pattern, sizeof pattern, "%s/*", path);
    HANDLE search = FindFirstFileW(wide(pattern, text), &entry);
    if (search == INVALID_HANDLE_VALUE)
        return -1;
    do {
        WideCharToMultiByte(CP_UTF8, 0, entry.cFileName, -1, name, sizeof name, NULL, NULL);
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            callback(name, arg);
    } while (FindNextFileW(search, &entry));
    FindClose(search);
    return 0;
}

static void remove_entry(const char *name, void *path)
{
    char inner[4096];
    if ((size_t) snprintf(inner, sizeof inner, "%s/%s", (const char *) path, name) < sizeof inner)
        remove_tree(inner);
}

void remove_tree(const char *path)
{
    WCHAR text[MOST_PATH];
    DWORD attributes = GetFileAttributesW(wide(path, text));
    if (attributes == INVALID_FILE_ATTRIBUTES)
        return;
    if (attributes & FILE_ATTRIBUTE_READONLY)
        SetFileAttributesW(wide(path, text), attributes & ~(DWORD) FILE_ATTRIBUTE_READONLY);
    if (!(attributes & FILE_ATTRIBUTE_DIRECTORY)) {
        DeleteFileW(wide(path, text));
        return;
    }
    if (!(attributes & FILE_ATTRIBUTE_REPARSE_POINT))
        each_entry(path, remove_entry, (void *) (uintptr_t) path);
    RemoveDirectoryW(wide(path, text));
}

int make_directory(const char *path)
{
    WCHAR text[MOST_PATH];
    return CreateDirectoryW(wide(path, text), NULL) ? 0 : -1;
}

int change_directory(const char *path)
{
    WCHAR text[MOST_PATH];
    return SetCurrentDirectoryW(wide(path, text)) ? 0 : -1;
}

const char *root_directory(void)
{
    return "C:/";
}

/* Moves the file aside before deleting it.  Otherwise its name stays in use while the file is open anywhere. */
int remove_file(const char *path)
{
    static LONG counter;
    WCHAR text[MOST_PATH], aside[MOST_PATH];
    char name[4096];
    const char *end = strrchr(path, '/');
    snprintf(name, sizeof name, "%.*sgone.%lx.%lx", end ? (int) (end + 1 - path) : 0, path,
             (unsigned long) GetCurrentProcessId(), (unsigned long) InterlockedIncrement(&counter));
    int moved = MoveFileExW(wide(path, text), wide(name, aside), 0) != 0;
    return DeleteFileW(moved ? wide(name, aside) : wide(path, text)) ? 0 : -1;
}

int remove_directory(const char *path)
{
    WCHAR text[MOST_PATH];
    return RemoveDirectoryW(wide(path, text)) ? 0 : -1;
}

int touch_file(const char *path)
{
    FILETIME now;
    HANDLE file = open_wide(path, FILE_WRITE_ATTRIBUTES, SHARE_ALL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL);
    if (file == INVALID_HANDLE_VALUE)
        return -1;
    GetSystemTimeAsFileTime(&now);
    BOOL done = SetFileTime(file, NULL, NULL, &now);
    CloseHandle(file);
    return done ? 0 : -1;
}

/* Removes the target and tries again if the first try fails: a file that is open cannot be replaced in one step. */
int rename_over(const char *from, const char *to)
{
    WCHAR old[MOST_PATH], new[MOST_PATH];
    for (int tries = 0; tries < 2; tries++)
        if (MoveFileExW(wide(from, old), wide(to, new), MOVEFILE_REPLACE_EXISTING))
            return 0;
        else if (remove_file(to) != 0)
            break;
    return -1;
}

int path_exists(const char *path)
{
    WCHAR text[MOST_PATH];
    return GetFileAttributesW(wide(path, text)) != INVALID_FILE_ATTRIBUTES;
}

static uint64_t identity_of(HANDLE file)
{
    BY_HANDLE_FILE_INFORMATION known;
    if (!GetFileInformationByHandle(file, &known))
        return 0;
    return (uint64_t) known.nFileIndexHigh << 32 | known.nFileIndexLow;
}

uint64_t file_identity(const char *path)
{
    HANDLE file = open_wide(path, FILE_READ_ATTRIBUTES, SHARE_ALL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
    uint64_t identity = file == INVALID_HANDLE_VALUE ? 0 : identity_of(file);
    CloseHandle(file);
    return identity;
}

long read_file(const char *path, char *text, size_t size)
{
    HANDLE file = open_wide(path, GENERIC_READ, SHARE_ALL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL);
    DWORD length;
    if (file == INVALID_HANDLE_VALUE)
        return -1;
    BOOL done = ReadFile(file, text, (DWORD) size - 1, &length, NULL);
    CloseHandle(file);
    if (!done)
        return -1;
    text[length] = '\0';
    return (long) length;
}

int write_file(const char *path, const void *bytes, size_t size)
{
    HANDLE file = open_wide(path, GENERIC_WRITE, SHARE_ALL, CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL);
    DWORD length;
    if (file == INVALID_HANDLE_VALUE)
        return -1;
    BOOL done = WriteFile(file, bytes, (DWORD) size, &length, NULL);
    CloseHandle(file);
    return done && length == size ? 0 : -1;
}

int open_fd(const char *path)
{
    HANDLE file = open_wide(path, GENERIC_READ | GENERIC_WRITE, SHARE_ALL, OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL);
    return file == INVALID_HANDLE_VALUE ? -1 : _open_osfhandle((intptr_t) file, _O_RDWR | _O_BINARY);
}

void close_fd(int fd)
{
    _close(fd);
}

int fd_is_open(int fd)
{
    return (HANDLE) _get_osfhandle(fd) != INVALID_HANDLE_VALUE;
}

static OVERLAPPED at_offset(int64_t offset)
{
    OVERLAPPED place;
    memset(&place, 0, sizeof place);
    place.Offset = (DWORD) offset;
    place.OffsetHigh = (DWORD) (offset >> 32);
    return place;
}

long read_at(int fd, void *bytes, size_t size, int64_t offset)
{
    OVERLAPPED place = at_offset(offset);
    DWORD length;
    if (ReadFile((HANDLE) _get_osfhandle(fd), bytes, (DWORD) size, &length, &place))
        return (long) length;
    return GetLastError() == ERROR_HANDLE_EOF ? 0 : -1;
}

long write_at(int fd, const void *bytes, size_t size, int64_t offset)
{
    OVERLAPPED place = at_offset(offset);
    DWORD length;
    return WriteFile((HANDLE) _get_osfhandle(fd), bytes, (DWORD) size, &length, &place) ? (long) length : -1;
}

/*
 * True if the handle is open.  Handles are small multiples of four.  Events and threads of the run-time are not
 * counted.
 */
static int is_open_file(size_t index)
{
    HANDLE handle = (HANDLE) (uintptr_t) (4 * index);
    DWORD flags;
    return GetHandleInformation(handle, &flags) && GetFileType(handle) != FILE_TYPE_UNKNOWN;
}

int open_descriptors(void)
{
    int count = 0;
    for (size_t i = 1; i < MOST_HANDLES / 4; i++)
        count += is_open_file(i);
    return count;
}

int descriptors_on(const char *path)
{
    uint64_t wanted = file_identity(path);
    int count = 0;
    for (size_t i = 1; i < MOST_HANDLES / 4 && wanted; i++)
        count += is_open_file(i) && GetFileType((HANDLE) (uintptr_t) (4 * i)) == FILE_TYPE_DISK &&
                 identity_of((HANDLE) (uintptr_t) (4 * i)) == wanted;
    return count;
}

/* ---- Processes ------------------------------------------------------------------------------ */

/* Other files know a process by its pid.  Its handle is kept here until it has been waited for. */
static struct child {
    int64_t pid;
    HANDLE handle; /* NULL: this entry is free */
} children[MOST_PROCESSES];

static struct child *child_of(int64_t pid)
{
    for (int i = 0; i < MOST_PROCESSES; i++)
        if (children[i].handle && children[i].pid == pid)
            return &children[i];
    return NULL;
}

static int remember(int64_t pid, HANDLE handle)
{
    for (int i = 0; i < MOST_PROCESSES; i++)
        if (!children[i].handle) {
            children[i].pid = pid;
            children[i].handle = handle;
            return 0;
        }
    return -1;
}

/*
 * Quotes a word for the C run-time of the child, which takes off the quotes: escapes inner quotes and backslashes
 * before a quote.
 */
static char *append_quoted(char *line, const char *word)
{
    *line++ = '"';
    for (; *word; word++) {
        size_t slashes = strspn(word, "\\");
        if (word[slashes] == '"' || word[slashes] == '\0')
            for (size_t i = 0; i < slashes; i++)
                *line++ = '\\';
        memcpy(line, word, slashes);
        line += slashes;
        word += slashes;
        if (*word == '"')
            *line++ = '\\';
        if (!*word)
            break;
        *line++ = *word;
    }
    *line++ = '"';
    *line++ = ' ';
    *line = '\0';
    return line;
}

static void command_line(const char *const argv[], WCHAR *text)
{
    static char line[4 * MOST_PATH];
    char *end = line;
    for (int i = 0; argv[i]; i++)
        end = append_quoted(end, argv[i]);
    MultiByteToWideChar(CP_UTF8, 0, line, -1, text, 4 * MOST_PATH);
}

static int spawn(struct process *process, const char *const argv[], HANDLE input, HANDLE output)
{
    static WCHAR line[4 * MOST_PATH];
    WCHAR program[MOST_PATH];
    STARTUPINFOW start;
    PROCESS_INFORMATION child;
    char path[4096];
    memset(&start, 0, sizeof start);
    start.cb = sizeof start;
    start.dwFlags = STARTF_USESTDHANDLES;
    start.hStdInput = input;
    start.hStdOutput = output;
    start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    const char *name = strrchr(argv[0], '/');
    snprintf(path, sizeof path, "%s%s", argv[0], strstr(name ? name : argv[0], ".exe") ? "" : ".exe");
    command_line(argv, line);
    for (int tries = 1; !CreateProcessW(wide(path, program), line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &child);
         tries++) {
        /* Wine now and then fails to start a process while the machine is busy. */
        printf("note: CreateProcess: error %lu\n", (unsigned long) GetLastError());
        if (tries == 3)
            return -1;
        nap_ms(100);
    }
    CloseHandle(child.hThread);
    process->pid = child.dwProcessId;
    return remember(process->pid, child.hProcess);
}

/* Makes a pipe.  The child's end can be inherited.  Ours cannot, or the child would never see an end of file. */
static int make_pipe(HANDLE *ours, HANDLE *theirs, int reading)
{
    HANDLE read, write;
    if (!CreatePipe(&read, &write, NULL, 0))
        return -1;
    *ours = reading ? read : write;
    *theirs = reading ? write : read;
    return SetHandleInformation(*theirs, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT) ? 0 : -1;
}

int process_start(struct process *process, const char *const argv[])
{
    HANDLE to[2], from[2];
    if (make_pipe(&to[0], &to[1], 0) != 0 || make_pipe(&from[0], &from[1], 1) != 0)
        return -1;
    int result = spawn(process, argv, to[1], from[1]);
    CloseHandle(to[1]);
    CloseHandle(from[1]);
    process->to = _open_osfhandle((intptr_t) to[0], _O_BINARY);
    process->from = _open_osfhandle((intptr_t) from[0], _O_BINARY | _O_RDONLY);
    return result;
}

int find_program(const char *name, char *path, size_t size)
{
    WCHAR wanted[MOST_PATH], found[MOST_PATH];
    if (!SearchPathW(NULL, wide(name, wanted), L".exe", MOST_PATH, found, NULL))
        return 0;
    return WideCharToMultiByte(CP_UTF8, 0, found, -1, path, (int) size, NULL, NULL) > 0;
}

/*
 * True as on POSIX.  A pipe cannot be waited for, so it is looked at again and again.  Its end counts as something to
 * read.
 */
int readable_within(int fd, int64_t timeout_ms)
{
    HANDLE pipe = (HANDLE) _get_osfhandle(fd);
    int64_t end = now_ns() + timeout_ms * 1000000;
    DWORD length;
    while (PeekNamedPipe(pipe, NULL, 0, NULL, &length, NULL) && length == 0) {
        if (now_ns() >= end)
            return 0;
        nap_ms(1);
    }
    return 1;
}

long read_some(int fd, void *bytes, size_t size)
{
    return _read(fd, bytes, (unsigned) size);
}

int write_all(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        int length = _write(fd, at, (unsigned) size);
        if (length <= 0)
            return -1;
        at += length;
        size -= (size_t) length;
    }
    return 0;
}

void process_kill(const struct process *process)
{
    const struct child *child = child_of(process->pid);
    if (child)
        TerminateProcess(child->handle, KILLED);
}

int process_wait(const struct process *process, int64_t timeout_ms)
{
    struct child *child = child_of(process->pid);
    DWORD status;
    if (!child || WaitForSingleObject(child->handle, (DWORD) timeout_ms) != WAIT_OBJECT_0)
        return -1;
    GetExitCodeProcess(child->handle, &status);
    CloseHandle(child->handle);
    child->handle = NULL;
    return (int) (status & 0xff);
}

void set_variable(const char *name, const char *value)
{
    _putenv_s(name, value);
}

int64_t own_pid(void)
{
    return GetCurrentProcessId();
}

void command_of(int64_t pid, char *text, size_t size)
{
    WCHAR name[MOST_PATH];
    DWORD length = MOST_PATH;
    HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD) pid);
    text[0] = '\0';
    if (process && QueryFullProcessImageNameW(process, 0, name, &length)) {
        const WCHAR *end = wcsrchr(name, L'\\');
        WideCharToMultiByte(CP_UTF8, 0, end ? end + 1 : name, -1, text, (int) size, NULL, NULL);
    }
    CloseHandle(process);
}

int64_t own_task(void)
{
    return GetCurrentThreadId();
}

void yield_processor(void)
{
    if (!SwitchToThread())
        Sleep(0);
}

/* ---- What Windows does not tell ------------------------------------------------------------- */

int task_asleep(int64_t pid, int64_t task)
{
    (void) pid;
    (void) task;
    return -1;
}

int queued_on(const char *path)
{
    (void) path;
    return -1;
}

int64_t voluntary_switches(void)
{
    return -1;
}

int thread_count(void)
{
    THREADENTRY32 entry = { .dwSize = sizeof entry };
    HANDLE threads = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    int count = 0;
    for (BOOL more = Thread32First(threads, &entry); more; more = Thread32Next(threads, &entry))
        count += entry.th32OwnerProcessID == GetCurrentProcessId();
    CloseHandle(threads);
    return count;
}

static int64_t ns_of(const FILETIME *time)
{
    return (((int64_t) time->dwHighDateTime << 32) + time->dwLowDateTime) * 100;
}

int64_t processor_ns(void)
{
    FILETIME begun, ended, kernel, user;
    GetProcessTimes(GetCurrentProcess(), &begun, &ended, &kernel, &user);
    return ns_of(&kernel) + ns_of(&user);
}

/* ---- Something to wait for ------------------------------------------------------------------ */

void waitable_open(struct signal_pair *pair)
{
    pair->waitable = CreateEventW(NULL, TRUE, FALSE, NULL);
    pair->other = 0;
    if (!pair->waitable)
        abort();
}

void waitable_set(struct signal_pair *pair)
{
    SetEvent(pair->waitable);
}

void waitable_clear(struct signal_pair *pair)
{
    ResetEvent(pair->waitable);
}

int waitable_is_set(struct signal_pair *pair)
{
    return WaitForSingleObject(pair->waitable, 0) == WAIT_OBJECT_0;
}

void waitable_close(struct signal_pair *pair)
{
    CloseHandle(pair->waitable);
}
