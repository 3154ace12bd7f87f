#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The witness of a torture of etcd's locks.

Keeps a number for each lock, which only the lock's holder may update.  Writers tell it when they called the library
and what it returned.  It knows nothing of the library, and judges by what was told alone:

 - lost updates: a number was written that was not read from the last one
 - overlaps that were not told: two say of the same moment that they held the lock, one of them not shared, and one of
   them was not told of its loss
 - tokens that are not greater than that of a grant that was over before the call, or that were granted twice

A key that the nemesis deletes is a loss that the holder may learn of when it renews its lease the next time.
"""
import collections
import json
import selectors
import socket
import struct
import sys

LEASE_NS = 2_000_000_000  # as the writers have it
KEPT = 500  # grants of a lock


class Grant:
    def __init__(self, token, called, returned):
        self.token, self.called, self.returned = token, called, returned
        self.claimed = None  # the last moment of which the holder has said that it held the lock
        self.told = self.shared = False


class Resource:
    def __init__(self):
        self.value = 0
        self.fence = 0  # the greatest token that was seen
        self.grants = {}
        self.deleted = []  # when keys were deleted: beginnings and ends
        self.old_token = self.old_returned = 0  # of the grants that are forgotten

    def forget(self):
        """Keeps the newest grants.  No pause is so long that an older one matters but for its token."""
        for token in sorted(self.grants)[:-KEPT]:
            old = self.grants.pop(token)
            self.old_token = max(self.old_token, token)
            self.old_returned = max(self.old_returned, old.returned)


class Witness:
    def __init__(self, path, fenced):
        self.fenced = fenced
        self.resources = collections.defaultdict(Resource)
        self.counts = collections.Counter()
        self.findings = []
        self.open = {}  # what each writer holds
        self.selector = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        self.listener.listen(64)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.running = True

    def run(self):
        while self.running:
            for key, _ in self.selector.select():
                if key.fileobj is self.listener:
                    self.selector.register(self.listener.accept()[0], selectors.EVENT_READ)
                else:
                    self.hear(key.fileobj)

    def hear(self, writer):
        try:
            text = writer.recv(1000)
            if text:
                writer.send(str(self.answer(writer, text.decode().split())).encode())
                return
        except ConnectionError:
            pass
        self.open.pop(writer, None)
        self.selector.unregister(writer)
        writer.close()

    @staticmethod
    def pid_of(writer):
        return struct.unpack("3i", writer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]

    def find(self, kind, text):
        self.counts[kind] += 1
        if len(self.findings) < 20:
            self.findings.append(f"{kind}: {text}")

    def answer(self, writer, words):
        if words[0] == "end":
            self.running = False
            return json.dumps({"counts": self.counts, "findings": self.findings})
        if words[0] == "holders":
            return json.dumps([self.pid_of(writer) for writer in self.open])
        if words[0] == "counts":
            return json.dumps({"counts": self.counts})
        name, token, first, second = map(int, words[1:])
        resource = self.resources[name]
        return getattr(self, "on_" + words[0])(writer, name, resource, token, first, second)

    def on_delete(self, _, name, resource, token, began, ended):
        resource.deleted.append((began, ended if ended else 1 << 62))
        if ended:
            resource.deleted.remove((began, 1 << 62))
        return 0

    def on_none(self, writer, name, resource, token, called, rc):
        self.counts["without"] += 1
        return 0

    def on_grant(self, writer, name, resource, token, called, returned):
        self.counts["grants"] += 1
        if token in resource.grants:
            self.find("tokens", f"resource {name}: token {token} was granted twice")
        for other in resource.grants.values():
            first, second = (other.token, token) if other.returned < called else (token, other.token)
            if (other.returned < called or returned < other.called) and first >= second:
                self.find("tokens", f"resource {name}: token {second} after {first}")
        if called > resource.old_returned and token <= resource.old_token:
            self.find("tokens", f"resource {name}: token {token} after {resource.old_token}")
        resource.grants[token] = self.open[writer] = Grant(token, called, returned)
        if len(resource.grants) > 2 * KEPT:
            resource.forget()
        return 0

    def on_share(self, writer, *words):
        self.on_grant(writer, *words)
        self.open[writer].shared = True
        self.counts["shared"] += 1
        return 0

    def excused(self, resource, grant, moment):
        return any(grant.called < end and moment < end + LEASE_NS for _, end in resource.deleted)

    def on_claim(self, writer, name, resource, token, moment, _):
        own = self.open[writer]
        own.claimed = moment
        self.compare(name, resource, own)
        return 0

    def compare(self, name, resource, own):
        """Looks whether another has said that it held the lock while this holder did."""
        for other in resource.grants.values():
            if other is own or other.claimed is None or (other.shared and own.shared):
                continue
            begin, end = max(own.returned, other.returned), min(own.claimed, other.claimed)
            if begin > end:
                continue
            earlier = own if own.token < other.token else other
            if self.excused(resource, earlier, end):
                self.counts["deleted"] += 1
            else:
                self.find("untold", f"resource {name}: {earlier.token} and its successor both held it for"
                          f" {(end - begin) / 1e6:.3f} ms")

    def on_read(self, writer, name, resource, token, *_):
        self.counts["reads"] += 1
        if self.fenced and token < resource.fence:
            self.counts["refused"] += 1
            return -1
        resource.fence = max(resource.fence, token)
        return resource.value

    def on_write(self, writer, name, resource, token, read, value):
        if self.fenced and token < resource.fence:
            self.counts["refused"] += 1
            return -1
        self.counts["writes"] += 1
        if read != resource.value:
            self.find("lost", f"resource {name}: {value} was written over {resource.value} with token {token}")
        resource.value = value
        return 0

    def on_release(self, writer, name, resource, token, began, rc):
        own = self.open.pop(writer)
        if rc == 0:
            own.claimed = began
            self.compare(name, resource, own)
            return 0
        own.told = True
        self.counts["told"] += 1
        # How many of these were overlaps: a successor was told that it has the lock before this one let go.
        if any(other.token > token and other.returned < began for other in resource.grants.values()):
            self.counts["overlaps"] += 1
        return 0


Witness(sys.argv[1], sys.argv[2] == "fenced").run()
