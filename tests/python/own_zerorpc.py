"""A user's own zerorpc server, which knows nothing of Wirebench: python own_zerorpc.py [ENDPOINT]"""

import sys

import zerorpc
import zmq

from listening import listening


class Shop:
    orders = 0

    def add(self, a, b):
        """Adds two numbers."""
        return a + b

    def order(self, item):
        """Takes an order and counts it."""
        self.orders += 1
        return {"number": self.orders, "item": item}

    def fail(self):
        raise ValueError("no luck")

    @zerorpc.stream
    def feed(self, items):
        return iter(range(items))


server = zerorpc.Server(Shop())
server.bind(sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:*")
endpoint = server._events._socket.getsockopt(zmq.LAST_ENDPOINT).decode().rstrip("\0")
listening(int(endpoint.rsplit(":", 1)[1]) if endpoint.startswith("tcp") else 0)
server.run()
