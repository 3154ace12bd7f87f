#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tortures locks of etcd for some time: ./dev torture-etcd MINUTES.

Runs three nodes, writers (writer.c), and a witness of what these say (witness.py).  Meanwhile it kills and pauses the
leader, cuts nodes off, drops and holds back answers, pauses and kills writers, deletes keys and compacts.

Nodes are cut off from each other by network namespaces where these are permitted.  Elsewhere proxies between the nodes
do it.  The writers reach each node through a proxy of its own, which can lose answers.  The last line that is printed
is the verdict.
"""
import argparse
import asyncio
import ctypes
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
NODES = 3
WRITERS = 6
NAMES = 3
MORE_SECONDS = 120
LATE_NS = 10_000_000_000
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG: nothing that was started here outlives the torture
LIBC = ctypes.CDLL(None)


def start(*command, **more):
    return subprocess.Popen([str(word) for word in command], **more,
                            preexec_fn=lambda: LIBC.prctl(DEATH_SIGNAL, signal.SIGKILL))


def boot_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# ---- Proxies -------------------------------------------------------------------------------------------------------


class Proxies:
    """The thread of all proxies."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def add(self, proxy):
        asyncio.run_coroutine_threadsafe(proxy.listen(), self.loop).result()


class Proxy:
    """Forwards connections to an address.  lossy: how many of the answers are dropped, with their connections."""

    def __init__(self, target):
        self.target, self.port, self.lossy, self.hanging = target, free_port(), 0.0, False
        self.dropped = 0

    async def listen(self):
        await asyncio.start_server(self.serve, "127.0.0.1", self.port)

    def is_cut(self, source):
        return self.hanging

    def loses(self, is_answer):
        return is_answer and random.random() < self.lossy

    async def serve(self, reader, writer):
        writers = [writer]
        try:
            first = await reader.read(65536)
            there, back = await asyncio.open_connection(*self.target)
            writers.append(back)
            source = first.partition(b"X-Server-From: ")[2][:16].partition(b"\r")[0].decode()
            back.write(first)
            await asyncio.wait([asyncio.ensure_future(self.pump(reader, back, source, False)),
                                asyncio.ensure_future(self.pump(there, writer, source, True))],
                               return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass
        for each in writers:
            each.close()

    async def pump(self, reader, writer, source, is_answer):
        try:
            while data := await reader.read(65536):
                if self.is_cut(source):  # what is lost is not made good: the connection ends after that
                    while self.is_cut(source):
                        await asyncio.sleep(0.05)
                    return
                if self.loses(is_answer):
                    self.dropped += 1
                    return
                writer.write(data)
                await writer.drain()
        except OSError:
            pass


class PeerProxy(Proxy):
    """Between nodes: rafthttp says in each request which node sends it."""

    def __init__(self, target):
        super().__init__(target)
        self.cut_sources = set()

    def is_cut(self, source):
        return self.hanging or source in self.cut_sources


# ---- Nodes ---------------------------------------------------------------------------------------------------------


class Nodes:
    """Three nodes, and what cuts one of them off."""

    def __init__(self, directory, proxies, namespaces):
        self.directory, self.proxies, self.namespaces = directory, proxies, namespaces
        self.running = [None] * NODES
        self.spaces, self.peers, self.ids = [], [], {}
        if namespaces:
            self.make_namespaces()
        else:
            self.client_address = [("127.0.0.1", free_port()) for _ in range(NODES)]
            self.peer_address = [("127.0.0.1", free_port()) for _ in range(NODES)]
            self.peers = [PeerProxy(address) for address in self.peer_address]
        self.fronts = [Proxy(address) for address in self.client_address]
        for proxy in self.peers + self.fronts:
            proxies.add(proxy)

    def make_namespaces(self):
        """A bridge joins the peers, and another one the clients.  All of it ends with the processes."""
        def ip(*words):
            subprocess.run(["ip", *words], check=True)
        for bridge in "peers", "clients":
            ip("link", "add", bridge, "type", "bridge")
            ip("link", "set", bridge, "up")
        ip("address", "add", "10.213.2.254/24", "dev", "clients")
        for i in range(NODES):
            space = start("unshare", "-n", "sh", "-c", "echo; exec sleep 1000000", stdout=subprocess.PIPE)
            space.stdout.readline()
            self.spaces.append(space)
            for net, bridge in (1, "peers"), (2, "clients"):
                ip("link", "add", f"{bridge}{i}", "type", "veth", "peer", "name", f"in{net}", "netns", str(space.pid))
                ip("link", "set", f"{bridge}{i}", "master", bridge, "up")
                self.inside(i, "ip", "address", "add", f"10.213.{net}.{i + 1}/24", "dev", f"in{net}")
                self.inside(i, "ip", "link", "set", f"in{net}", "up")
            self.inside(i, "ip", "link", "set", "lo", "up")
        self.client_address = [(f"10.213.2.{i + 1}", 2379) for i in range(NODES)]
        self.peer_address = [(f"10.213.1.{i + 1}", 2380) for i in range(NODES)]

    def enter(self, i):
        return ["nsenter", f"--net=/proc/{self.spaces[i].pid}/ns/net"] if self.namespaces else []

    def inside(self, i, *command):
        subprocess.run(self.enter(i) + list(command), check=True)

    def peer_url(self, i):
        if self.namespaces:
            return "http://%s:%d" % self.peer_address[i]
        return f"http://127.0.0.1:{self.peers[i].port}"

    def start(self, i):
        client, peer = "http://%s:%d" % self.client_address[i], "http://%s:%d" % self.peer_address[i]
        cluster = ",".join(f"n{j}={self.peer_url(j)}" for j in range(NODES))
        log = open(self.directory / f"log{i}", "ab")
        self.running[i] = start(*self.enter(i), shutil.which("etcd"), "--name", f"n{i}", "--data-dir",
                                self.directory / f"data{i}", "--listen-client-urls", client, "--advertise-client-urls",
                                client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", self.peer_url(i),
                                "--initial-cluster", cluster, "--heartbeat-interval", "50", "--election-timeout", "500",
                                stdout=log, stderr=log)

    def kill(self, i):
        self.running[i].kill()
        self.running[i].wait()

    def signal(self, i, number):
        self.running[i].send_signal(number)

    def endpoints(self, i):
        return ",".join(f"http://127.0.0.1:{self.fronts[(i + j) % NODES].port}" for j in range(NODES))

    def ctl(self, endpoints, *words, seconds=2):
        try:
            done = subprocess.run([shutil.which("etcdctl"), f"--endpoints={endpoints}", f"--command-timeout={seconds}s",
                                   f"--dial-timeout={seconds}s", *words], env={**os.environ, "ETCDCTL_API": "3"},
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=seconds + 3)
            return done.stdout.decode() if done.returncode == 0 else None
        except subprocess.TimeoutExpired:
            return None

    def direct(self):
        return ",".join("http://%s:%d" % address for address in self.client_address)

    def status(self, i):
        """Returns the node's id, and whether it leads; or None."""
        text = self.ctl("http://%s:%d" % self.client_address[i], "endpoint", "status", "-w", "json", seconds=1)
        if text is None:
            return None
        status = json.loads(text)[0]["Status"]
        return status["header"]["member_id"], status.get("leader") == status["header"]["member_id"]

    def leader(self):
        """Returns a node that says that it leads, else any."""
        for i in random.sample(range(NODES), NODES):
            status = self.status(i)
            if status and status[1]:
                return i
        return random.randrange(NODES)

    def wait(self):
        """Returns when there is a leader, and all nodes are known by their numbers."""
        for _ in range(300):
            known = [self.status(i) for i in range(NODES)]
            if all(known) and any(leads for _, leads in known):
                self.ids = {i: f"{known[i][0]:x}" for i in range(NODES)}
                return
            time.sleep(0.2)
        sys.exit("etcd.py: the nodes do not find each other")

    def cut(self, i, on):
        """Cuts a node off from the others, or ends that.  Clients still reach it."""
        if self.namespaces:
            subprocess.run(["ip", "link", "set", f"peers{i}", "down" if on else "up"], check=True)
            return
        self.peers[i].hanging = on
        for j in range(NODES):
            if j != i:
                (self.peers[j].cut_sources.add if on else self.peers[j].cut_sources.discard)(self.ids[i])


# ---- Writers and the witness ---------------------------------------------------------------------------------------


class Witness:
    def __init__(self, directory, fenced):
        self.path = str(directory / "witness")
        self.process = start(sys.executable, HERE / "witness.py", self.path, "fenced" if fenced else "unfenced")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for _ in range(200):
            try:
                self.socket.connect(self.path)
                break
            except OSError:
                time.sleep(0.05)
        self.mutex = threading.Lock()

    def ask(self, text):
        with self.mutex:
            self.socket.send(text.encode())
            return self.socket.recv(1 << 20).decode()

    def holders(self):
        return json.loads(self.ask("holders"))

    def counts(self):
        return json.loads(self.ask("counts"))["counts"]

    def grants(self):
        return self.counts().get("grants", 0)


class Writers:
    def __init__(self, program, witness, nodes, mutant):
        self.program, self.witness, self.nodes, self.mutant = program, witness, nodes, mutant
        self.running = [self.make(i) for i in range(WRITERS)]

    def make(self, i):
        return start(self.program, self.witness.path, self.nodes.endpoints(i), random.randrange(1 << 30), self.mutant)

    def check(self):
        for writer in self.running:
            if writer.poll() not in (None, -signal.SIGKILL):
                sys.exit(f"etcd.py: a writer has ended with status {writer.returncode}")


# ---- The nemesis ---------------------------------------------------------------------------------------------------


class Nemesis:
    """Does harm of one sort after another, in a thread for the cluster and another one for the writers."""

    def __init__(self, nodes, writers, witness):
        self.nodes, self.writers, self.witness = nodes, writers, witness
        self.done = {}
        self.over = threading.Event()
        self.failure = None
        groups = [
            [self.kill_leader, self.pause_leader, self.pause_leader, self.cut_leader, self.cut_node, self.lose_answers,
             self.lose_answers, self.hold_back, self.compact],
            [self.pause_writers] * 4 + [self.kill_writer, self.delete_keys],
        ]
        self.idle = threading.Barrier(len(groups) + 1)
        for group in groups:
            threading.Thread(target=self.run, args=(group,), daemon=True).start()

    def run(self, group):
        try:
            while not self.over.wait(random.uniform(0.2, 2)):
                action = random.choice(group)
                action()
                self.done[action.__name__] = self.done.get(action.__name__, 0) + 1
        except Exception as failure:  # told by the main thread, as nothing is tortured any more
            self.failure = failure
        self.idle.wait()
        threading.Event().wait()  # what a thread has started ends with it, because of DEATH_SIGNAL

    def end(self):
        self.over.set()
        self.idle.wait()

    def kill_leader(self):
        i = self.nodes.leader()
        self.nodes.kill(i)
        time.sleep(random.uniform(0.1, 3))
        self.nodes.start(i)

    def pause_leader(self):
        i = self.nodes.leader()
        self.nodes.signal(i, signal.SIGSTOP)
        time.sleep(random.uniform(0.5, 4))
        self.nodes.signal(i, signal.SIGCONT)

    def cut(self, i):
        self.nodes.cut(i, True)
        time.sleep(random.uniform(1, 5))
        self.nodes.cut(i, False)

    def cut_leader(self):
        self.cut(self.nodes.leader())

    def cut_node(self):
        self.cut(random.randrange(NODES))

    def lose_answers(self):
        chosen = random.sample(self.nodes.fronts, random.randint(1, NODES))
        for front in chosen:
            front.lossy = random.choice([0.1, 0.5])
        time.sleep(random.uniform(1, 4))
        for front in chosen:
            front.lossy = 0

    def hold_back(self):
        front = random.choice(self.nodes.fronts)
        front.hanging = True
        time.sleep(random.uniform(1, 4))
        front.hanging = False

    def compact(self):
        for _ in range(3):
            self.nodes.ctl(self.nodes.direct(), "put", "other", "value")
        text = self.nodes.ctl(self.nodes.direct(), "get", "other", "-w", "json")
        if text:
            self.nodes.ctl(self.nodes.direct(), "compact", str(json.loads(text)["header"]["revision"]))

    def pause_writers(self):
        """Holders and waiters, for less than their leases last, or for more."""
        holders = self.witness.holders() if random.random() < 0.5 else []
        chosen = [writer for writer in self.writers.running if writer.pid in holders]
        chosen = chosen or random.sample(self.writers.running, random.randint(1, 3))
        for writer in chosen:
            writer.send_signal(signal.SIGSTOP)
        time.sleep(random.choice([random.uniform(0.1, 2), random.uniform(2, 4)]))
        for writer in chosen:
            writer.send_signal(signal.SIGCONT)

    def kill_writer(self):
        i = random.randrange(WRITERS)
        self.writers.running[i].kill()
        self.writers.running[i].wait()
        self.writers.running[i] = self.writers.make(i)

    def delete_keys(self):
        name, began = random.randrange(NAMES), boot_ns()
        self.witness.ask(f"delete {name} 0 {began} 0")
        done = self.nodes.ctl(self.nodes.direct(), "del", "--prefix", f"resource{name}/") is not None
        late = 0 if done else LATE_NS  # a node that was paused may still do it
        self.witness.ask(f"delete {name} 0 {began} {boot_ns() + late}")


# ---- The verdict ---------------------------------------------------------------------------------------------------


def say(counts, findings, done, seconds, dropped):
    for finding in findings:
        print("finding:", finding)
    harm = ", ".join(f"{count} {name}" for name, count in sorted(done.items()))
    wrong = is_wrong(counts)
    print(f"nemesis: {harm}, {dropped} answers dropped")
    print(f"verdict: {'WRONG' if wrong else 'clean'} after {seconds} s: {counts.get('lost', 0)} updates lost,"
          f" {counts.get('untold', 0)} overlaps not told, {counts.get('tokens', 0)} tokens not greater; of"
          f" {counts.get('grants', 0)} grants, {counts.get('shared', 0)} of them shared,"
          f" {counts.get('writes', 0)} writes, {counts.get('refused', 0)} refused,"
          f" {counts.get('told', 0)} losses told, {counts.get('overlaps', 0)} of them overlaps")
    return 1 if wrong else 0


def is_wrong(counts):
    return counts.get("lost", 0) + counts.get("untold", 0) + counts.get("tokens", 0) > 0


def has_happened(counts, done):
    """True if the torture was one: something was found, or holders have lost their locks by harm of several sorts."""
    return is_wrong(counts) or (counts.get("told", 0) > 0 and counts.get("writes", 0) > 0 and len(done) >= 4)


def is_over(options, began, witness, nemesis):
    """A short torture goes on until it was one."""
    after = time.monotonic() - began - options.seconds
    return after > MORE_SECONDS or (after > 0 and has_happened(witness.counts(), nemesis.done))


def torture(options, directory, namespaces):
    nodes = Nodes(directory, Proxies(), namespaces)
    for i in range(NODES):
        nodes.start(i)
    nodes.wait()
    witness = Witness(directory, not options.unfenced)
    writers = Writers(options.writer, witness, nodes, options.mutant)
    nemesis = Nemesis(nodes, writers, witness)
    began = time.monotonic()
    while not is_over(options, began, witness, nemesis) and not nemesis.failure:
        time.sleep(1)
        writers.check()
    nemesis.end()
    if nemesis.failure:
        sys.exit(f"etcd.py: the nemesis has failed: {nemesis.failure}")
    before, end = witness.grants(), time.monotonic() + 60
    while witness.grants() < before + WRITERS:  # whatever happened, locks are granted again
        if time.monotonic() > end:
            sys.exit("etcd.py: no lock is granted after the torture, at nodes that say of themselves"
                     f" {[nodes.status(i) for i in range(NODES)]}")
        time.sleep(0.2)
    result = json.loads(witness.ask("end"))
    for writer in writers.running:
        writer.kill()
        writer.wait()
    for i in range(NODES):
        nodes.kill(i)
    counts = result["counts"]
    if not has_happened(counts, nemesis.done):
        sys.exit(f"etcd.py: nobody was tortured: {counts}, {nemesis.done}")
    seconds = round(time.monotonic() - began)
    return say(counts, result["findings"], nemesis.done, seconds, sum(front.dropped for front in nodes.fronts))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--writer", required=True)
    parser.add_argument("--unfenced", action="store_true", help="the resources do not look at tokens")
    parser.add_argument("--mutant", default="none", choices=["none", "deaf", "greedy"], help="of the writers")
    parser.add_argument("--proxies", action="store_true", help="cut nodes off by proxies")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside and not options.proxies:
        trial = "ip link set lo up && ip link add trial0 type veth peer name trial1 && ip link add trial2 type bridge"
        if subprocess.run(["unshare", "-n", "sh", "-c", trial], stderr=subprocess.DEVNULL).returncode == 0:
            os.execvp("unshare", ["unshare", "-n", sys.executable, *sys.argv, "--inside"])
        print("note: network namespaces are not permitted here: proxies cut the nodes off", flush=True)
    if options.inside:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="filelock-torture."))
    status = 1
    try:
        status = torture(options, directory, options.inside)
    except SystemExit as end:
        print(end)
        for log in sorted(directory.glob("log*")):
            print(f"{log}:", *log.read_text(errors="replace").splitlines()[-5:], sep="\n  ")
    except BaseException:  # told here, because threads that do not end would keep the process
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    shutil.rmtree(directory, ignore_errors=True)
    os._exit(status)


if __name__ == "__main__":
    main()
