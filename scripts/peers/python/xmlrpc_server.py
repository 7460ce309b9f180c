#!/usr/bin/env python3
"""CPython's own SimpleXMLRPCServer, serving the service of WIREBENCH_SERVICE.

--http 1.0 (the default) is the server as its documentation runs it: HTTP/1.0, a connection per
call, one at a time. --http 1.1 keeps connections open; then one of them would starve all others
without a thread for each.
"""

import signal
import sys
import time
import xmlrpc.client
from socketserver import ThreadingMixIn
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

import service


class KeepAliveHandler(SimpleXMLRPCRequestHandler):
    protocol_version = "HTTP/1.1"


class ThreadingServer(ThreadingMixIn, SimpleXMLRPCServer):
    daemon_threads = True
    request_queue_size = 128


def date_time(seconds):
    return xmlrpc.client.DateTime(time.strftime("%Y%m%dT%H:%M:%S", time.gmtime(seconds)))


SPELLING = service.Spelling(
    bytes_class=xmlrpc.client.Binary,
    make_bytes=xmlrpc.client.Binary,
    time_class=xmlrpc.client.DateTime,
    make_time=date_time,
)


def main():
    parser = service.arguments(__doc__.splitlines()[0])
    parser.add_argument("--http", choices=["1.0", "1.1"], default="1.0")
    args = parser.parse_args()
    served = service.Service.load()
    served.refuse("XML-RPC", streams=True)
    options = {"logRequests": False, "allow_none": True}
    try:
        if args.http == "1.1":
            server = ThreadingServer((args.host, args.port), requestHandler=KeepAliveHandler, **options)
        else:
            server = SimpleXMLRPCServer((args.host, args.port), **options)
    except OSError as error:
        service.cannot_listen(args.host, args.port, error)
    for method in served.methods:
        server.register_function(served.function(method, SPELLING), method.name)
    server.register_introspection_functions()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    name = "SimpleXMLRPCServer %d.%d" % sys.version_info[:2]
    if args.http == "1.1":
        name += ", HTTP/1.1, threads"
    service.listening(args.host, server.server_address[1], "xmlrpc", name)
    with server:
        server.serve_forever(poll_interval=60)


if __name__ == "__main__":
    main()
