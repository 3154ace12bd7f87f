# SPDX-License-Identifier: MIT
#
# peer_python.py - the worker's side of the protocol in worker.h, for a class of Python's filelock
import random
import sys
import time

import filelock

KIND = getattr(filelock, sys.argv[1])
PATH = sys.argv[2]
now = time.monotonic_ns
lock = KIND(PATH)


def seconds(timeout_ms):
    return -1 if timeout_ms < 0 else timeout_ms / 1000


def sleep_until(at):
    left = at - now()
    if left > 0:
        time.sleep(left / 1e9)


def cycle(count, timeout):
    timeout = seconds(timeout)
    began = now()
    for _ in range(count):
        lock.acquire(timeout)
        lock.release()
    return [now() - began]


def hold():
    lock.acquire()
    return [0]


def release(after):
    time.sleep(after / 1e9)
    stamp = now()
    lock.release()
    return [stamp]


def wait(timeout):
    timeout = seconds(timeout)
    cpu = time.process_time_ns()
    began = now()
    lock.acquire(timeout)
    stamp = now()
    cpu = time.process_time_ns() - cpu
    lock.release()
    return [stamp, stamp - began, cpu]


def contend(start, end, hold_ns, pause, timeout, seed):
    timeout = seconds(timeout)
    pauses = random.Random(seed)
    count = worst = failed = 0
    sleep_until(start)
    cpu = time.process_time_ns()
    asked = now()
    while asked < end:
        try:
            lock.acquire(timeout)
            got = now()
            worst = max(worst, got - asked)
            count += got < end
            time.sleep(hold_ns / 1e9)
            lock.release()
            time.sleep(pauses.randrange(2 * pause) / 1e9)
        except filelock.Timeout:
            worst = max(worst, now() - asked)
            failed += 1
        asked = now()
    return [count, worst, time.process_time_ns() - cpu, failed]


def many(count, timeout):
    timeout = seconds(timeout)
    paths = [f"{PATH}.{number:05}" for number in range(count)]
    for path in paths:
        open(path, "w").close()
    locks = [KIND(path) for path in paths]
    began = now()
    for each in locks:
        each.acquire(timeout)
    between = now()
    for each in locks:
        each.release()
    ended = now()
    return [between - began, ended - between]


COMMANDS = {f.__name__: f for f in (cycle, hold, release, wait, contend, many)}
for line in sys.stdin:
    name, *numbers = line.split()
    print(*COMMANDS[name](*map(int, numbers)), flush=True)
