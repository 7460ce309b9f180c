"""CPython's ServerProxy against our server: python xmlrpc_client.py ADDRESS VALIDATOR1_ADDRESS"""

import datetime
import sys
import xmlrpc.client
from xmlrpc.client import Binary, DateTime, Fault, MultiCall, ProtocolError, ServerProxy, Transport

from checks import check, run


class Watched(Transport):
    """Says what the last reply was packed with."""

    packed = None

    def parse_response(self, response):
        if isinstance(response, xmlrpc.client.http.client.HTTPResponse):
            self.packed = response.getheader("Content-Encoding", "")
        return super().parse_response(response)


def proxy(address, path="/RPC2", **options):
    return ServerProxy("http://%s%s" % (address, path), allow_none=True, **options)


def same(found, expected):
    assert found == expected and type(found) is type(expected), "%r instead of %r" % (found, expected)


def refused(code, call, *args):
    try:
        call(*args)
    except Fault as fault:
        same(fault.faultCode, code)
        return fault.faultString
    raise AssertionError("no fault")


@check
def types(address, _):
    "nil, boolean, int, double and string"
    with proxy(address) as server:
        same(server.nothing(), None)
        same(server.echo_nil(None), None)
        for value in (True, False):
            same(server.echo_bool(value), value)
        for value in (0, -1, 2**31 - 1, -(2**31)):
            same(server.echo_int(value), value)
        for value in (0.0, -0.0, 0.1, 1e300, 5e-324, -2.5e-10):
            same(server.echo_float(value), value)
        for value in ("", "a", " two  spaces ", "tab\t newline\n", "<&>'\"]]>&amp;"):
            same(server.echo_text(value), value)
        same(server.second(1, "two"), "two")


@check
def unicode_text(address, _):
    "Unicode text"
    with proxy(address) as server:
        for value in ("ÄÖÜ ßéñ Ω Ж 語 🦀", "\u2028\ufeff", "\x7f\x85"):
            same(server.echo_text(value), value)
        same(proxy(address, encoding="us-ascii").echo_text("ÄÖ語🦀"), "ÄÖ語🦀")


@check
def i8(address, _):
    "i8"
    original = xmlrpc.client.Marshaller.dispatch[int]
    xmlrpc.client.Marshaller.dispatch[int] = lambda _, value, write: write(
        "<value><i8>%d</i8></value>" % value
    )
    try:
        with proxy(address) as server:
            for value in (2**31, -(2**63), 2**63 - 1, 7):
                same(server.echo_int(value), value)
    finally:
        xmlrpc.client.Marshaller.dispatch[int] = original


@check
def wrapped(address, _):
    "dateTime and base64 as DateTime and Binary"
    with proxy(address) as server:
        same(server.echo_time(DateTime("20260102T03:04:05")).value, "20260102T03:04:05")
        every = bytes(range(256)) * 20
        same(server.echo_bytes(Binary(every)).data, every)
        same(server.echo_bytes(Binary(b"")).data, b"")


@check
def builtin(address, _):
    "dateTime and base64 with use_builtin_types"
    with proxy(address, use_builtin_types=True) as server:
        for moment in (datetime.datetime(2026, 1, 2, 3, 4, 5), datetime.datetime(1969, 12, 31, 23, 59, 59)):
            same(server.echo_time(moment), moment)
        same(server.echo_bytes(b"\0\xff"), b"\0\xff")
        same(server.echo_bytes(bytearray(b"ab")), b"ab")


@check
def nested(address, _):
    "nested structs and arrays"
    value = {
        "id": 7,
        "tags": [],
        "parts": [{"name": "<é>", "weights": [0.5, -1.0]}, {"name": "", "weights": []}],
    }
    with proxy(address) as server:
        same(server.echo_nested(value), value)


@check
def faults(address, _):
    "faults with code and string"
    with proxy(address) as server:
        same(refused(1, server.nope), "<class 'Exception'>:method \"nope\" is not supported")
        assert "fails on purpose" in refused(1, server.fails)
        for args in (("text",), (), (1, 2)):
            assert refused(1, server.echo_int, *args).startswith("<class 'TypeError'>:")


@check
def introspection(address, _):
    "system.listMethods, methodHelp and methodSignature"
    with proxy(address) as server:
        names = server.system.listMethods()
        same(names, sorted(names))
        assert {"echo_int", "system.listMethods", "system.multicall"} <= set(names), names
        same(server.system.methodHelp("second"), "second(first: int, second: text) -> text")
        same(server.system.methodSignature("second"), "signatures not supported")


@check
def multicall(address, _):
    "system.multicall (MultiCall)"
    with proxy(address) as server:
        calls = MultiCall(server)
        calls.second(1, "two")
        calls.echo_nil(None)
        calls.nope()
        calls.fails()
        calls.system.methodHelp("nothing")
        calls.echo_bytes(Binary(b"\0\xff"))
        results = calls()
        same(results[0], "two")
        same(results[1], None)
        assert "not supported" in refused(1, lambda: results[2])
        assert "on purpose" in refused(1, lambda: results[3])
        same(results[4], "nothing() -> nil")
        same(results[5].data, b"\0\xff")
        same(list(MultiCall(server)()), [])
        nested = [{"methodName": "system.multicall", "params": [[]]}, {"methodName": "nothing"}]
        within, nothing = server.system.multicall(nested)
        assert within["faultCode"] == 1 and nothing == [None], within
        assert refused(1, server.system.multicall, "no calls").startswith("<class 'TypeError'>:")


@check
def packed_requests(address, _):
    "gzip requests"
    transport = Watched()
    transport.encode_threshold = 0
    with proxy(address, transport=transport) as server:
        same(server.echo_text("x" * 1_000_000), "x" * 1_000_000)
        same(server.echo_text("y"), "y")


@check
def packed_replies(address, _):
    "gzip replies above 1,400 bytes"
    transport = Watched()
    with proxy(address, transport=transport) as server:
        same(server.echo_text("x" * 100), "x" * 100)
        same(transport.packed, "")
        same(server.echo_text("x" * 2000), "x" * 2000)
        same(transport.packed, "gzip")
        transport.accept_gzip_encoding = False
        same(server.echo_text("x" * 2000), "x" * 2000)
        same(transport.packed, "")


@check
def keep_alive(address, _):
    "many calls over one kept-alive connection"
    transport = Transport()
    with proxy(address, transport=transport) as server:
        server.nothing()
        socket = transport._connection[1].sock
        assert socket is not None
        for _ in range(100):
            server.nothing()
        assert transport._connection[1].sock is socket


@check
def paths(address, _):
    "paths / and /RPC2, 404 for others"
    same(proxy(address, "/").second(1, "x"), "x")
    try:
        proxy(address, "/other").nothing()
    except ProtocolError as error:
        same(error.errcode, 404)
    else:
        raise AssertionError("no error")


@check
def validator1(_, address):
    "the eight validator1 methods"
    with proxy(address) as server:
        suite = server.validator1
        stooges = {"moe": 1, "larry": -2, "curly": 30}
        same(suite.arrayOfStructsTest([stooges, {"moe": 0, "larry": 0, "curly": 12}]), 42)
        counts = suite.countTheEntities("<<>&&&''\"x")
        same(
            counts,
            {
                "ctLeftAngleBrackets": 2,
                "ctRightAngleBrackets": 1,
                "ctAmpersands": 3,
                "ctApostrophes": 2,
                "ctQuotes": 1,
            },
        )
        same(suite.easyStructTest(stooges), 29)
        same(suite.echoStructTest({"a": {"b": [1, "x", True]}}), {"a": {"b": [1, "x", True]}})
        moment = DateTime("20260102T03:04:05")
        many = suite.manyTypesTest(7, True, "text", 1.5, moment, Binary(b"\0\xff"))
        same(many[:4], [7, True, "text", 1.5])
        same((many[4].value, many[5].data), (moment.value, b"\0\xff"))
        same(suite.moderateSizeArrayCheck(["%d" % n for n in range(150)]), "0149")
        days = {"%02d" % day: {"moe": day, "larry": 0, "curly": 0} for day in range(1, 31)}
        days["01"] = stooges
        calendar = {year: {"%02d" % month: days for month in range(1, 13)} for year in ("1999", "2000")}
        same(suite.nestedStructTest(calendar), 29)
        same(suite.simpleStructReturnTest(7), {"times10": 70, "times100": 700, "times1000": 7000})
        refused(1, suite.easyStructTest, {"moe": 1})


if __name__ == "__main__":
    run(*sys.argv[1:])
