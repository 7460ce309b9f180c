"""A ROUTER that reads and says nothing."""

import zmq

from listening import listening

socket = zmq.Context.instance().socket(zmq.ROUTER)
listening(socket.bind_to_random_port("tcp://127.0.0.1"))
while True:
    socket.recv_multipart()
