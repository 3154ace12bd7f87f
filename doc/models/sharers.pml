/* SPDX-License-Identifier: MIT
 *
 * A model of leaving a soft lock that was shared by fork: lib/soft/leave_posix.c, lib/owner/sharing_posix.c.  README.md
 * says how it is run and what it leaves out; ../soft.md ("Fork") says why it should hold.
 *
 * The first process holds the lock.  A holder may fork, or leave.  All holders have the same open file, so the lock on
 * the marker lasts as long as any of them has it open.  An heir is a holder that a leaving process can name.  A step is
 * one look at another process, or one system call on the marker.
 *
 *   -DKILLS=N   N processes are killed, while they hold the lock and do nothing else
 *   -DANYWHERE  with KILLS: a process may be killed at any step
 * With -DWITHOUT=N a step is left out.  The checker must find a fault then:
 *   1  a leaving process does not look again at the process that it has named
 *   2  it does not look at the record again after it has closed the marker
 *   3  it does not ask whether it is the last
 *   4  it removes the marker even if the marker is locked
 *   5  if it finds no heir after it has closed the marker, it does not ask again whether it is the last
 */
#ifndef WITHOUT
#define WITHOUT 0
#endif
#ifndef KILLS
#define KILLS 0
#endif
#define PROCS 3
#define NOBODY 255

bool there = true;       /* the marker, at its path */
byte record;             /* the process that the marker names */
bool born[PROCS], dead[PROCS];
bool holds[PROCS];       /* has the open file that is shared */
bool rests[PROCS];       /* is not about to leave */
byte locker = NOBODY;    /* the process that has the marker locked by an open file of its own */
byte kills;
hidden byte i;
hidden byte any, all;

inline find_holder(but)
{
    i = 0;
    any = false;
    do
    :: i < PROCS -> any = any || (i != but && holds[i]); i++
    :: else -> break
    od
}

/*
 * Checks what must hold after a step.  The marker is there as long as a process holds.  When all processes are at rest:
 *   - if a process holds, the marker names a holder, or a process that was killed
 *   - if no process holds, the marker is gone, or names a process that was killed
 * With ANYWHERE the second part is not checked: a process that is killed while it leaves may have named another process
 * that left at that moment.
 */
inline settle()
{
    i = 0;
    all = true;
    any = false;
    do
    :: i < PROCS -> all = all && (!born[i] || rests[i]); any = any || holds[i]; i++
    :: else -> break
    od;
    assert(there || !any);
#ifndef ANYWHERE
    assert(!all || any || !there || dead[record]);
    assert(!all || !any || holds[record] || dead[record]);
#endif
    i = 0
}

/* flk_sharing_name_holder().  Sets heir to self: the marker names another holder; or to NOBODY: there is none. */
inline name_heir()
{
    do
    :: d_step { named = record };
       if
       :: d_step { named != self && !dead[named] && holds[named] -> named = 0; heir = self }; break
       :: else -> named = 0
       fi;
       atomic {
           find_holder(self);
           heir = NOBODY;
           if
           :: any ->
               if
               :: self != 0 && holds[0] -> heir = 0
               :: self != 1 && holds[1] -> heir = 1
               :: self != 2 && holds[2] -> heir = 2
               fi
           :: else
           fi;
           i = 0
       };
       if
       :: heir == NOBODY -> break
       :: else -> atomic { record = heir; settle() }
       fi;
       if
       :: WITHOUT == 1 -> heir = self; break
       :: else
       fi
    od
}

proctype sharer(byte self)
{
    byte named, heir, child;

    {
    do
    :: atomic {
           child = 1;
           do
           :: child < PROCS && born[child] -> child++
           :: else -> break
           od;
           if
           :: child < PROCS ->
               /* fork(2) does not return before the child is named */
               born[child] = true;
               holds[child] = true;
               rests[child] = true;
               record = child;
               run sharer(child);
               child = 0;
               settle()
           :: else -> child = 0; break
           fi
       }
    :: break
    od;
    /* flk_marker_release_shared() */
    atomic { rests[self] = false; settle() };
    name_heir();
    atomic { heir = 0; holds[self] = false; settle() };
    do
    :: atomic {
           find_holder(NOBODY);
           if
           :: WITHOUT != 3 && (WITHOUT == 4 || !any) && locker == NOBODY -> locker = self
           :: else
           fi;
           settle()
       };
       if
       :: locker == self ->
           atomic { there = false; settle() };
           atomic { locker = NOBODY; settle() };
           break
       :: locker != self && WITHOUT == 2 -> break
       :: locker != self && WITHOUT != 2 ->
           name_heir();
           if
           :: heir == self || WITHOUT == 5 -> heir = 0; break
           :: heir == NOBODY && WITHOUT != 5 && WITHOUT != 3 -> heir = 0
           :: heir == NOBODY && WITHOUT == 3 -> break
           fi
       fi
    od;
    atomic { rests[self] = true; settle() }
    } unless { dead[self] }
}

/* kill -9 of processes that hold or leave: of no others would it change anything */
active proctype killer()
{
    byte whom;

    do
    :: kills < KILLS ->
        atomic {
            if
            :: whom = 0
            :: whom = 1
            :: whom = 2
            fi;
            if
#ifdef ANYWHERE
            :: !dead[whom] && (holds[whom] || !rests[whom]) && born[whom] ->
#else
            :: !dead[whom] && holds[whom] && rests[whom] ->
#endif
                kills++;
                dead[whom] = true;
                holds[whom] = false;
                rests[whom] = true;
                if
                :: locker == whom -> locker = NOBODY
                :: else
                fi;
                settle()
            :: else
            fi;
            whom = 0
        }
    :: break
    od
}

init
{
    atomic {
        born[0] = true;
        holds[0] = true;
        rests[0] = true;
        run sharer(0)
    }
}
