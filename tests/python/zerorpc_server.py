"""zerorpc.Server: python zerorpc_server.py"""

import gevent
import zerorpc
import zmq

from listening import listening


class Interop:
    def echo(self, value):
        """Gives back what it gets."""
        return value

    def second(self, first, second):
        return second

    def breaks(self):
        raise ValueError("a & b")

    def pause(self, number):
        gevent.sleep((number * 7 % 30) / 1000)
        return number

    def slow(self):
        gevent.sleep(17)
        return "late"

    @zerorpc.stream
    def feed(self, items):
        for number in range(items):
            yield number

    @zerorpc.stream
    def endless(self):
        number = 0
        while True:
            yield number
            number += 1


server = zerorpc.Server(Interop())
server.bind("tcp://127.0.0.1:0")
endpoint = server._events._socket.getsockopt(zmq.LAST_ENDPOINT).decode().rstrip("\0")
listening(int(endpoint.rsplit(":", 1)[1]))
server.run()
