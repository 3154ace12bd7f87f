/* SPDX-License-Identifier: MIT
 *
 * A model of operating-system locks on a path: lib/os/os_lock.c.  README.md says how it is run; ../os-lock.md says why
 * it should hold.
 *
 * Three processes lock a file and release it, as often as they like, with FILELOCK_UNLINK or without.  Their handles
 * keep the file open between acquires.  Each process may be killed between any two system calls, and an intruder may
 * delete or replace the file.  When all have ended, a last process comes: it must get the lock.
 *
 * A step is one system call; a comment says which function of the library it stands for.  A file is a number.  The
 * number is used again as soon as the file has no name and is not open, as inode numbers are.
 *
 *   -DREADERS   the lock may be shared
 *   -DINTRUDER  another program deletes the lock file, or puts another file in its place, once
 * With -DWITHOUT=N a step is left out.  The checker must find a fault then:
 *   1  an acquire does not look at the path again after it has locked the file
 *   2  a release removes the file after the unlock, not before
 *   3  a release removes the file without asking whether another process holds it
 */
#ifndef WITHOUT
#define WITHOUT 0
#endif
#ifndef PROCS
#define PROCS 3
#endif
#define LAST PROCS
#define ALL (PROCS + 1)
#define FILES (ALL + 2)

byte path;             /* the file that the lock path names; 0: none */
bool there[FILES + 1]; /* the file has a name, or a process has it open */
byte fd[ALL];          /* what a process has open; 0: nothing */
byte lock[ALL];        /* its lock on that file: 0 none, 1 shared, 2 exclusive */
bool holds[ALL];
bool told[ALL];        /* filelock_check() would say -ESTALE: the holder's file was deleted or replaced */
bool dead[ALL];
byte ended;
hidden byte i, j, used;

inline settle()
{
    i = 1;
    do
    :: i <= FILES ->
        used = path == i;
        j = 0;
        do
        :: j < ALL -> used = used || fd[j] == i; j++
        :: else -> break
        od;
        there[i] = used;
        i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < ALL ->
        assert(!holds[i] || told[i] || path == fd[i]); /* a lock counts while the path names its file */
        j = i + 1;
        do
        :: j < ALL ->
            assert(!holds[i] || !holds[j] || told[i] || told[j] || (lock[i] == 1 && lock[j] == 1));
            j++
        :: else -> break
        od;
        i++
    :: else -> break
    od;
    i = 0;
    j = 0
}

/* Makes a new file at the path. */
inline make()
{
    i = 1;
    do
    :: there[i] -> i++; assert(i <= FILES)
    :: else -> break
    od;
    path = i;
    i = 0
}

/* True if process p can lock its file in this mode: no other process has a lock on the file that excludes the mode. */
#define FREE_OF(p, mode, q) \
    (p == q || fd[q] != fd[p] || lock[q] == 0 || (mode == 1 && lock[q] == 1))
#define FREE(p, mode) \
    (FREE_OF(p, mode, 0) && FREE_OF(p, mode, 1) && FREE_OF(p, mode, 2) && FREE_OF(p, mode, LAST))

/* Notes that every holder loses the path now, and that filelock_check() says so. */
inline lose()
{
    i = 0;
    do
    :: i < ALL -> told[i] = holds[i]; i++
    :: else -> break
    od;
    i = 0
}

/* Notes the same of a removal: the remover may have looked at the path before the intruder replaced the file. */
inline lose_late()
{
#ifdef INTRUDER
    lose()
#else
    skip
#endif
}

proctype process(byte me)
{
    byte mode = 0;
    bool unlinks = false, named = false;

    me != LAST || ended == PROCS;
    {
    do
    :: me != LAST && ended == me -> break /* leaves; processes are alike, so they may end in their order */
    :: true ->
        atomic {
            if
            :: mode = 2
#ifdef READERS
            :: mode = 1
#endif
            fi;
            if
            :: unlinks = false
            :: unlinks = true
            fi;
            if
            :: d_step { fd[me] != 0 -> fd[me] = 0; settle() } /* a new handle */
            :: true
            fi
        }
restart: /* take(): flk_os_file_have() */
        if
        :: fd[me] == 0 -> d_step { if :: path == 0 -> make() :: else fi; fd[me] = path; settle() }
        :: else
        fi;
        /* lock_open(): the backend's wait() waits in the kernel; or its try() finds the file locked, and gives up */
        if
        :: d_step { FREE(me, mode) -> lock[me] = mode }
        :: me != LAST && !FREE(me, mode) -> goto again
        fi;
#if WITHOUT == 1
        named = true;
#else
        named = path == fd[me]; /* flk_os_file_is_named() */
#endif
        if
        :: !named -> /* prove(): unlocks, flk_os_file_forget() */
            d_step { lock[me] = 0; fd[me] = 0; settle() }
            goto restart
        :: else
        fi;
        d_step { told[me] = path != fd[me] && WITHOUT != 1; holds[me] = true; settle() }

        /* flk_os_lock_release(): remove_if_sole().  The attempt to make a shared lock exclusive gives it up first. */
        d_step { holds[me] = false; told[me] = false }
#if WITHOUT == 2
        lock[me] = 0;
#endif
        named = false;
        if
        :: unlinks ->
#if WITHOUT != 2
            if
            :: lock[me] == 1 && WITHOUT != 3 ->
                lock[me] = 0;
                d_step { if :: FREE(me, 2) -> lock[me] = 2 :: else fi }
            :: else
            fi;
#endif
            named = (lock[me] == 2 || WITHOUT == 2 || WITHOUT == 3) && path == fd[me]; /* flk_file_remove_same() */
            if
            :: named -> d_step { lose_late(); path = 0; settle() } /* it unlinks */
            :: else
            fi
        :: else
        fi;
        d_step { lock[me] = 0; if :: named -> fd[me] = 0; settle() :: else fi } /* unlocks, flk_os_file_forget() */
        if
        :: me == LAST -> break
        :: else
        fi;
again:
        skip;
        d_step { named = false; unlinks = false; mode = 0 }
    od
    } unless { dead[me] };
    skip;
    d_step { fd[me] = 0; lock[me] = 0; mode = 0; unlinks = false; named = false; ended++; settle() }
}

/* kill -9: the kernel closes what is open, and so unlocks it. */
#define KILL(p) \
    d_step { !dead[p] && ended == p -> dead[p] = true; holds[p] = false; fd[p] = 0; lock[p] = 0; settle() }

proctype killer()
{
    do
    :: KILL(0)
    :: KILL(1)
#if PROCS > 2
    :: KILL(2)
#endif
    :: ended >= PROCS -> break
    od
}

proctype intruder()
{
    if
    :: d_step { path != 0 -> lose(); path = 0; settle() }
    :: d_step { path != 0 -> lose(); make(); settle() }
    :: ended >= PROCS
    fi
}

init {
    atomic {
        if
        :: path = 1; there[1] = true
        :: true
        fi;
        run process(0);
        run process(1);
#if PROCS > 2
        run process(2);
#endif
        run process(LAST);
#ifdef INTRUDER
        run intruder();
#endif
        run killer()
    }
}
