/* SPDX-License-Identifier: MIT
 *
 * foreign_lockfileex.c - a program that locks with plain LockFileEx, and does not use the library.
 *
 * Commands, each on a line: "lock MODE START LENGTH", where MODE is exclusive or shared; "wait MODE START LENGTH";
 * "unlock START LENGTH".  Answers "0", "held", or the number of the error.  Its argument is the lock file, in the code
 * page.
 */
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <string.h>
#include <windows.h>

static DWORD set_lock(HANDLE file, const char *verb, const char *mode, DWORD start, DWORD length)
{
    OVERLAPPED place;
    DWORD flags = strcmp(mode, "shared") ? LOCKFILE_EXCLUSIVE_LOCK : 0;
    memset(&place, 0, sizeof place);
    place.Offset = start;
    if (!strcmp(verb, "unlock"))
        return UnlockFileEx(file, 0, length, 0, &place) ? 0 : GetLastError();
    flags |= strcmp(verb, "wait") ? LOCKFILE_FAIL_IMMEDIATELY : 0;
    return LockFileEx(file, flags, 0, length, 0, &place) ? 0 : GetLastError();
}

static DWORD obey(HANDLE file, const char *line)
{
    char verb[16], mode[16] = "";
    unsigned long start = 0, length = 1;
    if (sscanf(line, "unlock %lu %lu", &start, &length) == 2)
        return set_lock(file, "unlock", mode, start, length);
    if (sscanf(line, "%15s %15s %lu %lu", verb, mode, &start, &length) != 4)
        return ERROR_INVALID_PARAMETER;
    return set_lock(file, verb, mode, start, length);
}

int main(int argc, char **argv)
{
    char line[256];
    HANDLE file = INVALID_HANDLE_VALUE;
    if (argc == 2)
        file = CreateFileA(argv[1], GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_ALWAYS,
                           FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return 1;
    _setmode(1, _O_BINARY);
    while (fgets(line, sizeof line, stdin)) {
        DWORD error = obey(file, line);
        if (error == ERROR_LOCK_VIOLATION || error == ERROR_IO_PENDING)
            puts("held");
        else
            printf("%lu\n", error);
        fflush(stdout);
    }
    return 0;
}
