/* SPDX-License-Identifier: MIT
 *
 * Files and systems on which a lock cannot be waited for by an overlapped request.
 */
#include "config.h"

#include <windows.h>
#include <winternl.h>

#include "windows/file.h"
#include "windows/overlapped.h"

/* The names of FILE_MODE_INFORMATION are the driver kit's. */
#define MODE_INFORMATION ((FILE_INFORMATION_CLASS) 16)
#define SYNCHRONOUS 0x30u /* FILE_SYNCHRONOUS_IO_ALERT, FILE_SYNCHRONOUS_IO_NONALERT */

/*
 * Calls on a caller's descriptor, which the C library opens for synchronous use, would not return, and nobody else
 * could use the descriptor meanwhile, be it to unlock.
 */
static bool is_synchronous(int fd)
{
    IO_STATUS_BLOCK status;
    ULONG mode = SYNCHRONOUS;

    return NtQueryInformationFile(flk_handle(fd), &status, &mode, sizeof(mode), MODE_INFORMATION) < 0 ||
           (mode & SYNCHRONOUS) != 0;
}

bool flk_is_wine(void)
{
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");

    return ntdll != NULL && GetProcAddress(ntdll, "wine_get_version") != NULL;
}

/*
 * Wine 8 takes a request that has to wait, answers ERROR_IO_PENDING, and then forgets about it: it is never granted,
 * cannot be cancelled, and GetOverlappedResult() tells at once that it succeeded.
 */
bool flk_overlapped_completes(int fd)
{
    return !flk_is_wine() && !is_synchronous(fd);
}
