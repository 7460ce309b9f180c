"""Real clients over UNIX sockets against our servers: python unix_client.py zerorpc|grpc PATH"""

import sys

from checks import check, run

PROTOCOL, PATH = sys.argv[1:]


def by_zerorpc():
    import zerorpc

    client = zerorpc.Client("ipc://" + PATH)
    assert client.second(1, "two") == "two"
    assert sum(1 for item in client.feed()) == 10_000
    client.close()


def by_grpc():
    import grpc

    # By itself grpcio names the path as the authority, which Rust's HTTP libraries refuse (h2, http).
    options = [("grpc.default_authority", "localhost")]
    with grpc.insecure_channel("unix:" + PATH, options) as channel:
        # SecondRequest { sint64 first = 1; string second = 2; }, SecondResponse { string value = 1; }
        second = channel.unary_unary("/wirebench.interop/second")
        assert second(b"\x08\x02\x12\x03two", timeout=30) == b"\x0a\x03two"


def sockets():
    {"zerorpc": by_zerorpc, "grpc": by_grpc}[PROTOCOL]()


sockets.__doc__ = {"zerorpc": "UNIX sockets (ipc)", "grpc": "UNIX sockets (with grpc.default_authority)"}[PROTOCOL]
check(sockets)


run()
