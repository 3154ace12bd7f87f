/* SPDX-License-Identifier: MIT
 *
 * Files and systems on which a thread cannot wait for a lock by an overlapped request.
 */
#include "config.h"

#include <windows.h>
#include <winternl.h>

#include "os/overlapped.h"
#include "system/file_windows.h"

/* FileModeInformation and its flags, which only the driver kit has. */
#define MODE_INFORMATION ((FILE_INFORMATION_CLASS) 16)
#define SYNCHRONOUS 0x30u /* FILE_SYNCHRONOUS_IO_ALERT, FILE_SYNCHRONOUS_IO_NONALERT */

/*
 * True if calls on the file are synchronous, as with a caller's descriptor that the C library has opened; also if the
 * system does not tell.  A request would not return until it is granted.  No other thread could use the descriptor
 * meanwhile, not even to unlock.
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
 * False under Wine.  Wine 8 takes a request that has to wait, returns ERROR_IO_PENDING, and then forgets the request.
 * It is never granted and cannot be cancelled, and GetOverlappedResult() reports success at once.
 */
bool flk_overlapped_completes(int fd)
{
    return !flk_is_wine() && !is_synchronous(fd);
}
