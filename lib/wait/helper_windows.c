/* SPDX-License-Identifier: MIT
 *
 * Helper threads of Windows, one for each call.  A call ends by itself when its stop event is signalled.
 */
#include "config.h"

#include <errno.h>

#include "wait/helper.h"
#include "wait/wakeup.h"

#define STACK_SIZE (256 * 1024) /* bytes that are reserved, not used */

static DWORD WINAPI run_job(void *arg)
{
    struct job *job = arg;
    struct waker waker = flk_wakeup_waker(job->wakeup);

    job->result = job->call(job->arg);
    (void) InterlockedExchange(&job->done, 1);
    flk_wake(&waker);
    return 0;
}

bool flk_job_start(struct job *job, int (*call)(void *arg), void *arg, struct wakeup *wakeup)
{
    *job = (struct job) { .call = call, .arg = arg, .wakeup = wakeup };
    job->stop = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (job->stop == NULL)
        return false;
    job->thread = CreateThread(NULL, STACK_SIZE, run_job, job, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (job->thread == NULL)
        (void) CloseHandle(job->stop);
    return job->thread != NULL;
}

static int end(struct job *job)
{
    (void) WaitForSingleObject(job->thread, INFINITE);
    (void) CloseHandle(job->thread);
    (void) CloseHandle(job->stop);
    job->thread = NULL;
    return job->result;
}

bool flk_job_is_done(struct job *job, int *result)
{
    if (InterlockedCompareExchange(&job->done, 0, 0) == 0)
        return false;
    *result = end(job);
    return true;
}

int flk_job_stop(struct job *job)
{
    (void) SetEvent(job->stop);
    return end(job);
}

filelock_waitable flk_job_stopper(const struct job *job)
{
    return job->stop;
}
