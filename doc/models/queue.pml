/* SPDX-License-Identifier: MIT
 *
 * A model of the queue of the waiters for a soft lock: lib/soft/queue_ofd.c, and await_look() in lib/soft/soft.c.
 * README.md says how it is run and what it leaves out; ../soft.md ("Queue") says why it should hold.
 *
 * A marker is at the path when the model begins.  Three processes acquire the lock once each, and release it.  A waiter
 * has a ticket, and places at two markers: at the marker that it waits for, and at the marker before.  One process
 * may be killed at any step, also while it holds the lock; or one waiter may be stopped for good, or may give up.
 * How markers are published and taken over is soft.pml's: here each of these is one step.  A step is one system call.
 *
 *   -DORDER  the first marker goes when all waiters wait there, none is stopped, and none loses its patience.  The
 *            checker verifies that the lock is granted in the order of the tickets.
 *   -DMIXED  the first process can have no place
 * Without ORDER the checker verifies that no process waits for ever.
 *
 * With -DWITHOUT=N a step is left out.  The checker must find a fault then:
 *   1  a waiter does not wait for earlier waiters
 *   2  a waiter gives up its places before it has the next place
 *   3  a waiter gives up its places before it tries to acquire
 *   4  no waiter loses its patience
 *   5  a waiter that is first does not ask again for earlier waiters when the marker goes
 *   6  a waiter that gives up keeps its places
 */
#ifndef WITHOUT
#define WITHOUT 0
#endif
#define PROCS 3
#define MARKERS (PROCS + 1)
#define FIRST 1             /* the marker that is there at first; that of a process is its number plus 2 */
#define BYTE(marker, ticket) lock[((marker) - 1) * PROCS + (ticket) - 1]

byte path = FIRST;          /* the marker that the path names; 0: none */
byte lock[MARKERS * PROCS]; /* for each byte of each marker: the number of the process that has it locked, plus 1 */
byte begun;                 /* the last ticket */
byte ticket[PROCS];
byte here[PROCS], before[PROCS];
bool holds[PROCS];
bool waits[PROCS];          /* waits for an earlier waiter, or for the marker to go */
bool over[PROCS];           /* does not wait any more: has acquired, or gives up */
bool dead[PROCS], stopped[PROCS];
bool fault;                 /* a process was killed or stopped, or a waiter gave up */
hidden byte i;

/* True if the marker at the path is that of a dead process. */
#define STALE (path > FIRST && dead[path - 2])

/* True if the marker of a waiter's place is not what keeps the lock from being free. */
#define IS_GONE(marker) (path != (marker) || STALE)

#ifdef MIXED
#define QUEUES (self != 0)
#else
#define QUEUES true
#endif

/* Unlocks all bytes of a marker that a process has locked.  One call unlocks a range of bytes. */
inline unlock(whose, marker)
{
    i = 1;
    do
    :: i <= PROCS ->
        if
        :: marker != 0 && BYTE(marker, i) == whose + 1 -> BYTE(marker, i) = 0
        :: else
        fi;
        i++
    :: else -> break
    od;
    i = 0
}

inline leave()
{
    d_step { unlock(self, here[self]); here[self] = 0 };
    d_step { unlock(self, before[self]); before[self] = 0 }
}

/*
 * Finds the nearest ticket before the own that is locked at a place.  Sets b to the ticket, 0 for none, and at to the
 * marker.
 */
inline find_before()
{
    d_step {
        b = 0;
        at = 0;
        i = 1;
        do
        :: i < ticket[self] && WITHOUT != 1 ->
            if
            :: here[self] != 0 && BYTE(here[self], i) != 0 && BYTE(here[self], i) != self + 1 ->
                b = i;
                at = here[self]
            :: else
            fi;
            i++
        :: else -> break
        od;
        i = 1;
        do
        :: i < ticket[self] && WITHOUT != 1 ->
            if
            :: before[self] != 0 && BYTE(before[self], i) != 0 && BYTE(before[self], i) != self + 1 ->
                b = i;
                at = before[self]
            :: else
            fi;
            i++
        :: else -> break
        od;
        i = 0
    }
}

inline check_order()
{
#ifdef ORDER
    i = 0;
    do
    :: i < PROCS ->
        assert(ticket[i] == 0 || ticket[i] >= ticket[self] || over[i] || dead[i]);
        i++
    :: else -> break
    od;
    i = 0
#else
    skip
#endif
}

proctype process(byte self)
{
    byte seen, b, at;

    {
    atomic { begun++; ticket[self] = begun };
look:
    waits[self] = false;
    if
    :: WITHOUT == 3 -> leave()
    :: else
    fi;
    atomic {
        if
        :: path == 0 || STALE ->
            assert(path == 0 || !holds[path - 2]);
            path = self + 2;
            holds[self] = true;
            over[self] = true;
            seen = 0;
            check_order()
        :: else -> seen = path
        fi
    };
    if
    :: seen == 0 -> goto held
    :: seen != 0 && (here[self] == seen || !QUEUES) -> goto turn
    :: else
    fi;
    /* flk_queue_enter(): opens the marker by its path, locks the byte of the ticket, gives up the place before */
    if
    :: WITHOUT == 2 -> leave()
    :: else
    fi;
    if
    :: path != seen -> goto look
    :: path == seen
    fi;
    d_step { BYTE(seen, ticket[self]) = self + 1 };
    d_step {
        unlock(self, before[self]);
        before[self] = here[self];
        here[self] = seen
    };
turn:
    /* flk_queue_wait(): await_byte() is a lock and an unlock of the byte before */
    waits[self] = false;
    find_before();
    do
    :: b == 0 -> break
    :: b != 0 ->
        waits[self] = true;
        if
        :: d_step { BYTE(at, b) == 0 -> BYTE(at, b) = self + 1; waits[self] = false };
           d_step { BYTE(at, b) = 0 };
           find_before();
           if
           :: b == 0 -> goto look
           :: else
           fi
#ifndef ORDER
        :: WITHOUT != 4 && IS_GONE(here[self]) -> d_step { b = 0; at = 0 }; goto look
#endif
        :: d_step { !fault -> fault = true; over[self] = true; b = 0; at = 0 }; goto give_up
        fi
    od;
    waits[self] = true;
    b = 0;
    /* flk_watch_wait() */
    if
    :: IS_GONE(seen)
    :: d_step { !fault -> fault = true; over[self] = true }; goto give_up
    fi;
    if
    :: WITHOUT == 5 -> goto look
    :: else
    fi;
    find_before();
    if
    :: b == 0 -> goto look
    :: b != 0 -> goto turn
    fi;
give_up:
    if
    :: WITHOUT != 6 -> leave()
    :: else
    fi;
    goto finish;
held:
    leave();
    atomic {
        holds[self] = false;
        if
        :: path == self + 2 -> path = 0
        :: else
        fi
    };
finish:
    skip
    } unless { dead[self] || stopped[self] }
}

/* The holder of the first marker. */
active proctype holder()
{
#ifdef ORDER
    ((waits[0] || dead[0] || over[0]) && (waits[1] || dead[1] || over[1]) && (waits[2] || dead[2] || over[2]));
#endif
    path = 0
}

inline kill(whom)
{
    d_step {
        !fault;
        fault = true;
        dead[whom] = true;
        holds[whom] = false;
        unlock(whom, here[whom]);
        unlock(whom, before[whom]);
        here[whom] = 0;
        before[whom] = 0;
        i = 1;
        do
        :: i <= MARKERS * PROCS ->
            if
            :: lock[i - 1] == whom + 1 -> lock[i - 1] = 0
            :: else
            fi;
            i++
        :: else -> break
        od;
        i = 0
    }
}

inline stop(whom)
{
    d_step {
        !fault && !holds[whom];
        fault = true;
        stopped[whom] = true
    }
}

active proctype killer()
{
end:
    do
    :: kill(0)
    :: kill(1)
    :: kill(2)
#ifndef ORDER
    :: stop(0)
    :: stop(1)
    :: stop(2)
#endif
    od
}

init
{
    atomic { run process(0); run process(1); run process(2) }
}
