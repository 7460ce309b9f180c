"""zerorpc.Client and a bare pyzmq socket against our server: python zerorpc_client.py ADDRESS [long]"""

import sys
import uuid

import msgpack
import zerorpc
import zmq

from checks import check, run

LONG = "long" in sys.argv[2:]


def connect(address):
    return zerorpc.Client("tcp://" + address)


def same(found, expected):
    assert found == expected and type(found) is type(expected), "%r instead of %r" % (found, expected)


def refused(call, *args):
    try:
        call(*args)
    except zerorpc.RemoteError as error:
        return error
    raise AssertionError("no error")


class Bare:
    """A DEALER that says what it is told to."""

    def __init__(self, address):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.rcvtimeo = 30_000
        self.socket.connect("tcp://" + address)

    def send(self, header, name, args):
        self.socket.send_multipart([b"", msgpack.packb([header, name, args], use_bin_type=True)])

    def receive(self):
        empty, payload = self.socket.recv_multipart()
        assert empty == b""
        return msgpack.unpackb(payload, raw=False)


def short_check(function):
    return function if LONG else check(function)


def long_check(function):
    return check(function) if LONG else function


@short_check
def values(address):
    "nil, bool, int, float, text, binary and nested values"
    client = connect(address)
    same(client.nothing(), None)
    same(client.echo_nil(None), None)
    for value in (True, False):
        same(client.echo_bool(value), value)
    for value in (0, -1, 127, 128, -129, 2**31, -(2**63), 2**63 - 1):
        same(client.echo_int(value), value)
    for value in (0.0, -0.5, 0.1, 1e300, 5e-324, float("inf")):
        same(client.echo_float(value), value)
    for value in ("", "ÄÖÜ Ж 語 🦀 \0\r\n", "x" * 100_000):
        same(client.echo_text(value), value)
    for value in (b"", bytes(range(256)) * 300):
        same(client.echo_bytes(value), value)
    value = {"id": 7, "tags": ["a"], "parts": [{"name": "é", "weights": [0.5, -1.0]}, {"name": "", "weights": []}]}
    same(client.echo_nested(value), value)
    same(client.second(1, "two"), "two")
    client.close()


@short_check
def errors(address):
    "remote exceptions: name, message and traceback, and of unknown methods"
    client = connect(address)
    error = refused(client.fails)
    same((error.name, error.msg), ("ApplicationError", "this call fails on purpose"))
    assert "this call fails on purpose" in error.traceback
    error = refused(client.nope)
    same(error.name, "NameError")
    assert "nope" in error.msg and "nope" in error.traceback
    for args in (("text",), (), (1, 2)):
        same(refused(client.echo_int, *args).name, "TypeError")
    same(client.echo_int(1), 1)
    client.close()


@short_check
def introspection(address):
    "_zerorpc_list, _zerorpc_name, _zerorpc_ping, _zerorpc_help, _zerorpc_args, _zerorpc_inspect"
    client = connect(address)
    names = client._zerorpc_list()
    assert {"nothing", "second", "feed"} <= set(names), names
    same(client._zerorpc_name(), "interop")
    same(client._zerorpc_ping(), ["pong", "interop"])
    same(client._zerorpc_help("second"), "second(first: int, second: text) -> text")
    same(client._zerorpc_args("second")[0], ["first", "second"])
    offered = client._zerorpc_inspect()
    same(offered["name"], "interop")
    same(set(offered["methods"]), set(names))
    same(offered["methods"]["second"]["args"], [{"name": "first"}, {"name": "second"}])
    client.close()


@short_check
def stream(address):
    "a stream of 10,000 items under credit"
    client = connect(address)
    items = 0
    for item in client.feed():
        same(item, "item")
        items += 1
        if items % 1000 == 0:
            # Other calls go on meanwhile.
            same(client.echo_int(items), items)
    same(items, 10_000)
    client.close()


@short_check
def in_flight(address):
    "1,000 calls in flight on one socket"
    client = connect(address)
    calls = [client("pause", number, **{"async": True}) for number in range(1000)]
    same([call.get(timeout=30) for call in calls], list(range(1000)))
    client.close()


@short_check
def in_flight_bare(address):
    "1,000 calls in flight on one bare socket, out of order"
    bare = Bare(address)
    for number in range(1000):
        bare.send({"message_id": b"%d" % number, "v": 3}, "pause", [number])
    order = []
    for _ in range(1000):
        header, name, args = bare.receive()
        same(name, "OK")
        same(header["response_to"], b"%d" % args[0])
        order.append(args[0])
    same(sorted(order), list(range(1000)))
    assert order != sorted(order), "the service times differ"


@short_check
def message_ids(address):
    "message_id as bin and as str, echoed as it came"
    bare = Bare(address)
    for message_id in (uuid.uuid4().hex, uuid.uuid4().hex.encode(), "1", b"\0\xff"):
        bare.send({"message_id": message_id, "v": 3, "extra": {1: 2}}, "second", [1, "two"])
        header, name, args = bare.receive()
        same((name, args), ("OK", ["two"]))
        same(header["response_to"], message_id)
        same(header["v"], 3)


@short_check
def late_events(address):
    "late events of closed channels, and garbage"
    bare = Bare(address)
    bare.send({"message_id": b"over", "v": 3}, "nothing", [])
    same(bare.receive()[1], "OK")
    for name, args in (("_zpc_more", [100]), ("_zpc_hb", [0]), ("nothing", []), ("STREAM_DONE", None)):
        bare.send({"message_id": b"late", "response_to": b"over", "v": 3}, name, args)
        bare.send({"message_id": b"late", "response_to": b"never", "v": 3}, name, args)
    for payload in (b"", b"\xc1", b"garbage", msgpack.packb([1, 2]), msgpack.packb([None, "nothing", []])):
        bare.socket.send_multipart([b"", payload])
    bare.send({"v": 3}, "nothing", [])
    bare.send({"message_id": b"next", "v": 3}, "second", [1, "two"])
    header, name, args = bare.receive()
    same((header["response_to"], name, args), (b"next", "OK", ["two"]))


@short_check
def credit(address):
    "a stream stops where its credit ends and goes on when more comes"
    bare = Bare(address)
    bare.send({"message_id": b"s", "v": 3}, "feed", [])

    def items(expected):
        for _ in range(expected):
            header, name, args = bare.receive()
            same((header["response_to"], name, args), (b"s", "STREAM", "item"))
        bare.send({"message_id": b"next", "v": 3}, "nothing", [])
        same(bare.receive()[0]["response_to"], b"next")

    items(1)
    for more in (10, 1, 100):
        bare.send({"message_id": b"m", "response_to": b"s", "v": 3}, "_zpc_more", [more])
        items(more)


@short_check
def reads_nothing(address):
    "a client that takes a stream's credit and reads nothing holds up no other"
    mute = Bare(address)
    mute.socket.close()
    mute.socket = zmq.Context.instance().socket(zmq.DEALER)
    mute.socket.linger = 0
    # Small buffers, so that what it does not read waits at the server.
    mute.socket.rcvhwm = 1
    mute.socket.rcvbuf = 4096
    mute.socket.connect("tcp://" + address)
    for number in range(20):
        message_id = b"mute %d" % number
        mute.send({"message_id": message_id, "v": 3}, "large_feed", ["x" * 10_000])
        mute.send({"message_id": b"m", "response_to": message_id, "v": 3}, "_zpc_more", [2**31])
    client = connect(address)
    same(sum(1 for item in client.feed()), 10_000)
    same([client.pause(number) for number in range(100)], list(range(100)))
    same(sum(1 for item in client.feed()), 10_000)
    client.close()
    mute.socket.close()


@long_check
def slow(address):
    "a call of 17 s survives by heartbeats (long)"
    client = connect(address)
    same(client.slow(), "late")
    client.close()


@long_check
def mute(address):
    "a mute client is given up after 15 s (long)"
    bare = Bare(address)
    bare.send({"message_id": b"mute", "v": 3}, "slow", [])
    names = []
    bare.socket.rcvtimeo = 19_000
    try:
        while True:
            names.append(bare.receive()[1])
    except zmq.Again:
        pass
    same(names, ["_zpc_hb", "_zpc_hb"])


if __name__ == "__main__":
    run(sys.argv[1])
