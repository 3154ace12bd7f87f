/* SPDX-License-Identifier: MIT
 *
 * A model of soft locks: lib/soft.c, lib/stale.c, lib/posix/takeover.c, lib/posix/marker.c.  README.md says
 * how it is run and what it leaves out; ../soft.md, why it should hold.
 *
 * Three processes take and release one lock as long as they like, by handles that are new or used, on a path
 * at which earlier crashes have left whatever they can leave.  Each may be killed between any two system calls.
 * When all have ended a last process comes: it must get the lock at once, and leave nothing of anybody.
 *
 * A step is one system call, and a comment says which function it stands for.  A file is a number, which is
 * used again as soon as the file has no name and is not open, as inodes are.
 *
 * The system that it runs on; without these it has O_TMPFILE, flock(2) and RENAME_EXCHANGE:
 *   -DNAMED     no O_TMPFILE: a marker is written under a private name and linked
 *   -DDISPLACE  no RENAME_EXCHANGE
 *   -DNO_FLOCK  no flock(2); nobody dies in the middle of a takeover, but with -DBREAKERS_DIE
 * What else goes on:
 *   -DSHARED    a child that shared the lock may have put its name on the marker, and ended
 *   -DOPERATOR  somebody may call filelock_break() while the lock is held
 *   -DFOREIGN   the last but one process is Python's filelock, which breaks by rename(2), without locks
 * A step that is left out, by -DWITHOUT=, which the checker must find out:
 *   1  the stale marker is not locked
 *   2  it is not looked at again, neither when it is locked nor when the draft is there
 *   3  nor are the two ends after the swap
 *   4  what is aside is removed without being locked
 *   5  what is aside is neither cleared nor tidied
 *   6  a release removes whatever is at the path
 *   7  tidying does not sweep
 */
#ifndef WITHOUT
#define WITHOUT 0
#endif
#ifndef PROCS
#define PROCS 3
#endif
#define LAST PROCS
#define ALL (PROCS + 1)
#define FILES (2 * ALL + 2)

/* Open files of a process. */
#define MARKER 0 /* what was found at the path */
#define MINE 1   /* one's own draft, then one's own marker */
#define ASIDE 2  /* what was found aside */
#define OPEN(p, what) open[(p) * 3 + (what)]
#define LOCKER(p, what) ((p) * 3 + (what) + 1)
#define DEAD 255

byte path;              /* the file that the lock path names; 0: none */
byte aside;             /* PATH.break */
byte draft[ALL];        /* PATH.new.HOST.PID.NUMBER, with NAMED */
byte away[ALL];         /* PATH.break.HOST.PID.NUMBER, with DISPLACE; and Python's */
byte owner[FILES + 1];  /* the process in the record, from 1; DEAD; 0: there is no such file */
byte locker[FILES + 1]; /* the open file that has it locked by flock(2); 0: none */
byte open[ALL * 3];
bool dead[ALL], over[ALL];
bool holds[ALL];
byte ended;
hidden byte i, j, used, fresh;

/* ---- The file system ------------------------------------------------------------------------- */

inline find_used(file)
{
    used = path == file || aside == file;
    j = 0;
    do
    :: j < ALL ->
        used = used || draft[j] == file || away[j] == file || OPEN(j, MARKER) == file ||
               OPEN(j, MINE) == file || OPEN(j, ASIDE) == file;
        j++
    :: else -> break
    od
}

/* After each step that matters: files go, and what must hold is seen to. */
inline settle()
{
    i = 1;
    do
    :: i <= FILES ->
        find_used(i);
        if
        :: !used -> owner[i] = 0; locker[i] = 0
        :: else
        fi;
        i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < ALL ->
#ifndef FOREIGN
        assert(!holds[i] || path == OPEN(i, MINE)); /* a lock that is held has its marker at the path */
#endif
        j = i + 1;
        do
        :: j < ALL -> assert(!holds[i] || !holds[j]); j++ /* never two holders */
        :: else -> break
        od;
        i++
    :: else -> break
    od;
    i = 0;
    j = 0
}

/* A new file, written and locked; nobody else knows of it yet. */
inline create(p)
{
    fresh = 1;
    do
    :: owner[fresh] != 0 -> fresh++; assert(fresh <= FILES)
    :: else -> break
    od;
    owner[fresh] = p + 1;
    OPEN(p, MINE) = fresh;
#ifndef NO_FLOCK
    locker[fresh] = LOCKER(p, MINE);
#endif
    fresh = 0
}

inline close(p, what)
{
    if
    :: OPEN(p, what) != 0 && locker[OPEN(p, what)] == LOCKER(p, what) -> locker[OPEN(p, what)] = 0
    :: else
    fi;
    OPEN(p, what) = 0
}

/* flk_marker_lock(): false, somebody has it locked. */
inline lock(p, what, answer)
{
#ifdef NO_FLOCK
    answer = true;
#else
    if
    :: locker[OPEN(p, what)] == 0 -> locker[OPEN(p, what)] = LOCKER(p, what); answer = true
    :: else -> answer = false
    fi
#endif
}

/* Whose is removed: one's own, or one of the dead's. */
inline remove(p, name)
{
#if !defined(FOREIGN) && !defined(SHARED)
    assert(name == 0 || owner[name] == DEAD || owner[name] == p + 1);
#endif
    name = 0
}

/* The same of PATH.break, where without flock(2) a living breaker's draft may be removed: it starts again. */
inline remove_aside(p)
{
#if !defined(NO_FLOCK) && !defined(FOREIGN)
    assert(aside == 0 || owner[aside] == DEAD || owner[aside] == p + 1);
#endif
    aside = 0
}

/* ---- Functions of the library ---------------------------------------------------------------- */

/* judge(), of what is open */
inline judge(p, what, answer)
{
    answer = OPEN(p, what) != 0 && owner[OPEN(p, what)] == DEAD
}

/* flk_marker_sweep(): private names tell who made them, and nobody but the dead loses any. */
inline sweep()
{
    i = 0;
    do
    :: i < ALL ->
        if
        :: dead[i] -> draft[i] = 0; away[i] = 0
        :: else
        fi;
        i++
    :: else -> break
    od;
    settle()
}

/* flk_marker_publish(): false, there is something */
inline publish(p, name, answer)
{
#ifdef NAMED
    d_step { create(p); draft[p] = OPEN(p, MINE) }
    d_step { answer = name == 0; if :: answer -> name = draft[p] :: else fi; settle() }
    d_step { draft[p] = 0; settle() }
    d_step { sweep() }
#else
    d_step { answer = name == 0; if :: answer -> create(p); name = OPEN(p, MINE) :: else fi; settle() }
#endif
    if
    :: !answer -> d_step { close(p, MINE); settle() }
    :: else
    fi
}

/* flk_marker_swap() */
inline swap(answer)
{
    answer = path != 0 && aside != 0;
    if
    :: answer -> i = path; path = aside; aside = i
    :: else
    fi;
    settle()
}

/* clear_aside(), and flk_marker_tidy(), which sweeps before the trace goes that there may be something */
inline clear(p, stale, good, sweeps)
{
    d_step { OPEN(p, ASIDE) = aside; settle() }
    if
    :: OPEN(p, ASIDE) != 0 ->
        d_step { judge(p, ASIDE, stale) }
#if WITHOUT == 4
        good = true;
#else
        d_step { lock(p, ASIDE, good) }
#endif
        good = good && stale && aside == OPEN(p, ASIDE); /* is_at() */
        if
        :: good ->
            if
            :: sweeps && WITHOUT != 7 -> d_step { sweep() }
            :: else
            fi;
            d_step { remove_aside(p); settle() }
        :: else
        fi;
        d_step { close(p, ASIDE); stale = false; good = false; settle() }
    :: else
    fi
}

/* displace(): rename(2), is_at(), then unlink(2) or flk_marker_replace() */
inline displace(p)
{
    d_step { if :: path != 0 -> away[p] = path; path = 0 :: else fi; settle() }
    if
    :: away[p] != 0 && (away[p] == OPEN(p, MARKER) || WITHOUT == 3) -> d_step { remove(p, away[p]); settle() }
    :: away[p] != 0 && !(away[p] == OPEN(p, MARKER) || WITHOUT == 3) ->
        d_step { if :: path == 0 -> path = away[p] :: else fi; settle() }
        d_step { away[p] = 0; settle() }
    :: away[p] == 0
    fi;
    d_step { sweep() }
}

/* release_at(): is_ours(), flk_file_remove(), close_marker() */
inline release(p, good)
{
#if WITHOUT == 6
    good = true;
#else
    good = path == OPEN(p, MINE);
#endif
    if
    :: good -> d_step { remove(p, path); good = false; settle() }
    :: else
    fi;
    d_step { close(p, MINE); settle() }
}

/* release_shared(): whoever can lock the marker once his own is closed was the last */
inline release_shared(p, id, good)
{
    d_step { id = OPEN(p, MINE); close(p, MINE); settle() }
    d_step { OPEN(p, MARKER) = path; settle() }
    if
    :: id != 0 && OPEN(p, MARKER) == id ->
        d_step { lock(p, MARKER, good) }
        good = good && path == id; /* is_ours() */
        if
        :: good -> d_step { remove(p, path); good = false; settle() }
        :: else
        fi
    :: else
    fi;
    d_step { close(p, MARKER); id = 0; settle() }
}

/* ---- Processes ------------------------------------------------------------------------------- */

/* The end of a process: the kernel closes what is open, and what names the process names a dead one. */
inline die(p)
{
    holds[p] = false;
    OPEN(p, MARKER) = 0;
    OPEN(p, MINE) = 0;
    OPEN(p, ASIDE) = 0;
    i = 1;
    do
    :: i <= FILES ->
        if
        :: owner[i] == p + 1 -> owner[i] = DEAD
        :: else
        fi;
        if
        :: locker[i] != 0 && (locker[i] - 1) / 3 == p -> locker[i] = 0
        :: else
        fi;
        i++
    :: else -> break
    od;
    settle()
}

/* Processes are alike: it is enough to see them end in their order. */
#ifdef FOREIGN
#define IN_TURN(p) true
#else
#define IN_TURN(p) (ended == p)
#endif

proctype process(byte me)
{
    bool tidied = false, stale = false, good = false;
    byte looks = 0, id = 0;

    me != LAST || ended == PROCS;
    {
    do
    :: me != LAST && IN_TURN(me) -> break /* has had enough */
    :: true -> /* take() */
        if
        :: me == LAST -> looks++; assert(looks <= 5) /* nothing wedges the lock */
        :: me != LAST -> tidied = false /* a new handle */
        :: me != LAST
        fi;
        if
        :: !tidied && WITHOUT != 5 -> clear(me, stale, good, true)
        :: else
        fi;
        tidied = true;

        publish(me, path, good); /* claim() */
        if
        :: good -> goto taken
        :: else
        fi;

        OPEN(me, MARKER) = path; /* face(): flk_marker_look() */
        d_step { judge(me, MARKER, stale) }
        if
        :: !stale -> goto leave
        :: else -> stale = false
        fi;

        /* flk_marker_take_over() */
#if WITHOUT != 1
        d_step { lock(me, MARKER, good) }
        if
        :: !good -> goto leave
        :: else -> good = false
        fi;
#endif
#if WITHOUT != 2
        if
        :: path != OPEN(me, MARKER) -> goto leave /* unchanged() */
        :: else
        fi;
#endif
        publish(me, aside, good);
        if
        :: !good && WITHOUT != 5 -> clear(me, stale, good, false); goto leave
        :: !good && WITHOUT == 5 -> goto leave
        :: good -> good = false
        fi;

        /* supplant() */
#if WITHOUT != 2
        if
        :: path != OPEN(me, MARKER) -> goto give_up /* unchanged() */
        :: else
        fi;
#endif
#ifdef DISPLACE
        displace(me);
#else
        d_step { swap(good) } /* swap_in() */
        if
        :: !good -> goto give_up
        :: else
        fi;
#if WITHOUT != 3
        good = aside == OPEN(me, MARKER); /* is_at(stale, aside) */
        good = good && path == OPEN(me, MINE); /* is_at(draft, path) */
#endif
        if
        :: good -> d_step { remove_aside(me); settle() }
            goto taken
        :: else
        fi;
        d_step { swap(good); good = false }
#endif

give_up:
        good = aside == 0 || aside == OPEN(me, MINE); /* remove_draft() */
        if
        :: good -> d_step { remove_aside(me); good = false; settle() }
        :: else
        fi;
        good = path == OPEN(me, MINE); /* the end of supplant() */
        if
        :: good -> d_step { remove(me, path); good = false; settle() }
        :: else
        fi;
        d_step { close(me, MINE); settle() }
leave:
        skip;
        d_step { close(me, MARKER); stale = false; good = false; settle() }
        goto again;

taken: /* keep() */
        skip;
        d_step { close(me, MARKER); good = false; holds[me] = true; settle() }
#ifdef SHARED
        if
        :: owner[OPEN(me, MINE)] = DEAD
        :: true
        fi;
        holds[me] = false;
        release_shared(me, id, good);
#else
        holds[me] = false;
        release(me, good);
#endif
        if
        :: me == LAST -> break
        :: else
        fi;
again:
        skip
    od
    } unless { dead[me] };
    skip;
    d_step { over[me] = true; ended++; tidied = false; stale = false; good = false; id = 0; die(me) }
    if
    :: me == LAST ->
        d_step {
            assert(path == 0 && aside == 0);
            i = 0;
            do
            :: i < ALL -> assert(draft[i] == 0 && away[i] == 0); i++ /* nothing is left of the dead */
            :: else -> break
            od
        }
    :: else
    fi
}

/* Python's filelock, as far as it matters here; of its private names it takes care itself. */
proctype python(byte me)
{
    bool stale = false, good = false;

    {
    do
    :: break
    :: d_step {
            good = path == 0;
            if :: good -> create(me); locker[OPEN(me, MINE)] = 0; path = OPEN(me, MINE) :: else fi;
            settle()
        }
        if
        :: good ->
            d_step { holds[me] = true; settle() }
            holds[me] = false;
            release(me, good)
        :: else ->
            OPEN(me, MARKER) = path;
            d_step { judge(me, MARKER, stale) }
            if
            :: stale ->
                d_step { if :: path != 0 -> away[me] = path; path = 0 :: else fi; settle() }
                if
                :: away[me] != 0 && away[me] != OPEN(me, MARKER) ->
                    d_step { if :: path == 0 -> path = away[me] :: else fi; settle() }
                :: else
                fi;
                d_step { away[me] = 0; settle() }
            :: else
            fi;
            d_step { close(me, MARKER); stale = false; settle() }
        fi
    od
    } unless { dead[me] };
    skip;
    d_step { over[me] = true; ended++; away[me] = 0; stale = false; good = false; die(me) }
}

/* ---- What happens to them -------------------------------------------------------------------- */

inline kill(p)
{
    dead[p] = true;
    die(p)
}

#if defined(NO_FLOCK) && !defined(BREAKERS_DIE)
#define BREAKING(p) (OPEN(p, MARKER) != 0 && OPEN(p, MINE) != 0)
#else
#define BREAKING(p) false
#endif
#define CAN_DIE(p) (!dead[p] && !over[p] && IN_TURN(p) && !BREAKING(p))

proctype killer()
{
    do
    :: d_step { CAN_DIE(0) -> kill(0) }
    :: d_step { CAN_DIE(1) -> kill(1) }
#if PROCS > 2
    :: d_step { CAN_DIE(2) -> kill(2) }
#endif
    :: ended >= PROCS -> break
    od
}

/* filelock_break(): whoever held it is told by filelock_check(), and counts as a holder no more. */
#define BREAKS(p) d_step { holds[p] -> holds[p] = false; path = 0; settle() }

proctype operator()
{
    if
    :: BREAKS(0)
    :: BREAKS(1)
#if PROCS > 2
    :: BREAKS(2)
#endif
    :: ended >= PROCS
    fi
}

init {
    atomic {
        if
        :: path = 1; owner[1] = DEAD
        :: true
        fi;
#if !defined(NO_FLOCK) || defined(BREAKERS_DIE)
        if
        :: aside = 2; owner[2] = DEAD
        :: true
        fi;
#endif
        run process(0);
#if PROCS > 2
        run process(1);
#endif
#ifdef FOREIGN
        run python(PROCS - 1);
#else
        run process(PROCS - 1);
#endif
        run process(LAST);
#ifdef OPERATOR
        run operator();
#endif
        run killer()
    }
}
