#!/usr/bin/env python3
"""The zerorpc library's server, serving the service of WIREBENCH_SERVICE."""

import importlib.metadata
import signal

import service

try:
    import gevent
    import zerorpc
    import zmq
except ImportError as error:
    service.missing_package(error, "zerorpc==0.6.3")

# MessagePack carries bytes as they are; zerorpc's packing knows no times.
SPELLING = service.Spelling(bytes_class=bytes, make_bytes=bytes, time_class=None, make_time=None)


def functor(served, method):
    function = served.function(method, SPELLING, sleep=gevent.sleep)
    if method.items is None:
        return function

    def stream(*args):
        item = function(*args)
        for _ in range(method.items):
            yield item

    stream.__name__ = str(method.name)
    stream.__doc__ = method.signature()
    return zerorpc.stream(stream)


def main():
    args = service.arguments(__doc__).parse_args()
    served = service.Service.load()
    served.refuse("zerorpc", type_names=["time"])
    methods = {method.name: functor(served, method) for method in served.methods}
    server = zerorpc.Server(methods, name=served.name)
    try:
        server.bind("tcp://%s:%d" % (args.host, args.port))
    except zmq.ZMQError as error:
        service.cannot_listen(args.host, args.port, error)
    # zerorpc does not say where it listens; the socket inside does.
    endpoint = server._events._socket.getsockopt(zmq.LAST_ENDPOINT).decode().rstrip("\0")
    gevent.signal_handler(signal.SIGTERM, server.stop)
    service.listening(args.host, int(endpoint.rsplit(":", 1)[1]), "zerorpc", "zerorpc " + importlib.metadata.version("zerorpc"))
    server.run()


if __name__ == "__main__":
    main()
