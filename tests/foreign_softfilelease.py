# SPDX-License-Identifier: MIT
#
# foreign_softfilelease.py - a program that locks as Python's SoftFileLease does, by the rules of protocol 2, written
# anew here.
#
# "lease PATH SECONDS".  Commands, each on a line: "acquire SECONDS", "check", "release".  Answers "0", "timeout", "lost"
# or "error ...".
import os
import random
import re
import sys
import threading
import time

sys.dont_write_bytecode = True  # the source directory stays as it is

from foreign_softfilelock import host, token  # noqa: E402

RECORD = re.compile(
    r"filelock/2\npid=([1-9][0-9]*)\nhost=([!-~]{1,253})\nmode=lease\ntoken=([0-9a-f]{32})\n"
    r"duration=([0-9]+(?:\.[0-9]+)?(?:e[+-][0-9]+)?)\n(?:start=([0-9]+)\n)?"
)


class Lease:
    def __init__(self, path, duration):
        self.path = path
        self.duration = float(duration)
        self.mutex = threading.Lock()
        self.fd = self.lost = self.suspect = None
        threading.Thread(target=self.renew, daemon=True).start()

    # ---- The holder

    def record(self):
        return "filelock/2\npid=%d\nhost=%s\nmode=lease\ntoken=%032x\nduration=%r\nstart=%d\n" % (
            os.getpid(),
            host(),
            random.getrandbits(128),
            self.duration,
            token(os.getpid()),
        )

    def is_own(self):
        status, own = os.lstat(self.path), os.fstat(self.fd)
        return (status.st_dev, status.st_ino) == (own.st_dev, own.st_ino)

    def renew_once(self):
        absent = self.absent
        self.absent = False
        try:
            if not self.is_own():
                self.lost = "taken over"
                return
            os.utime(self.fd)
        except FileNotFoundError:
            self.absent = True
            if absent:
                self.lost = "removed"
            return
        self.renewed = time.clock_gettime(time.CLOCK_BOOTTIME)

    def renew(self):
        while True:
            time.sleep(self.duration / 3)
            with self.mutex:
                if self.fd is not None and not self.lost:
                    self.renew_once()

    def check(self):
        with self.mutex:
            late = time.clock_gettime(time.CLOCK_BOOTTIME) - self.renewed > self.duration
            return "lost" if self.lost or late else "0"

    def release(self):
        with self.mutex:
            try:
                if self.is_own():
                    os.unlink(self.path)
            except FileNotFoundError:
                pass
            os.close(self.fd)
            self.fd = None
        return "0"

    # ---- The contender

    def try_once(self):
        try:
            fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW)
        except FileExistsError:
            self.judge()
            return False
        os.write(fd, self.record().encode())
        with self.mutex:
            self.lost, self.absent, self.renewed, self.fd = None, False, time.clock_gettime(time.CLOCK_BOOTTIME), fd
        return True

    def is_dead(self, record):
        pid, there, _, _, start = record.groups()
        if there != host():
            return False
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return True
        return start is not None and token(int(pid)) not in (None, int(start))

    def judge(self):
        try:
            with open(os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb", buffering=0) as marker:
                text, status = marker.read(1025).decode(), os.fstat(marker.fileno())
        except OSError:
            return
        record = RECORD.fullmatch(text)
        if not record:
            raise ValueError("no record of a lease: %r" % text)
        if float(record.group(4)) != self.duration:
            raise ValueError("another duration: %s" % record.group(4))
        seen, now = (status.st_mtime_ns, status.st_ino), time.monotonic()
        if self.suspect is None or self.suspect[0] != seen:
            self.suspect = seen, now
        if self.is_dead(record) or now - self.suspect[1] > self.duration:
            self.move_aside((status.st_dev, status.st_ino))

    def move_aside(self, found):
        aside = "%s.break.%d.%032x" % (self.path, os.getpid(), random.getrandbits(128))
        try:
            os.rename(self.path, aside)
        except OSError:
            return
        status = os.lstat(aside)
        if (status.st_dev, status.st_ino) != found:
            os.link(aside, self.path)
        os.unlink(aside)

    def acquire(self, seconds):
        end = time.monotonic() + float(seconds)
        self.suspect = None
        while not self.try_once():
            if time.monotonic() >= end:
                return "timeout"
            time.sleep(0.02)
        return "0"


def serve(lease):
    print("ready", flush=True)
    for line in sys.stdin:
        words = line.split()
        try:
            answer = getattr(lease, words[0])(*words[1:])
        except Exception as error:  # the test prints any error
            answer = "error %r" % (error,)
        print(answer, flush=True)


if __name__ == "__main__":
    serve(Lease(sys.argv[2], sys.argv[3]))
