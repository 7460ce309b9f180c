"""A server of binary-tcp, written from its specification: python binary_tcp_server.py"""

import socketserver
import threading

from binary_tcp import ANSWER, END, FAULT, ITEM, Reader, encode, receive_frame, send_frame
from binary_tcp_types import METHODS
from listening import listening


class NoMethod(Exception):
    pass


def fault(kind, name, message):
    return bytes([FAULT, kind]) + encode("text", name) + encode("text", message)


class Connection(socketserver.BaseRequestHandler):
    def handle(self):
        self.lock = threading.Lock()
        try:
            while True:
                self.answer(*receive_frame(self.request))
        except (EOFError, ValueError, OSError):
            pass

    def send(self, call_id, body):
        with self.lock:
            send_frame(self.request, call_id, body)

    def answer(self, call_id, body):
        try:
            reader = Reader(body)
            method = reader.value("text")
            if method not in METHODS:
                raise NoMethod(method)
            kinds, returns = METHODS[method]
            args = [reader.value(kind) for kind in kinds]
            reader.end()
        except NoMethod as error:
            return self.send(call_id, fault(0, "NameError", str(error)))
        except (ValueError, KeyError) as error:
            return self.send(call_id, fault(1, "TypeError", str(error)))
        if method == "fails":
            return self.send(call_id, fault(2, "ZeroDivisionError", "ä & b"))
        if method == "feed":
            for _ in range(10_000):
                self.send(call_id, bytes([ITEM]) + encode(returns, "item"))
            return self.send(call_id, bytes([END]))
        answer = bytes([ANSWER]) + encode(returns, args[-1] if args else None)
        if method == "pause":
            # Later, and out of order.
            threading.Timer((args[0] * 7 % 30) / 1000, self.send, (call_id, answer)).start()
        else:
            self.send(call_id, answer)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


server = Server(("127.0.0.1", 0), Connection)
listening(server.server_address[1])
server.serve_forever()
