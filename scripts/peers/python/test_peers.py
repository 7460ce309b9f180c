"""Starts every peer and calls it with the real client of its protocol: python3 test_peers.py

One service with every type; what a protocol cannot carry is left out for it.
"""

import datetime
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import xmlrpc.client

HERE = os.path.dirname(os.path.abspath(__file__))

USER = {"struct": [["id", {"int": {}}], ["tags", {"list": {"of": {"text": {}}}}], ["none", "nil"]]}
TYPES = {
    "nil": "nil",
    "bool": {"bool": {}},
    "int": {"int": {}},
    "float": {"float": {}},
    "text": {"text": {}},
    "bytes": {"bytes": {}},
    "time": {"time": {}},
    "list": {"list": {"of": {"int": {}}}},
    "lists": {"list": {"of": {"list": {"of": {"int": {}}}}}},
    "struct": USER,
}
ANSWERS = {
    "nil": {"nil": None},
    "bool": {"bool": True},
    "int": {"int": -5},
    "float": {"float": 0.5},
    "text": {"text": "lqz ñb"},
    "bytes": {"bytes": "AP8="},
    "time": {"time": "2023-11-14T22:13:20Z"},
    "list": {"list": [{"int": 1}, {"int": -1}]},
    "lists": {"list": [{"list": [{"int": 1}]}, {"list": []}]},
    "struct": {"struct": {"id": {"int": 7}, "tags": {"list": [{"text": "a"}]}, "none": {"nil": None}}},
}
PLAIN = {
    "nil": None,
    "bool": True,
    "int": -5,
    "float": 0.5,
    "text": "lqz ñb",
    "bytes": b"\x00\xff",
    "list": [1, -1],
    "lists": [[1], []],
    "struct": {"id": 7, "tags": ["a"], "none": None},
}
# Protobuf by hand: field 1 of each response.
WIRE = {
    "nil": b"",
    "bool": b"\x08\x01",
    "int": b"\x08\x09",
    "float": b"\x09\x00\x00\x00\x00\x00\x00\xe0\x3f",
    "text": b"\x0a\x07lqz \xc3\xb1b",
    "bytes": b"\x0a\x02\x00\xff",
    "time": b"\x0a\x06\x08\x80\xe2\xcf\xaa\x06",
    "list": b"\x0a\x02\x02\x01",
    "lists": b"\x0a\x03\x0a\x01\x02\x0a\x00",
    "struct": b"\x08\x0e\x12\x01a\x1a\x00",
}


def service(names, streams, service_name="all types"):
    methods = {}
    for name in names:
        shared = {"returns": TYPES[name], "service_time": None, "fail_rate": 0.0}
        methods["get_" + name] = dict(shared, params=[], answer={"value": ANSWERS[name]})
        methods["echo_" + name] = dict(shared, params=[["it", TYPES[name]]], answer={"echo": "it"})
    plain = dict(params=[], returns=TYPES["int"], answer={"value": {"int": 1}})
    methods["fails"] = dict(plain, fail_rate=1.0)
    methods["slow"] = dict(plain, service_time={"fixed_ns": 50000000, "how": "sleep"})
    methods["busy"] = dict(plain, service_time={"uniform_ns": [50000000, 60000000], "how": "busy"})
    if streams:
        methods["feed"] = dict(plain, stream={"items": 250})
    return {"service": service_name, "seed": 42, "methods": methods}


class Peer:
    def __init__(self, script, names, streams=False, options=(), name="all types"):
        self.folder = tempfile.TemporaryDirectory()
        path = os.path.join(self.folder.name, "service.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(service(names, streams, name), file)
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, script), "--port", "0", *options],
            env=dict(os.environ, WIREBENCH_SERVICE=path),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.address = json.loads(self.process.stdout.readline())["listening"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(10)
        self.process.stdout.close()
        self.folder.cleanup()
        assert code == 0, "exit code %d after SIGTERM" % code


class Peers(unittest.TestCase):
    def assert_takes(self, seconds, call):
        start = time.monotonic()
        self.assertEqual(call(), 1)
        self.assertGreaterEqual(time.monotonic() - start, seconds)

    def xmlrpc(self, version):
        names = list(TYPES)
        with Peer("xmlrpc_server.py", names, options=["--http", version]) as peer:
            client = xmlrpc.client.ServerProxy("http://" + peer.address, allow_none=True)
            plain = dict(PLAIN, bytes=xmlrpc.client.Binary(PLAIN["bytes"]))
            plain["time"] = xmlrpc.client.DateTime("20231114T22:13:20")
            for name in names:
                self.assertEqual(getattr(client, "get_" + name)(), plain[name])
                self.assertEqual(getattr(client, "echo_" + name)(plain[name]), plain[name])
            for wrong in [1, "a", None, {"id": 7}, {"id": 7, "tags": [1], "none": None}]:
                with self.assertRaisesRegex(xmlrpc.client.Fault, "TypeError"):
                    client.echo_struct(wrong)
            with self.assertRaisesRegex(xmlrpc.client.Fault, "on purpose"):
                client.fails()
            self.assert_takes(0.05, client.slow)
            self.assert_takes(0.05, client.busy)
            self.assertIn("echo_int", client.system.listMethods())
            client("close")()

    def test_xmlrpc_1_0(self):
        self.xmlrpc("1.0")

    def test_xmlrpc_1_1(self):
        self.xmlrpc("1.1")

    def test_zerorpc(self):
        import zerorpc

        names = [name for name in TYPES if name != "time"]
        with Peer("zerorpc_server.py", names, streams=True) as peer:
            client = zerorpc.Client("tcp://" + peer.address)
            for name in names:
                self.assertEqual(client("get_" + name), PLAIN[name])
                self.assertEqual(client("echo_" + name, PLAIN[name]), PLAIN[name])
            self.assertEqual(list(client.feed()), [1] * 250)
            with self.assertRaisesRegex(zerorpc.RemoteError, "TypeError"):
                client.echo_int(True)
            with self.assertRaisesRegex(zerorpc.RemoteError, "on purpose"):
                client.fails()
            self.assert_takes(0.05, client.slow)
            self.assert_takes(0.05, client.busy)
            client.close()

    def test_grpc(self):
        import grpc

        with Peer("grpc_server.py", list(TYPES), streams=True) as peer:
            with grpc.insecure_channel(peer.address) as channel:

                def call(method, request=b""):
                    return channel.unary_unary("/wirebench.all types/" + method)(request, timeout=10)

                for name, wire in WIRE.items():
                    self.assertEqual(call("get_" + name), wire, name)
                    if name in ("nil", "struct"):
                        continue
                    self.assertEqual(call("echo_" + name, wire), wire, name)
                self.assertEqual(call("echo_nil", b"\x0a\x00"), b"")
                inner = WIRE["struct"]
                self.assertEqual(call("echo_struct", b"\x0a" + bytes([len(inner)]) + inner), inner)
                items = channel.unary_stream("/wirebench.all types/feed")(b"", timeout=10)
                self.assertEqual(list(items), [b"\x08\x02"] * 250)
                with self.assertRaisesRegex(grpc.RpcError, "on purpose"):
                    call("fails")
                self.assert_takes(0.05, lambda: call("slow") == b"\x08\x02")
                self.assert_takes(0.05, lambda: call("busy") == b"\x08\x02")

    def test_grpc_tells_what_it_offers(self):
        import grpc
        from google.protobuf import descriptor_pool
        from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
            ProtoReflectionDescriptorDatabase,
        )

        with Peer("grpc_server.py", list(TYPES), streams=True, name="described") as peer:
            with grpc.insecure_channel(peer.address) as channel:
                database = ProtoReflectionDescriptorDatabase(channel)
                self.assertIn("wirebench.described", database.get_services())
                pool = descriptor_pool.DescriptorPool(database)
                method = pool.FindServiceByName("wirebench.described").FindMethodByName("echo_int")
                self.assertEqual([field.name for field in method.input_type.fields], ["it"])


class Parts(unittest.TestCase):
    def test_random_numbers_are_those_of_wirebench(self):
        import service as parts

        # The generator as published, from state 0: https://prng.di.unimi.it/splitmix64.c
        random = parts.Random(0)
        self.assertEqual(random.bits(), 0xE220A8397B1DCDAF)

    def test_a_stall_holds_every_call_until_its_end(self):
        import service as parts

        delay = parts.Delay({"fixed_ns": 10, "stall_ns": {"every": 2000, "for": 200}})
        drawn = [delay.draw_ns(None, now) for now in (0, 1799, 1800, 1999, 2000)]
        self.assertEqual(drawn, [10, 10, 210, 11, 10])

    def test_a_serial_server_has_one_line(self):
        import service as parts

        plain = dict(params=[], returns="nil", answer={"value": {"nil": None}})
        time = {"fixed_ns": 10, "how": "serial"}
        served = parts.Service({"service": "s", "methods": {"a": dict(plain, service_time=time)}})
        delay = served.methods[0].delay
        ends = [served._due_ns(delay, None, arrival) for arrival in (1000, 1001, 1002, 1500)]
        self.assertEqual(ends, [1010, 1020, 1030, 1510])

    def test_times_are_utc(self):
        import service as parts

        at = datetime.datetime(2023, 11, 14, 22, 13, 20, tzinfo=datetime.timezone.utc)
        self.assertEqual(parts.seconds_of("2023-11-14T22:13:20Z"), int(at.timestamp()))


if __name__ == "__main__":
    unittest.main()
