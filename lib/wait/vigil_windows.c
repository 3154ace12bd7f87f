/* SPDX-License-Identifier: MIT
 *
 * A vigil for the wake-up's event and the cancel objects.  Windows waits for few objects at once: the other cancel
 * objects are looked at between naps.
 */
#include "config.h"

#include <errno.h>

#include "system/clock.h"
#include "wait/errand.h"
#include "wait/limits.h"
#include "wait/vigil.h"
#include "wait/wakeup.h"

#define STACK_SIZE (256 * 1024) /* bytes that are reserved, not used */

/* Poll interval while there are more cancel objects than can be waited for. */
#define BLIND_MS 20

#define NS_PER_MS 1000000

/* Only the attendant uses these.  The first object is the wake-up's. */
static HANDLE objects[MAXIMUM_WAIT_OBJECTS];
static DWORD count;
static bool blind;

static void (*attend)(void);

static DWORD WINAPI run(void *arg)
{
    (void) arg;
    attend();
    return 0;
}

int flk_vigil_start(struct attendant *attendant, void (*run_it)(void))
{
    attend = run_it;
    attendant->thread = CreateThread(NULL, STACK_SIZE, run, NULL, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    return attendant->thread != NULL ? 0 : -EAGAIN;
}

void flk_vigil_join(struct attendant *attendant)
{
    (void) WaitForSingleObject(attendant->thread, INFINITE);
    (void) CloseHandle(attendant->thread);
}

void flk_vigil_begin(void)
{
}

void flk_vigil_end(void)
{
}

static bool is_known(HANDLE object)
{
    for (DWORD i = 1; i < count; i++)
        if (objects[i] == object)
            return true;
    return false;
}

/* An object must not stand twice in a wait.  slot: not 0 if the errand can be cancelled. */
void flk_vigil_gather(const struct list *errands)
{
    count = 1;
    blind = false;
    for (struct link *link = errands->first; link != NULL; link = link->next) {
        struct errand *errand = LINK_OWNER(link, struct errand, link);
        HANDLE cancel = errand->limits.cancel;

        errand->slot = cancel != FILELOCK_NO_WAITABLE && errand->reason == 0;
        if (errand->slot == 0 || is_known(cancel))
            continue;
        if (count == MAXIMUM_WAIT_OBJECTS)
            blind = true;
        else
            objects[count++] = cancel;
    }
}

static DWORD ms_until(int64_t until)
{
    int64_t left = until == FLK_NEVER ? FLK_NEVER : until - flk_now();

    if (left == FLK_NEVER)
        return INFINITE;
    left = left > 0 ? left / NS_PER_MS + (left % NS_PER_MS != 0) : 0;
    return left < INFINITE ? (DWORD) left : INFINITE - 1;
}

/* Naps if an object is not open: flk_vigil_tell() finds out which. */
void flk_vigil_wait(struct wakeup *wakeup, int64_t until)
{
    DWORD ms = ms_until(until), first;

    objects[0] = flk_wakeup_waitable(wakeup);
    first = objects[0] == NULL;
    if ((blind || first != 0) && ms > BLIND_MS)
        ms = BLIND_MS;
    if (count == first)
        Sleep(ms);
    else
        (void) WaitForMultipleObjects(count - first, objects + first, FALSE, ms);
    flk_wakeup_drain(wakeup);
}

void flk_vigil_tell(const struct list *errands)
{
    for (struct link *link = errands->first; link != NULL; link = link->next) {
        struct errand *errand = LINK_OWNER(link, struct errand, link);
        DWORD found = errand->slot != 0 ? WaitForSingleObject(errand->limits.cancel, 0) : WAIT_TIMEOUT;

        if (found == WAIT_TIMEOUT)
            continue;
        errand->reason = found == WAIT_FAILED ? -EINVAL : -ECANCELED;
        errand->due = true;
    }
}
