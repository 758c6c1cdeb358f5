"""Real daemons, known by nothing but their command line and their HTTP API."""

import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time

PASSWORD = "correct horse battery staple"


class Refused(Exception):
    """The daemon answered, and said no."""


class NotReady(Exception):
    """The daemon did not start."""


class Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Node:
    """One daemon and its home."""

    def __init__(self, program, home, name):
        self.program, self.home, self.name = program, home, name
        self.process = None
        self.ready = None
        self.lock = threading.Lock()  # one change of its life at a time
        self.command("init", "--network", "test", "--password-stdin", "--bind", "127.0.0.1:0", "--name", name,
                     "--set", "http.listen=off", input=PASSWORD)

    def command(self, *args, input=None):
        """Runs a command that must succeed; returns what it printed."""
        done = subprocess.run([self.program, args[0], "--home", self.home, *args[1:]], input=input, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        if done.returncode != 0:
            raise Refused("%s: %s" % (" ".join(args), done.stderr.strip()))
        return done.stdout

    def start(self):
        """Runs it, and returns when it says that it is ready."""
        log = open(self.home + ".log", "ab")
        self.process = subprocess.Popen([self.program, "run", "--json", "--home", self.home], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=log)
        log.close()
        late = threading.Timer(120, self.process.kill)
        late.start()
        line = self.process.stdout.readline()
        late.cancel()
        if not line:
            raise NotReady("%s ended with %s instead of being ready: see %s.log"
                           % (self.name, self.process.wait(), self.home))
        self.ready = json.loads(line)
        return self.address()

    def address(self):
        """Where it really listens."""
        host, port = self.ready["address"].rsplit(":", 1)
        return host, int(port)

    def stay(self):
        """Has it come back to the same port when it is started again."""
        self.command("init", "--set", "port=%d" % self.address()[1])

    def lives(self):
        """Whether its process does."""
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """Ends it with SIGKILL."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process = None

    def stop(self):
        """Ends it in order; what it exits with."""
        self.process.terminate()
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        self.process = None
        return code

    def pause(self, on):
        """SIGSTOP and SIGCONT."""
        os.kill(self.process.pid, signal.SIGSTOP if on else signal.SIGCONT)

    def ask(self, method, path, body=None, timeout=10):
        """One request; returns the answer's headers and what its JSON says."""
        connection = Connection(self.ready["control_socket"], timeout)
        try:
            headers = {"Content-Type": "application/octet-stream"} if body is not None else {}
            connection.request(method, "/api/v1" + path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status >= 400:
                raise Refused("%s %s: %d %s" % (method, path, answer.status, text[:200]))
            return answer.headers, json.loads(text)
        finally:
            connection.close()

    def add(self, msg):
        """Says something; returns its GUID when the daemon says that it is on disk."""
        return self.ask("PUT", "/gossip/raw", msg)[1]["guid"]

    def state(self):
        """How many records it holds, and the root over them."""
        status = self.ask("GET", "/status/network")[1]
        return status["gossip_count"], status["root"]

    def peers(self):
        """The addresses at which it knows others."""
        return {"%s:%d" % (peer["ip"], peer["port"]) for peer in self.ask("GET", "/status/network")[1]["peers"]}

    def read(self):
        """The final read: every record that it lists, as (GUID, MSG or None where that is not in lists)."""
        found, cursor = [], ""
        while True:
            headers, page = self.ask("GET", "/gossip?order=oldest&limit=1000" + cursor, timeout=60)
            found += [(record["guid"], record["msg"]) for record in page if record["kind"] == "message"]
            if "Gossip-Cursor" not in headers:
                return found
            cursor = "&cursor=" + headers["Gossip-Cursor"]

    def msg(self, guid):
        """All of one message."""
        connection = Connection(self.ready["control_socket"], 60)
        try:
            connection.request("GET", "/api/v1/gossip/%s/msg" % guid)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise Refused("%s has no MSG of %s: %d %s" % (self.name, guid, answer.status, text[:200]))
            return text
        finally:
            connection.close()


def until(seconds, holds):
    """Asks until it is so; False if it is not in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.1)
    return False
