"""CPython's SimpleXMLRPCServer: python xmlrpc_server.py 1.0|1.1 [gzip] [chunked]

gzip packs every reply, chunked sends it in small chunks, whoever asks.
"""

import sys
from socketserver import ThreadingMixIn
from xmlrpc.client import Binary, DateTime, Fault, gzip_encode
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

from listening import listening

VERSION, OPTIONS = sys.argv[1], sys.argv[2:]


class Handler(SimpleXMLRPCRequestHandler):
    protocol_version = "HTTP/" + VERSION

    def do_POST(self):
        if not OPTIONS:
            return super().do_POST()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        reply = self.server._marshaled_dispatch(body)
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        if "gzip" in OPTIONS:
            reply = gzip_encode(reply)
            self.send_header("Content-Encoding", "gzip")
        if "chunked" in OPTIONS:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(reply), 50):
                piece = reply[start : start + 50]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)


class Server(ThreadingMixIn, SimpleXMLRPCServer):
    daemon_threads = True


class Validator1:
    """As https://web.archive.org/web/2014/http://1998.xmlrpc.com/validator1Docs.html says."""

    def arrayOfStructsTest(self, structs):
        return sum(struct["curly"] for struct in structs)

    def countTheEntities(self, text):
        names = ("ctLeftAngleBrackets", "ctRightAngleBrackets", "ctAmpersands", "ctApostrophes", "ctQuotes")
        return {name: text.count(character) for name, character in zip(names, "<>&'\"")}

    def easyStructTest(self, stooges):
        return stooges["moe"] + stooges["larry"] + stooges["curly"]

    def echoStructTest(self, struct):
        return struct

    def manyTypesTest(self, number, boolean, string, double, moment, data):
        return [number, boolean, string, double, moment, data]

    def moderateSizeArrayCheck(self, texts):
        return texts[0] + texts[-1]

    def nestedStructTest(self, calendar):
        return self.easyStructTest(calendar["2000"]["04"]["01"])

    def simpleStructReturnTest(self, number):
        return {"times%d" % times: number * times for times in (10, 100, 1000)}


def echo(value):
    kinds = {Binary: "base64", DateTime: "dateTime.iso8601", type(None): "nil"}
    print(kinds.get(type(value), type(value).__name__), file=sys.stderr)
    return value


def fault(code, text):
    raise Fault(code, text)


def breaks():
    raise ValueError("a & b")


def big():
    return 2**31


server = Server(("127.0.0.1", 0), Handler, logRequests=False, allow_none=True)
for name in ("nil", "bool", "int", "float", "text", "bytes", "time", "nested"):
    server.register_function(echo, "echo_" + name)
for function in (fault, breaks, big):
    server.register_function(function)
for name in dir(Validator1):
    if not name.startswith("_"):
        server.register_function(getattr(Validator1(), name), "validator1." + name)
server.register_introspection_functions()
server.register_multicall_functions()
listening(server.server_address[1])
server.serve_forever(poll_interval=60)
