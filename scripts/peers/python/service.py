"""The service that every Python peer serves: read from the file named by WIREBENCH_SERVICE, or an example.

Knows no protocol. A peer tells how its library spells bytes and times, and gets for each method a
function that checks the arguments' types and answers. Plain answers cost a tuple of checks and a
return; only methods with a service time or deliberate failures draw random numbers.
"""

import argparse
import base64
import calendar
import itertools
import json
import math
import os
import platform
import sys
import threading
import time

MISSING_PACKAGE = 3


class ApplicationError(Exception):
    """A method that fails on purpose."""


def fail(message, code=1):
    """Ends the peer with one line that Wirebench shows."""
    print("wirebench-peer: " + message, file=sys.stderr, flush=True)
    # Not sys.exit: libraries with threads of their own would be waited for.
    os._exit(code)


def missing_package(error, requirement):
    """Says which package is missing and how to get it, in the words that Wirebench looks for."""
    name = (error.name or requirement).split(".")[0]
    here = os.path.dirname(os.path.abspath(__file__))
    setups = [os.path.join(here, "..", "..", "setup-python"), os.path.join("scripts", "setup-python")]
    if any(os.path.exists(setup) for setup in setups):
        how = "run ./scripts/setup-python"
    elif sys.prefix != sys.base_prefix:
        # Where Wirebench starts it, in the scenario's folder, this is how a person would name it.
        near = os.path.relpath(sys.executable)
        interpreter = sys.executable if near.startswith("..") else near
        how = "run %s -m pip install %s" % (interpreter, requirement)
    else:
        # An interpreter of the system's own takes no packages on many systems.
        # Wirebench takes the .venv of the scenario's folder.
        how = "run python3 -m venv .venv && .venv/bin/python -m pip install %s" % requirement
    fail("missing package %s; %s" % (name, how), MISSING_PACKAGE)


def arguments(description):
    """The options that every peer has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="default 0: any free one, which is printed")
    return parser


def listening(host, port, protocol, server):
    """Says on standard output that calls are answered now, and by what."""
    implementation = "%s %s" % (platform.python_implementation(), server)
    line = {"listening": "%s:%d" % (host, port), "protocol": protocol, "implementation": implementation}
    print(json.dumps(line), flush=True)


def cannot_listen(host, port, error):
    """Ends the peer because of its address."""
    fail("cannot listen on %s:%d: %s" % (host, port, error))


# Types. As in the service file: "nil", {"text": {}}, {"list": {"of": T}}, {"struct": [[name, T]]}.


class Type:
    """A type: its name, the item's type of a list, the fields of a struct."""

    def __init__(self, spec):
        name, inner = (spec, {}) if isinstance(spec, str) else next(iter(spec.items()))
        self.name = name
        self.item = Type(inner["of"]) if name == "list" else None
        self.fields = [(field, Type(of)) for field, of in inner] if name == "struct" else []

    def __str__(self):
        if self.item:
            return "list of %s" % self.item
        if self.name == "struct":
            return "struct {%s }" % ",".join(" %s: %s" % field for field in self.fields)
        return self.name

    def uses(self, name):
        """Whether the type or any type inside it has this name."""
        inner = [self.item] if self.item else [of for _, of in self.fields]
        return self.name == name or any(of.uses(name) for of in inner)


class Spelling:
    """How a protocol's library spells the values that Python has no one way for."""

    def __init__(self, bytes_class, make_bytes, time_class, make_time):
        self.bytes_class = bytes_class
        self.make_bytes = make_bytes
        self.time_class = time_class
        self.make_time = make_time

    def value(self, tagged):
        """A tagged value of the service file, for the library to encode."""
        ((tag, inner),) = tagged.items()
        if tag == "bytes":
            return self.make_bytes(base64.b64decode(inner))
        if tag == "time":
            return self.make_time(seconds_of(inner))
        if tag == "list":
            return [self.value(item) for item in inner]
        if tag == "struct":
            return {name: self.value(item) for name, item in inner.items()}
        # NaN and the infinities stand as text.
        return float(inner) if tag == "float" else inner

    def check(self, of):
        """A function that says whether a value is of a type."""
        simple = {
            "nil": type(None),
            "bool": bool,
            "float": float,
            "text": str,
            "bytes": self.bytes_class,
            "time": self.time_class,
        }
        if of.name in simple:
            wanted = simple[of.name]
            return lambda value: type(value) is wanted
        if of.name == "int":
            return lambda value: type(value) is int and -(2**63) <= value < 2**63
        if of.name == "any":
            return lambda value: True
        if of.name == "list":
            item = self.check(of.item)
            return lambda value: isinstance(value, (list, tuple)) and all(map(item, value))
        if of.name == "struct":
            checks = [(name, self.check(inner)) for name, inner in of.fields]
            return lambda value: (
                isinstance(value, dict)
                and len(value) == len(checks)
                and all(name in value and check(value[name]) for name, check in checks)
            )
        raise ValueError("unknown type %r" % of.name)


def seconds_of(text):
    """Seconds since 1970 of an RFC 3339 time in UTC."""
    year, month, day = int(text[0:4]), int(text[5:7]), int(text[8:10])
    hour, minute, second = int(text[11:13]), int(text[14:16]), int(text[17:19])
    return calendar.timegm((year, month, day, hour, minute, second))


# Randomness: the same SplitMix64 streams as Wirebench's own servers, so that the same seed delays
# and fails the same calls.

MASK = (1 << 64) - 1
GAMMA = 0x9E3779B97F4A7C15


def _mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


class Random:
    """A stream of random numbers."""

    def __init__(self, state):
        self.state = state

    @classmethod
    def labelled(cls, seed, label):
        folded = 0xCBF29CE484222325
        for byte in label.encode():
            folded = ((folded ^ byte) * 0x100000001B3) & MASK
        return cls(_mix(_mix(seed ^ GAMMA) ^ folded))

    def at(self, index):
        return Random(_mix(self.state ^ _mix((index * GAMMA + 1) & MASK)))

    def bits(self):
        self.state = (self.state + GAMMA) & MASK
        return _mix(self.state)

    def unit(self):
        return (self.bits() >> 11) / 9007199254740992.0

    def below(self, bound):
        return (self.bits() * bound) >> 64

    def exponential(self):
        return -math.log(1.0 - self.unit())


class Delay:
    """How long a method takes before it answers."""

    def __init__(self, spec):
        self.how = spec.get("how", "sleep")
        self.stall = spec.get("stall_ns")
        self.spec = spec

    def draw_ns(self, random, now_ns):
        return self._stalled_ns(now_ns) + self._hold_ns(random)

    def _stalled_ns(self, now_ns):
        if not self.stall or not self.stall["every"]:
            return 0
        phase = now_ns % self.stall["every"]
        # The stall ends the period, so that a server is not born stalled.
        return self.stall["every"] - phase if phase >= self.stall["every"] - self.stall["for"] else 0

    def _hold_ns(self, random):
        spec = self.spec
        if spec.get("fixed_ns") is not None:
            return spec["fixed_ns"]
        if spec.get("uniform_ns") is not None:
            least, most = spec["uniform_ns"]
            return least + random.below(max(most - least, 0) + 1)
        if spec.get("exponential_ns") is not None:
            return int(random.exponential() * spec["exponential_ns"])
        if spec.get("bimodal_ns") is not None:
            bimodal = spec["bimodal_ns"]
            return bimodal["slow"] if random.unit() < bimodal["slow_share"] else bimodal["fast"]
        return 0


class Method:
    """A method: its types, and what it answers."""

    def __init__(self, name, spec):
        self.name = name
        self.params = [(param, Type(of)) for param, of in spec["params"]]
        self.returns = Type(spec["returns"])
        self.echo = None
        self.tagged_answer = None
        if "echo" in spec["answer"]:
            self.echo = [param for param, _ in self.params].index(spec["answer"]["echo"])
        else:
            self.tagged_answer = spec["answer"]["value"]
        stream = spec.get("stream")
        self.items = stream["items"] if stream else None
        self.delay = Delay(spec["service_time"]) if spec.get("service_time") else None
        self.fail_rate = spec.get("fail_rate") or 0.0

    def signature(self):
        """The method in one line, as Wirebench's own servers tell it and wirebench inspect reads it."""
        params = ", ".join("%s: %s" % param for param in self.params)
        stream = "stream of " if self.items is not None else ""
        return "%s(%s) -> %s%s" % (self.name, params, stream, self.returns)


# What is served where nobody says what: enough to try a client on.
EXAMPLE = {
    "service": "example",
    "methods": {
        "getObj": {"params": [], "returns": {"text": {}}, "answer": {"value": {"text": "lqz nb"}}},
        "sendObj": {"params": [["data", {"text": {}}]], "returns": "nil", "answer": {"value": {"nil": None}}},
        "store": {
            "params": [["user", {"struct": [["id", {"int": {}}], ["name", {"text": {}}]]}]],
            "returns": {"struct": [["id", {"int": {}}], ["name", {"text": {}}]]},
            "answer": {"echo": "user"},
        },
        "feed": {
            "params": [["word", {"text": {}}]],
            "returns": {"text": {}},
            "answer": {"echo": "word"},
            "stream": {"items": 100},
        },
    },
}


class Service:
    """All methods, and the one counter of calls that service times are drawn by."""

    def __init__(self, spec):
        self.is_example = spec is EXAMPLE
        self.name = spec["service"]
        self.methods = [Method(name, method) for name, method in spec["methods"].items()]
        self._random = Random.labelled(spec.get("seed") or 0, "service")
        self._ordinals = itertools.count()
        self._started_ns = time.monotonic_ns()
        # When the one line of a serial server is free again.
        self._serial = threading.Lock()
        self._serial_free_ns = 0

    @classmethod
    def load(cls):
        """The service that Wirebench wants served; without it, the example."""
        path = os.environ.get("WIREBENCH_SERVICE")
        if not path:
            names = ", ".join(EXAMPLE["methods"])
            print("WIREBENCH_SERVICE names no service file: serving %s" % names, file=sys.stderr, flush=True)
            return cls(EXAMPLE)
        try:
            with open(path, encoding="utf-8") as file:
                return cls(json.load(file))
        except (OSError, ValueError, KeyError, TypeError) as error:
            return fail("cannot read the service file %s: %r" % (path, error), 2)

    def refuse(self, protocol, type_names=(), streams=False):
        """Ends the peer where a method needs what the protocol cannot carry; the example goes without it."""
        if streams and self.is_example:
            self.methods = [method for method in self.methods if method.items is None]
        for method in self.methods:
            if streams and method.items is not None:
                fail("%s has no streams, method %s is one" % (protocol, method.name), 2)
            types = [of for _, of in method.params] + [method.returns]
            for name in type_names:
                if any(of.uses(name) for of in types):
                    fail("%s cannot carry type %s of method %s" % (protocol, name, method.name), 2)

    def sleeps(self):
        """Whether a call may have to wait without computing."""
        return any(method.delay and method.delay.how != "busy" for method in self.methods)

    def pause(self, method, sleep=time.sleep):
        """Waits as long as the method takes; raises where the call fails on purpose."""
        if method.delay is None and method.fail_rate <= 0.0:
            return
        random = self._random.at(next(self._ordinals))
        fails = random.unit() < method.fail_rate
        if method.delay is not None:
            start_ns = time.monotonic_ns()
            due_ns = self._due_ns(method.delay, random, start_ns)
            if method.delay.how == "busy":
                while time.monotonic_ns() < due_ns:
                    pass
            elif due_ns > start_ns:
                sleep((due_ns - start_ns) / 1e9)
        if fails:
            raise ApplicationError("this call fails on purpose")

    def _due_ns(self, delay, random, start_ns):
        """When a call that arrived at start_ns is over; a serial server's calls follow each other."""
        if delay.how != "serial":
            return start_ns + delay.draw_ns(random, start_ns - self._started_ns)
        with self._serial:
            begins_ns = max(start_ns, self._serial_free_ns)
            self._serial_free_ns = begins_ns + delay.draw_ns(random, begins_ns - self._started_ns)
            return self._serial_free_ns

    def function(self, method, spelling, sleep=time.sleep):
        """A plain function that checks its arguments, takes its time and answers."""
        params = [(name, of.name, spelling.check(of)) for name, of in method.params]
        answer = None if method.tagged_answer is None else spelling.value(method.tagged_answer)
        echo = method.echo
        immediate = method.delay is None and method.fail_rate <= 0.0

        def call(*args):
            if len(args) != len(params):
                raise TypeError("%s takes %d arguments, got %d" % (method.name, len(params), len(args)))
            for value, (name, expected, check) in zip(args, params):
                if not check(value):
                    found = type(value).__name__
                    raise TypeError("%s.%s: expected %s, found %s" % (method.name, name, expected, found))
            if not immediate:
                self.pause(method, sleep)
            return answer if echo is None else args[echo]

        call.__name__ = str(method.name)
        call.__doc__ = method.signature()
        return call
