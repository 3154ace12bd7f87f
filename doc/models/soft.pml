/* SPDX-License-Identifier: MIT
 *
 * A model of soft locks: lib/soft/soft.c, stale.c, takeover_posix.c and marker_posix.c.  README.md says how it is run
 * and what it leaves out; ../soft.md says why it should hold.
 *
 * Three processes take and release one lock, as often as they like, by new or used handles.  At the start the path has
 * whatever earlier crashes can leave there.  Each process may be killed between any two system calls.  When all have
 * ended, a last process comes: it must get the lock at once, and then nothing may be left of any process.
 *
 * A step is one system call; a comment says which function of the library it stands for.  A file is a number.  The
 * number is used again as soon as the file has no name and is not open, as inode numbers are.
 *
 * What the system lacks; without these macros it has O_TMPFILE, flock(2) and RENAME_EXCHANGE:
 *   -DNAMED     no O_TMPFILE: a marker is written under a private name and linked
 *   -DDISPLACE  no RENAME_EXCHANGE
 *   -DNO_FLOCK  no flock(2)
 * What else goes on:
 *   -DSHARED    a child that shared the lock may have put its name on the marker, and ended
 *   -DOPERATOR  an operator calls filelock_break(), maybe while the lock is held
 *   -DFOREIGN   the last process but one is Python's filelock, which breaks by rename(2), without locks
 *   -DKEEPS     with FOREIGN: Python does not put back what it has moved away by mistake
 * With -DWITHOUT=N a step is left out.  The checker must find a fault then:
 *   1  a breaker does not lock the stale marker
 *   2  it does not look at the marker again, neither after locking it nor after publishing the draft
 *   3  it does not look at what the swap has put aside
 *   4  it does not see whether a dead breaker's draft is still there
 *   5  it does not go on to the break name of a dead breaker's draft
 *   6  a release removes whatever is at the path
 *   7  no process sweeps
 *   8  a sweep removes every file aside
 *   9  filelock_break() removes a stale marker without regard to breakers
 *  10  an acquire does not wait for a late breaker of other rules
 *  11  it does not look at the path after that wait
 *  12  a marker that is given up, and that such a breaker may move about, is not disowned
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
 * Files that a process has open, or whose number it remembers.  A remembered number stands for everything that the
 * break name of the file is made of: no other file ever has the same.
 */
#define MARKER 0 /* what was found at the path */
#define MINE 1   /* the process's own draft, then its own marker */
#define DONE 2   /* the stale file whose break name the process's draft has */
#define LEFT 3   /* the file that was found under that name */
#define LISTED 4 /* in a sweep, the file whose break name was listed */
#define SLOTS 5
#define OPEN(p, what) open[(p) * SLOTS + (what)]
#define LOCKER(p, what) ((p) * SLOTS + (what) + 1)
#define DEAD 255

byte path;              /* the file that the lock path names; 0: none */
byte aside[FILES + 1];  /* the file named PATH.break.HASH, by the file that the hash is made of */
byte draft[ALL];        /* with NAMED: the file named PATH.new.HOST.PID.NUMBER */
byte away[ALL];         /* the file under Python's private name */
byte owner[FILES + 1];  /* the process that the record names, from 1; DEAD; or 0: there is no such file */
byte locker[FILES + 1]; /* the open file that has it locked by flock(2), or 0 */
byte open[ALL * SLOTS];
bool dead[ALL], over[ALL], operated;
bool looking; /* Python has read a marker, and not yet judged it alive, or moved away what the path names */
#ifdef FOREIGN
#define PYTHON (PROCS - 1)
#define IS_LATE (looking && !dead[PYTHON] && !over[PYTHON])
#else
#define PYTHON ALL
#endif
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

/* Runs after each step that matters: frees the files that are not used, and checks what must hold. */
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
        /* A lock that is held has its marker at the path. */
        assert(!holds[i] || path == OPEN(i, MINE) || i == PYTHON);
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

/* Makes a new file, written and locked.  No other process knows of it yet. */
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

/* flk_marker_lock().  False: another open file has it locked. */
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

/* Removes a name.  The file must be the process's own, or a dead owner's. */
inline remove(p, name)
{
#if !defined(FOREIGN) && !defined(SHARED)
    assert(name == 0 || owner[name] == DEAD || owner[name] == p + 1);
#endif
    name = 0
}

/*
 * Removes a break name, with the same check where it holds.  Else a late breaker may lose its draft, and starts
 * again.
 */
inline remove_aside(p, key)
{
#if !defined(NO_FLOCK) && !defined(FOREIGN) && !defined(OPERATOR)
    assert(aside[key] == 0 || owner[aside[key]] == DEAD || owner[aside[key]] == p + 1);
#endif
    aside[key] = 0
}

/* ---- Functions of the library ---------------------------------------------------------------- */

/* judge() in stale.c, of an open file: true if it is stale */
inline judge(p, what, answer)
{
    answer = OPEN(p, what) != 0 && owner[OPEN(p, what)] == DEAD
}

/* Goes to the next break name that the directory lists. */
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

/* Removes a listed file.  A late breaker may lose its draft, and starts again.  A holder must not lose its marker. */
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
 * flk_marker_sweep().  A private name tells its maker, and is removed only if that process is dead.  A break name is in
 * no breaker's use if, after it was listed, the path names the sweeper's own marker or none.
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
#ifdef FOREIGN
        if /* moved_for_good() */
        :: away[PYTHON] != 0 && (dead[PYTHON] || over[PYTHON]) && owner[away[PYTHON]] == DEAD -> away[PYTHON] = 0
        :: else
        fi;
#endif
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

/* flk_marker_publish().  False: the name is taken. */
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

/* release_own(): flk_file_remove_same(), close_marker() */
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

/* release_shared(): a process that can lock the marker, once its own copy is closed, was the last */
inline release_shared(p, id, good)
{
    d_step { id = OPEN(p, MINE); close(p, MINE); settle() }
    d_step { OPEN(p, MARKER) = path; settle() }
    if
    :: id != 0 && OPEN(p, MARKER) == id ->
        d_step { lock(p, MARKER, good) }
        good = good && path == id; /* flk_file_remove_same() */
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

/* flk_marker_sweep(): removes the process's own marker or draft from where Python has moved it */
inline sweep_away(p)
{
    d_step { if :: away[PYTHON] == OPEN(p, MINE) -> away[PYTHON] = 0 :: else fi; settle() }
}

/* discard_draft(): a process that finds the file under any name takes it for a dead owner's */
inline drop(p)
{
    d_step {
#if defined(FOREIGN) && WITHOUT != 12
        if
        :: OPEN(p, MINE) != 0 -> owner[OPEN(p, MINE)] = DEAD
        :: else
        fi;
#endif
        close(p, MINE);
        settle()
    }
}

/*
 * flk_marker_outlast().  False: the marker is lost.  Time is not modelled: the wait lasts until the breaker has judged
 * the marker alive, or moved away what the path names.
 */
inline outlast(p, good)
{
#if WITHOUT != 10
    !IS_LATE;
#endif
#if WITHOUT == 11
    good = true
#else
    good = path == OPEN(p, MINE); /* is_moved() */
    if
    :: good
    :: else ->
        sweep_away(p);
        good = path == OPEN(p, MINE)
    fi
#endif
}

/* ---- Processes ------------------------------------------------------------------------------- */

/* Ends a process: the kernel closes what it has open, and markers that name it name a dead process from now on. */
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

/* Processes are alike: it is enough to let them end in their order. */
#ifdef FOREIGN
#define IN_TURN(p) true
#else
#define IN_TURN(p) (ended == p)
#endif

proctype process(byte me)
{
    bool stale = false, good = false, sweeps = false, seen = false;
    byte looks = 0, id = 0;

    me != LAST || (ended == PROCS && operated);
    {
    do
    :: me != LAST && IN_TURN(me) -> break /* leaves */
    :: true -> /* acquire_marker() */
        if
        :: me == LAST -> looks++; assert(looks <= 5) /* nothing keeps the last process from the lock */
        :: else
        fi;
        publish(me, path, good); /* try_once() */
#ifdef NAMED
        sweeps = true;
#endif
        if
        :: good -> goto taken
        :: else -> sweeps = false
        fi;

        d_step { OPEN(me, MARKER) = path; settle() } /* examine_existing(): look() */
#ifdef FOREIGN
        assert(OPEN(me, MARKER) == 0 || owner[OPEN(me, MARKER)] != me + 1); /* no process waits for itself */
#endif
        d_step { judge(me, MARKER, stale) }
        if
        :: !stale -> goto leave
        :: else -> stale = false; seen = true
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

        /* take_place(): goes to where the chain of dead breakers ends */
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
        :: !stale -> goto leave /* it is gone, or was swapped in, or a breaker is at work */
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
        :: path != OPEN(me, MARKER) -> goto give_up /* swap_in_draft(): unchanged() */
        :: else
        fi;
#endif
        if
        :: me != LAST -> goto give_up /* an error */
        :: true
        fi;
#ifdef DISPLACE
        d_step { /* move_stale_away() */
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
        good = aside[OPEN(me, DONE)] == OPEN(me, MARKER) || WITHOUT == 3; /* is_at(marker, break_name) */
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
        good = aside[OPEN(me, DONE)] == 0 || aside[OPEN(me, DONE)] == OPEN(me, MINE); /* give_up(), takeover_posix.c */
        if
        :: good -> d_step { remove_aside(me, OPEN(me, DONE)); good = false; settle() }
        :: else
        fi;
        good = path == OPEN(me, MINE); /* is_at(draft, path) */
        if
        :: good -> d_step { remove(me, path); good = false; settle() }
        :: else
#ifdef FOREIGN
            -> sweep_away(me)
#endif
        fi;
        drop(me);
leave:
        skip;
        d_step { close(me, MARKER); OPEN(me, DONE) = 0; OPEN(me, LEFT) = 0; stale = false; good = false; settle() }
        goto again;

taken: /* adopt_or_discard(), acquire_to_keep() */
        skip;
#ifdef FOREIGN
        if
        :: seen ->
            outlast(me, good);
            if
            :: good -> good = false
            :: else -> sweeps = false; drop(me); goto leave /* give_up(), soft.c */
            fi
        :: else
        fi;
        seen = false;
#endif
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
    d_step { over[me] = true; ended++; stale = false; good = false; sweeps = false; seen = false; id = 0; die(me) }
    if
    :: me == LAST ->
        d_step {
            assert(path == 0);
            i = 0;
#if defined(NAMED) || !(defined(NO_FLOCK) || defined(DISPLACE) || defined(FOREIGN) || defined(OPERATOR))
            do
            :: i < ALL -> assert(draft[i] == 0); i++ /* dead processes have left nothing */
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

/* Python's filelock, as far as it matters here.  It takes care of its private names itself. */
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
            d_step { OPEN(me, MARKER) = path; looking = true }
            d_step { judge(me, MARKER, stale) }
            if
            :: stale ->
                d_step { looking = false; if :: path != 0 -> away[me] = path; path = 0 :: else fi; settle() }
                if
                :: away[me] != 0 && away[me] != OPEN(me, MARKER) ->
#ifdef KEEPS
                    goto moved
#else
                    d_step { if :: path == 0 -> path = away[me] :: else fi; settle() }
#endif
                :: else
                fi;
                d_step { away[me] = 0; settle() }
            :: else
            fi;
moved:
            looking = false;
            d_step { close(me, MARKER); stale = false; settle() }
        fi
    od
    } unless { dead[me] };
    skip;
    d_step { over[me] = true; ended++; stale = false; good = false; looking = false; die(me) }
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

/* filelock_break(): filelock_check() tells the holder, which does not count as a holder any more. */
#define BREAKS(p) d_step { holds[p] -> holds[p] = false; path = 0; settle() }

/* filelock_break() of a dead owner's marker: takes over by the rules for that, and releases. */
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
            d_step { OPEN(p, DONE) = OPEN(p, MARKER); OPEN(p, LEFT) = 0; settle() } /* waits for that breaker */
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
    :: true /* the marker is gone already */
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
        :: path == 1 -> aside[1] = 2; owner[2] = DEAD /* the draft of a breaker that was killed before its swap */
        :: true
        fi;
#if PROCS < 3 && !defined(OPERATOR)
        if
        :: path == 1 -> aside[3] = 3; owner[3] = DEAD /* an older marker, left by a breaker after its swap */
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
