"""A client of binary-tcp, written from its specification: python binary_tcp_client.py ADDRESS"""

import socket
import sys

from binary_tcp import ANSWER, END, FAULT, ITEM, Reader, encode, frame, receive_frame, send_frame
from binary_tcp_types import METHODS
from checks import check, run


class Fault(Exception):
    def __init__(self, kind, name, message):
        super().__init__(kind, name, message)
        self.kind, self.name, self.message = kind, name, message


class Client:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.last_id = 0

    def request(self, method, *args, tail=b""):
        """The id and the body of a next call."""
        kinds, _ = METHODS.get(method, (["int"] * len(args), "nil"))
        self.last_id += 1
        return self.last_id, encode("text", method) + b"".join(map(encode, kinds, args)) + tail

    def submit(self, method, *args, tail=b""):
        call_id, body = self.request(method, *args, tail=tail)
        send_frame(self.socket, call_id, body)
        return call_id

    def receive(self, kind):
        """The id, the reply's kind, and its value."""
        call_id, body = receive_frame(self.socket)
        reader = Reader(body)
        reply = reader.take(1)[0]
        if reply == FAULT:
            fault = Fault(reader.take(1)[0], reader.value("text"), reader.value("text"))
            reader.end()
            return call_id, reply, fault
        value = None if reply == END else reader.value(kind)
        reader.end()
        return call_id, reply, value

    def call(self, method, *args, tail=b""):
        submitted = self.submit(method, *args, tail=tail)
        call_id, reply, value = self.receive(METHODS.get(method, ([], "nil"))[1])
        assert call_id == submitted
        if reply == FAULT:
            raise value
        assert reply == ANSWER, reply
        return value


def same(found, expected):
    assert found == expected, "%r instead of %r" % (found, expected)


def refused(call, *args, **options):
    try:
        call(*args, **options)
    except Fault as fault:
        return fault
    raise AssertionError("no fault")


@check
def values(address):
    "every type"
    client = Client(address)
    same(client.call("nothing"), None)
    same(client.call("second", -1, "né"), "né")
    for number in (0, -1, 63, 64, -65, 2**31, 2**63 - 1, -(2**63)):
        value = {
            "nothing": None,
            "yes": number % 2 == 0,
            "number": number,
            "real": number / 7,
            "name": "Ж語🦀" * 50,
            "blob": bytes(range(256)) * 2,
            "at": -number // 2,
            "tags": ["", "é"],
            "parts": [{"id": number, "weights": [0.5, -1e300]}, {"id": 0, "weights": []}],
        }
        same(client.call("echo", value), value)
    same(client.call("second", 1, "x" * 1_000_000), "x" * 1_000_000)


@check
def faults(address):
    "faults: kind, name and message"
    client = Client(address)
    fault = refused(client.call, "fails")
    same((fault.kind, fault.name, fault.message), (2, "ApplicationError", "this call fails on purpose"))
    fault = refused(client.call, "nope")
    same((fault.kind, fault.name), (0, "NameError"))
    assert "nope" in fault.message
    fault = refused(client.call, "nothing", tail=b"\0")
    same((fault.kind, fault.name), (1, "TypeError"))
    send_frame(client.socket, 99, encode("text", "second") + b"\x80")
    call_id, reply, fault = client.receive("text")
    same((call_id, reply, fault.kind), (99, FAULT, 1))
    send_frame(client.socket, 100, b"\xff\xff\xff\xff\xff")
    call_id, reply, fault = client.receive("text")
    same((call_id, reply, fault.kind), (100, FAULT, 1))
    same(client.call("second", 1, "still here"), "still here")


@check
def stream(address):
    "a stream of 10,000 items, with other calls between"
    client = Client(address)
    # In one write: two could be so far apart that the whole stream is on its way before the second.
    (feed, opening), (echoed, call) = client.request("feed"), client.request("second", 1, "between")
    client.socket.sendall(frame(feed, opening) + frame(echoed, call))
    items, answered = 0, False
    while True:
        call_id, reply, value = client.receive("text")
        if call_id == echoed:
            same((reply, value), (ANSWER, "between"))
            answered = True
            continue
        same(call_id, feed)
        if reply == END:
            break
        same((reply, value), (ITEM, "item"))
        items += 1
    same((items, answered), (10_000, True))


@check
def in_flight(address):
    "1,000 calls in flight, answered out of order"
    client = Client(address)
    numbers = {client.submit("pause", number): number for number in range(1000)}
    order = []
    while numbers:
        call_id, reply, value = client.receive("int")
        same((reply, value), (ANSWER, numbers.pop(call_id)))
        order.append(value)
    assert order != sorted(order)


@check
def limits(address):
    "lengths outside the limits end the connection"
    for head in (b"\0\0\0\7", b"\xff\xff\xff\xff"):
        client = Client(address)
        client.socket.sendall(head + bytes(8))
        same(client.socket.recv(1), b"")


if __name__ == "__main__":
    run(sys.argv[1])
