# SPDX-License-Identifier: MIT
#
# foreign_softfilelock.py - programs that lock as Python's SoftFileLock does.
#
# "filelock PATH": uses the filelock that is installed.  Commands, each on a line: "acquire SECONDS" (-1: for ever),
# "release".  Answers "0", "timeout" or "error ...".
#
# "storm PATH WITNESS STOP N": uses the rules of protocol 1, written anew here.  It acquires, looks at the witness, and
# releases, until the file STOP is there.  It takes over from the dead by moving their marker aside.  The witness
# consists of numbers of 64 bits: the holder, a count of overlaps, a count of takeovers, and a count of mistakes for
# each of these programs.  This program is the Nth.  A mistake is a marker of a live process that is moved aside, and
# back.
import contextlib
import errno
import mmap
import os
import random
import socket
import struct
import sys
import time


def serve(path):
    from filelock import SoftFileLock, Timeout

    lock = SoftFileLock(path)
    print("ready", flush=True)
    for line in sys.stdin:
        words = line.split()
        try:
            if words[0] == "acquire":
                lock.acquire(timeout=float(words[1]))
            else:
                lock.release()
            answer = "0"
        except Timeout:
            answer = "timeout"
        except Exception as error:  # the test prints any error
            answer = "error %r" % (error,)
        print(answer, flush=True)


# ---- Protocol 1 -------------------------------------------------------------------------------------


def host():
    letters = socket.gethostname()
    name = "".join(c if 0x21 <= ord(c) <= 0x7E and c != "?" else "?%02x" % ord(c) for c in letters)
    inode = os.stat("/proc/self/ns/pid").st_ino
    return (name or "?") + ("" if inode == 0xEFFFFFFC else "?pidns-%x" % inode)


def token(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            start = int(file.read().rpartition(")")[2].split()[19])
    except (OSError, IndexError):
        return None
    with open("/proc/sys/kernel/random/boot_id") as file:
        return int(file.read().strip().replace("-", ""), 16) << 64 | start


def state(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return None


def runs(pid):
    return state(pid) not in (None, "Z", "X")


def is_dead(text):
    lines = text.split("\n")
    if len(lines) not in (3, 4) or lines[-1] or not lines[0].isdigit() or lines[1] != host():
        return False
    pid = int(lines[0])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return len(lines) == 4 and token(pid) not in (None, int(lines[2]))


def identity(path):
    status = os.lstat(path)
    return status.st_dev, status.st_ino


class Storm:
    def __init__(self, path, witness, number):
        self.path = path
        self.mistakes = 3 + number
        with open(witness, "r+b") as file:
            self.witness = mmap.mmap(file.fileno(), 0)

    def get(self, slot):
        return struct.unpack_from("q", self.witness, 8 * slot)[0]

    def put(self, slot, value):
        struct.pack_into("q", self.witness, 8 * slot, value)

    def count_mistake(self, by):
        self.put(self.mistakes, self.get(self.mistakes) + by)

    def move_aside(self, found):
        aside = "%s.break.%d.%032x" % (self.path, os.getpid(), random.getrandbits(128))
        self.count_mistake(1)  # until it turns out to be none: this program may be killed before that
        try:
            os.rename(self.path, aside)
        except OSError:
            self.count_mistake(-1)
            return
        try:
            if identity(aside) == found:
                self.count_mistake(-1)
            else:
                with contextlib.suppress(FileExistsError):
                    os.link(aside, self.path)
            os.unlink(aside)
        except FileNotFoundError:
            pass  # libfilelock removes its own marker that was moved aside

    def take_from_the_dead(self):
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return
        # Stays open until all is done: otherwise the file's number could be that of another process's new marker.
        with open(fd, "rb", buffering=0) as marker:
            status = os.fstat(fd)
            if is_dead(marker.read(1025).decode()):
                self.move_aside((status.st_dev, status.st_ino))

    def try_once(self):
        record = "%d\n%s\n%d\n" % (os.getpid(), host(), token(os.getpid()))
        try:
            fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise
            self.take_from_the_dead()
            return None
        os.write(fd, record.encode())
        return fd

    def hold(self, fd):
        before = self.get(0)
        if before:
            slot = 1 if runs(before) else 2
            self.put(slot, self.get(slot) + 1)
        self.put(0, os.getpid())
        time.sleep(random.random() * 0.001)
        if self.get(0) != os.getpid():
            self.put(1, self.get(1) + 1)
        self.put(0, 0)
        status = os.fstat(fd)
        try:
            if identity(self.path) == (status.st_dev, status.st_ino):
                os.unlink(self.path)
        except FileNotFoundError:
            pass
        os.close(fd)


def storm(path, witness, stop, number):
    here = Storm(path, witness, int(number))
    print("ready", flush=True)
    while not os.path.exists(stop):
        fd = here.try_once()
        if fd is not None:
            here.hold(fd)
        time.sleep(random.random() * 0.01)


if __name__ == "__main__":
    if sys.argv[1] == "storm":
        storm(*sys.argv[2:])
    else:
        serve(sys.argv[2])
