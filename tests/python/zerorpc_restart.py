"""zerorpc.Client against our server, which is killed and started again: python zerorpc_restart.py WIREBENCH SCENARIO"""

import json
import subprocess
import sys
import time

import gevent
import zerorpc

from checks import check, run


def start(wirebench, scenario, listen):
    arguments = [wirebench, "serve", scenario, "--protocol", "zerorpc", "--listen", listen]
    server = subprocess.Popen(arguments, stdout=subprocess.PIPE)
    return server, json.loads(server.stdout.readline())["listening"]


@check
def restart(wirebench, scenario):
    "a restarted server: the loss is reported, the old socket and a new one go on"
    server, address = start(wirebench, scenario, "127.0.0.1:0")
    try:
        client = zerorpc.Client("tcp://" + address, heartbeat=1)
        assert client.pause(1) == 1
        waiting = client("slow", **{"async": True})
        # The call is at the server once a later one is answered.
        assert client.pause(2) == 2
        server.kill()
        server.wait()
        begun = time.monotonic()
        try:
            waiting.get(timeout=20)
            raise AssertionError("no error")
        except zerorpc.LostRemote:
            assert time.monotonic() - begun < 10
        server, again = start(wirebench, scenario, address)
        assert again == address
        fresh = zerorpc.Client("tcp://" + address)
        assert fresh.pause(3) == 3
        assert sum(1 for item in fresh.feed()) == 10_000
        assert client.pause(4) == 4
        fresh.close()
        client.close()
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    gevent.get_hub()
    run(*sys.argv[1:])
