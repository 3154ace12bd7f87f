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
 *   -DNO_FLOCK  no flock(2)
 * What else goes on:
 *   -DSHARED    a child that shared the lock may have put its name on the marker, and ended
 *   -DOPERATOR  somebody calls filelock_break(), maybe while the lock is held
 *   -DFOREIGN   the last but one process is Python's filelock, which breaks by rename(2), without locks
 * A step that is left out, by -DWITHOUT=, which the checker must find out:
 *   1  the stale marker is not locked
 *   2  it is not looked at again, neither when it is locked nor when the draft is there
 *   3  nor is what comes aside
 *   4  a dead breaker's draft is not seen to be there still
 *   5  nor is its successor sought
 *   6  a release removes whatever is at the path
 *   7  nothing is swept
 *   8  whatever is aside is
 *   9  filelock_break() removes a stale marker without regard to breakers
 */
#ifndef WITHOUT
#define WITHOUT 0
#endif
#ifndef PROCS
#define PROCS 3
#endif
#define LAST PROCS
#define OPERATES (PROCS + 1)
#define ALL (PROCS + 2)
#define FILES (2 * ALL)

/*
 * Files that a process has open, or whose number it remembers: there a number stands for all that a name is
 * made of, which no other file ever has.
 */
#define MARKER 0 /* what was found at the path */
#define MINE 1   /* one's own draft, then one's own marker */
#define DONE 2   /* the dead one that the name of one's own draft is made of */
#define LEFT 3   /* what was found there */
#define LISTED 4 /* when sweeping, the one that a listed name is made of */
#define SLOTS 5
#define OPEN(p, what) open[(p) * SLOTS + (what)]
#define LOCKER(p, what) ((p) * SLOTS + (what) + 1)
#define DEAD 255

byte path;              /* the file that the lock path names; 0: none */
byte aside[FILES + 1];  /* PATH.break.HASH, by the file that the hash is made of */
byte draft[ALL];        /* PATH.new.HOST.PID.NUMBER, with NAMED */
byte away[ALL];         /* Python's private name */
byte owner[FILES + 1];  /* the process in the record, from 1; DEAD; 0: there is no such file */
byte locker[FILES + 1]; /* the open file that has it locked by flock(2); 0: none */
byte open[ALL * SLOTS];
bool dead[ALL], over[ALL], operated;
bool holds[ALL];
byte ended;
hidden byte i, j, used, fresh;

/* ---- The file system ------------------------------------------------------------------------- */

inline find_used(file)
{
    used = path == file || aside[file] != 0;
    j = 0;
    do
    :: j < ALL ->
        used = used || draft[j] == file || away[j] == file;
        j++
    :: else -> break
    od;
    j = 0;
    do
    :: j < ALL * SLOTS -> used = used || open[j] == file; j++
    :: else -> break
    od;
    j = 1;
    do
    :: j <= FILES -> used = used || aside[j] == file; j++
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

/* The same of a name aside: who is late may lose his draft, and starts again. */
inline remove_aside(p, key)
{
#if !defined(NO_FLOCK) && !defined(FOREIGN) && !defined(OPERATOR)
    assert(aside[key] == 0 || owner[aside[key]] == DEAD || owner[aside[key]] == p + 1);
#endif
    aside[key] = 0
}

/* ---- Functions of the library ---------------------------------------------------------------- */

/* judge(), of what is open */
inline judge(p, what, answer)
{
    answer = OPEN(p, what) != 0 && owner[OPEN(p, what)] == DEAD
}

/* The next name aside that the directory lists. */
inline list(p)
{
    OPEN(p, LISTED) = OPEN(p, LISTED) + 1;
    do
    :: OPEN(p, LISTED) <= FILES && aside[OPEN(p, LISTED)] == 0 -> OPEN(p, LISTED) = OPEN(p, LISTED) + 1
    :: else -> break
    od;
    if
    :: OPEN(p, LISTED) > FILES -> OPEN(p, LISTED) = 0
    :: else
    fi;
    settle()
}

/* Whoever is late with his draft may lose it, and starts again; a holder does not lose his marker. */
inline sweep_aside(key)
{
#ifndef FOREIGN
    i = 0;
    do
    :: i < ALL -> assert(!holds[i] || aside[key] != OPEN(i, MINE)); i++
    :: else -> break
    od;
#endif
    aside[key] = 0
}

/*
 * flk_marker_sweep(): private names tell who made them, and nobody but the dead loses any.  A name aside is
 * nobody's if the path names no marker of the dead after it was listed.
 */
inline sweep(p)
{
#if WITHOUT == 7
    skip
#else
    d_step {
        i = 0;
        do
        :: i < ALL ->
            if
            :: dead[i] -> draft[i] = 0
            :: else
            fi;
            i++
        :: else -> break
        od;
        list(p)
    }
    do
    :: OPEN(p, LISTED) == 0 -> break
    :: else ->
        if
        :: path == 0 || path == OPEN(p, MINE) || WITHOUT == 8 -> d_step { sweep_aside(OPEN(p, LISTED)); settle() }
        :: else
        fi;
        d_step { list(p) }
    od
#endif
}

/* flk_marker_publish(): false, there is something */
inline publish(p, name, answer)
{
#ifdef NAMED
    d_step { create(p); draft[p] = OPEN(p, MINE) }
    d_step { answer = name == 0; if :: answer -> name = draft[p] :: else fi; settle() }
    d_step { draft[p] = 0; settle() }
#else
    d_step { answer = name == 0; if :: answer -> create(p); name = OPEN(p, MINE) :: else fi; settle() }
#endif
    if
    :: !answer -> d_step { close(p, MINE); settle() }
    :: else
    fi
}

/* flk_marker_swap() */
inline swap(p, answer)
{
    answer = path != 0 && aside[OPEN(p, DONE)] != 0;
    if
    :: answer -> i = path; path = aside[OPEN(p, DONE)]; aside[OPEN(p, DONE)] = i
    :: else
    fi;
    settle()
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
        :: good ->
            d_step { remove(p, path); good = false; settle() }
            sweep(p)
        :: else
        fi
    :: else
    fi;
    skip;
    d_step { close(p, MARKER); id = 0; settle() }
}

/* ---- Processes ------------------------------------------------------------------------------- */

/* The end of a process: the kernel closes what is open, and what names the process names a dead one. */
inline die(p)
{
    holds[p] = false;
    i = 0;
    do
    :: i < SLOTS -> OPEN(p, i) = 0; i++
    :: else -> break
    od;
    i = 1;
    do
    :: i <= FILES ->
        if
        :: owner[i] == p + 1 -> owner[i] = DEAD
        :: else
        fi;
        if
        :: locker[i] != 0 && (locker[i] - 1) / SLOTS == p -> locker[i] = 0
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
    bool stale = false, good = false, sweeps = false;
    byte looks = 0, id = 0;

    me != LAST || (ended == PROCS && operated);
    {
    do
    :: me != LAST && IN_TURN(me) -> break /* has had enough */
    :: true -> /* take() */
        if
        :: me == LAST -> looks++; assert(looks <= 5) /* nothing wedges the lock */
        :: else
        fi;
        publish(me, path, good); /* claim() */
#ifdef NAMED
        sweeps = true;
#endif
        if
        :: good -> goto taken
        :: else -> sweeps = false
        fi;

        d_step { OPEN(me, MARKER) = path; settle() } /* face(): flk_marker_look() */
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
        OPEN(me, DONE) = OPEN(me, MARKER);

        /* succeed(): where the chain of dead breakers ends */
succeed:
        publish(me, aside[OPEN(me, DONE)], good);
        if
        :: good -> good = false; goto supplant
        :: else
        fi;
#if WITHOUT == 5
        goto leave;
#endif
        d_step { OPEN(me, LEFT) = aside[OPEN(me, DONE)]; settle() }
        d_step { judge(me, LEFT, stale) }
        stale = stale && OPEN(me, LEFT) != OPEN(me, MARKER);
        if
        :: !stale -> goto leave /* it is gone, or was swapped in, or somebody is at work */
        :: else -> stale = false
        fi;
#if WITHOUT != 4
        if
        :: aside[OPEN(me, DONE)] != OPEN(me, LEFT) -> goto leave /* is_at() */
        :: else
        fi;
#endif
        d_step { OPEN(me, DONE) = OPEN(me, LEFT); OPEN(me, LEFT) = 0; settle() }
        goto succeed;

supplant:
        skip;
#if WITHOUT != 2
        if
        :: path != OPEN(me, MARKER) -> goto give_up /* unchanged() */
        :: else
        fi;
#endif
        if
        :: me != LAST -> goto give_up /* an error */
        :: true
        fi;
#ifdef DISPLACE
        d_step { /* displace() */
            if
            :: path != 0 -> aside[OPEN(me, DONE)] = path; path = 0; good = true
            :: else
            fi;
            settle()
        }
        if
        :: good && (aside[OPEN(me, DONE)] == OPEN(me, MARKER) || WITHOUT == 3) ->
            d_step { good = false; remove_aside(me, OPEN(me, DONE)); settle() }
            sweep(me);
            goto give_up
        :: good && !(aside[OPEN(me, DONE)] == OPEN(me, MARKER) || WITHOUT == 3) -> /* flk_marker_replace() */
            d_step { good = false; if :: path == 0 -> path = aside[OPEN(me, DONE)] :: else fi; settle() }
            d_step { aside[OPEN(me, DONE)] = 0; settle() }
            goto give_up
        :: !good -> goto give_up
        fi;
#else
        d_step { swap(me, good) } /* swap_in() */
        if
        :: !good -> goto give_up
        :: else
        fi;
        good = aside[OPEN(me, DONE)] == OPEN(me, MARKER) || WITHOUT == 3; /* is_at(stale, aside) */
        if
        :: good ->
            d_step { remove_aside(me, OPEN(me, DONE)); good = false; settle() }
            good = path == OPEN(me, MINE) || WITHOUT == 3; /* is_at(draft, path) */
            if
            :: good -> good = false; sweeps = true; goto taken
            :: else
            fi
        :: else -> d_step { swap(me, good); good = false }
        fi;
#endif

give_up:
        good = aside[OPEN(me, DONE)] == 0 || aside[OPEN(me, DONE)] == OPEN(me, MINE); /* remove_draft() */
        if
        :: good -> d_step { remove_aside(me, OPEN(me, DONE)); good = false; settle() }
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
        d_step { close(me, MARKER); OPEN(me, DONE) = 0; OPEN(me, LEFT) = 0; stale = false; good = false; settle() }
        goto again;

taken: /* keep() */
        skip;
        d_step { close(me, MARKER); OPEN(me, DONE) = 0; good = false; holds[me] = true; settle() }
        if
        :: sweeps -> sweeps = false; sweep(me)
        :: else
        fi;
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
    d_step { over[me] = true; ended++; stale = false; good = false; sweeps = false; id = 0; die(me) }
    if
    :: me == LAST ->
        d_step {
            assert(path == 0);
            i = 0;
#if defined(NAMED) || !(defined(NO_FLOCK) || defined(DISPLACE) || defined(FOREIGN) || defined(OPERATOR))
            do
            :: i < ALL -> assert(draft[i] == 0); i++ /* nothing is left of the dead */
            :: else -> break
            od;
            i = 1;
            do
            :: i <= FILES -> assert(aside[i] == 0); i++
            :: else -> break
            od;
            i = 0
#endif
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

#define CAN_DIE(p) (!dead[p] && !over[p] && IN_TURN(p))

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

/* What names the dead is broken by the rules for taking over, and then released. */
inline break_stale(p, good, stale)
{
    OPEN(p, DONE) = OPEN(p, MARKER);
    do
    :: publish(p, aside[OPEN(p, DONE)], good);
        if
        :: good -> good = false; break
        :: else
        fi;
        d_step { OPEN(p, LEFT) = aside[OPEN(p, DONE)]; settle() }
        d_step { judge(p, LEFT, stale) }
        if
        :: OPEN(p, LEFT) == 0 || OPEN(p, LEFT) == OPEN(p, MARKER) -> goto gone
        :: OPEN(p, LEFT) != 0 && OPEN(p, LEFT) != OPEN(p, MARKER) && !stale ->
            d_step { OPEN(p, DONE) = OPEN(p, MARKER); OPEN(p, LEFT) = 0; settle() } /* he is waited for */
        :: stale && OPEN(p, LEFT) != OPEN(p, MARKER) ->
            if
            :: aside[OPEN(p, DONE)] != OPEN(p, LEFT) -> goto gone
            :: else
            fi;
            d_step { OPEN(p, DONE) = OPEN(p, LEFT); OPEN(p, LEFT) = 0; stale = false; settle() }
        fi
    od;
    if
    :: path == OPEN(p, MARKER) ->
#ifdef DISPLACE
        d_step { good = path != 0; if :: good -> aside[OPEN(p, DONE)] = path; path = 0 :: else fi; settle() }
#else
        d_step { swap(p, good) }
#endif
        if
        :: good && aside[OPEN(p, DONE)] == OPEN(p, MARKER) -> d_step { aside[OPEN(p, DONE)] = 0; settle() }
        :: good && aside[OPEN(p, DONE)] != OPEN(p, MARKER) ->
#ifdef DISPLACE
            d_step { if :: path == 0 -> path = aside[OPEN(p, DONE)] :: else fi; settle() }
            d_step { aside[OPEN(p, DONE)] = 0; settle() }
#else
            d_step { swap(p, good) }
#endif
        :: else
        fi
    :: else
    fi;
    if
    :: aside[OPEN(p, DONE)] == OPEN(p, MINE) -> d_step { aside[OPEN(p, DONE)] = 0; settle() }
    :: else
    fi;
    if
    :: path == OPEN(p, MINE) -> d_step { path = 0; settle() }
    :: else
    fi;
gone:
    skip
}

proctype operator()
{
    bool good = false, stale = false;

    if
    :: BREAKS(0)
    :: BREAKS(1)
#if PROCS > 2
    :: BREAKS(2)
#endif
    :: d_step { path != 0 && owner[path] == DEAD -> OPEN(OPERATES, MARKER) = path; settle() }
#if WITHOUT == 9
        d_step { path = 0; settle() }
#else
        break_stale(OPERATES, good, stale);
#endif
    :: true /* it is gone already */
    fi;
    d_step { stale = false; good = false; close(OPERATES, MINE); die(OPERATES) }
    sweep(OPERATES);
    operated = true
}

init {
    atomic {
        if
        :: path = 1; owner[1] = DEAD
        :: true
        fi;
        if
        :: path == 1 -> aside[1] = 2; owner[2] = DEAD /* by a breaker before its swap */
        :: true
        fi;
#if PROCS < 3 && !defined(OPERATOR)
        if
        :: path == 1 -> aside[3] = 3; owner[3] = DEAD /* and after it: the one before the one at the path */
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
#else
        operated = true;
#endif
        run killer()
    }
}
