"""binary-tcp as src/protocol/binary_tcp.md specifies it: frames and values.

A type is "nil", "bool", "int", "float", "text", "bytes" or "time", a list [item], or a struct
{name: type}.
"""

import struct

ANSWER, FAULT, ITEM, END = range(4)
LIMIT = 64 << 20


def frame(call_id, body):
    return struct.pack(">IQ", 8 + len(body), call_id) + body


def send_frame(socket, call_id, body):
    socket.sendall(frame(call_id, body))


def receive_exactly(socket, count):
    data = b""
    while len(data) < count:
        piece = socket.recv(min(count - len(data), 1 << 16))
        if not piece:
            raise EOFError("the peer closed the connection")
        data += piece
    return data


def receive_frame(socket):
    (length,) = struct.unpack(">I", receive_exactly(socket, 4))
    if not 8 <= length <= 8 + LIMIT:
        raise ValueError("a frame of %d bytes" % length)
    frame = receive_exactly(socket, length)
    return struct.unpack(">Q", frame[:8])[0], frame[8:]


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def encode(kind, value):
    if isinstance(kind, list):
        return varint(len(value)) + b"".join(encode(kind[0], item) for item in value)
    if isinstance(kind, dict):
        return b"".join(encode(kind[name], value[name]) for name in kind)
    if kind == "nil":
        return b""
    if kind == "bool":
        return b"\1" if value else b"\0"
    if kind in ("int", "time"):
        return varint(2 * value if value >= 0 else -2 * value - 1)
    if kind == "float":
        return struct.pack("<d", value)
    data = value.encode() if kind == "text" else value
    return varint(len(data)) + data


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        piece = self.data[self.at : self.at + count]
        if len(piece) < count:
            raise ValueError("the bytes end too early")
        self.at += count
        return piece

    def varint(self):
        number = shift = 0
        while True:
            byte = self.take(1)[0]
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                if number >= 1 << 64:
                    raise ValueError("a varint beyond 64 bits")
                return number
            if shift > 63:
                raise ValueError("a varint of more than 10 bytes")

    def value(self, kind):
        if isinstance(kind, list):
            return [self.value(kind[0]) for _ in range(self.varint())]
        if isinstance(kind, dict):
            return {name: self.value(kind[name]) for name in kind}
        if kind == "nil":
            return None
        if kind == "bool":
            return {b"\0": False, b"\1": True}[self.take(1)]
        if kind in ("int", "time"):
            number = self.varint()
            return -(number + 1) // 2 if number % 2 else number // 2
        if kind == "float":
            return struct.unpack("<d", self.take(8))[0]
        data = self.take(self.varint())
        return data.decode() if kind == "text" else data

    def end(self):
        if self.at != len(self.data):
            raise ValueError("%d bytes are left over" % (len(self.data) - self.at))
