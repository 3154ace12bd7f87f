/* SPDX-License-Identifier: MIT
 *
 * sys/event.h - what the library uses of macOS's kqueue(2), for the stand-in on Linux (standin.c).
 */
#ifndef STANDIN_EVENT_H
#define STANDIN_EVENT_H

#include <fcntl.h>
#include <stdint.h>
#include <time.h>

#define EVFILT_VNODE (-4)
#define EVFILT_PROC (-5)
#define EVFILT_USER (-10)

#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_ENABLE 0x0004
#define EV_ONESHOT 0x0010
#define EV_CLEAR 0x0020

#define NOTE_DELETE 0x00000001u
#define NOTE_WRITE 0x00000002u
#define NOTE_RENAME 0x00000020u
#define NOTE_REVOKE 0x00000040u
#define NOTE_FUNLOCK 0x00000100u
#define NOTE_EXIT 0x80000000u

/* On macOS this is in fcntl.h. */
#define O_EVTONLY O_RDONLY

struct kevent {
    uintptr_t ident;
    int16_t filter;
    uint16_t flags;
    uint32_t fflags;
    intptr_t data;
    void *udata;
};

int kqueue(void);
int kevent(int kq, const struct kevent *changes, int count, struct kevent *events, int room,
           const struct timespec *timeout);

#endif
