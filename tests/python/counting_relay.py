"""Starts a server and counts what clients say to it and hear from it, beside Wirebench's own relay.

    counting_relay.py HOST:PORT LOG COMMAND...

It listens on HOST:PORT and passes everything on to COMMAND, in whose words INNER_PORT stands for a port
of its own. Each piece that comes is written to LOG as a line "connection direction bytes" before it is
passed on, so that no count is missing when the process is ended.
"""

import socket
import subprocess
import sys
import threading


def pass_on(source, sink, number, direction, log):
    try:
        while piece := source.recv(1 << 16):
            log.write("%d %s %d\n" % (number, direction, len(piece)))
            log.flush()
            sink.sendall(piece)
    except OSError:
        pass
    try:
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def carry(client, port, number, log):
    try:
        server = socket.create_connection(("127.0.0.1", port))
    except OSError:
        client.close()
        return
    for end in (client, server):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    up = threading.Thread(target=pass_on, args=(client, server, number, "up", log), daemon=True)
    up.start()
    pass_on(server, client, number, "down", log)
    up.join()
    client.close()
    server.close()


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        inner = free.getsockname()[1]
    command = [word.replace("INNER_PORT", str(inner)) for word in sys.argv[3:]]
    listener = socket.create_server((host, int(port)), backlog=128)
    subprocess.Popen(command, stdout=subprocess.DEVNULL)
    log = open(sys.argv[2], "a", encoding="ascii")
    number = 0
    while True:
        client, _ = listener.accept()
        threading.Thread(target=carry, args=(client, inner, number, log), daemon=True).start()
        number += 1


main()
