/* SPDX-License-Identifier: MIT
 *
 * Waiting for a marker to go, by a notification of its directory, and for its holder to end, by a handle of the
 * process.  Beside both there are naps, since not every file system tells of what other hosts do.
 */
#include "config.h"

#include <stdlib.h>

#include "system/path_windows.h"
#include "wait/limits.h"
#include "wait/nap.h"
#include "wait/objects.h"
#include "wait/watch.h"

#define NAPS_SEEING 20 /* nap this many times as long where there is a notification */

void flk_watch_open(struct watch *watch, const char *path)
{
    int rc;
    wchar_t *folder = flk_path_wide(path, &rc);
    HANDLE names = INVALID_HANDLE_VALUE;

    *watch = (struct watch) { .nap = FLK_FIRST_NAP };
    if (folder != NULL && flk_path_cut(folder))
        names = FindFirstChangeNotificationW(folder, FALSE, FILE_NOTIFY_CHANGE_FILE_NAME);
    if (names != INVALID_HANDLE_VALUE)
        watch->names = names;
    free(folder);
}

static void close_names(struct watch *watch)
{
    if (watch->names != NULL)
        (void) FindCloseChangeNotification(watch->names);
    watch->names = NULL;
}

static void close_process(struct watch *watch)
{
    if (watch->process != NULL)
        (void) CloseHandle(watch->process);
    watch->process = NULL;
}

void flk_watch_close(struct watch *watch)
{
    close_names(watch);
    close_process(watch);
}

/* Returns false always: the pid may have been that of several processes, and which of them was watched is unknown. */
bool flk_watch_process(struct watch *watch, int64_t pid, const char *token)
{
    (void) token;
    if (pid == watch->pid)
        return false;
    close_process(watch);
    watch->pid = pid;
    if (pid > 0)
        watch->process = OpenProcess(SYNCHRONIZE, FALSE, (DWORD) pid);
    return false;
}

int flk_watch_wait(struct watch *watch, const struct limits *limits, int64_t at_most)
{
    bool seeing = watch->names != NULL && (watch->pid == 0 || watch->process != NULL);
    int64_t nap = flk_next_nap(&watch->nap) * (seeing ? NAPS_SEEING : 1);
    HANDLE objects[2];
    DWORD count = 0;
    int rc;

    if (watch->names != NULL)
        objects[count++] = watch->names;
    if (watch->process != NULL)
        objects[count++] = watch->process;
    rc = flk_wait_within(objects, count, limits, flk_after(nap < at_most ? nap : at_most));
    if (rc <= 0)
        return rc;
    if (objects[rc - 1] != watch->names)
        close_process(watch); /* the end of a process is told once */
    else if (!FindNextChangeNotification(watch->names))
        close_names(watch);
    return 0;
}

/* Does nothing: a notification that has come is read by the next wait. */
void flk_watch_renew(struct watch *watch)
{
    (void) watch;
}

/* Does nothing, since nothing is kept from one watch to the next. */
void flk_watch_drop_spare(void)
{
}
