"""A user's own gRPC server, which knows nothing of Wirebench: python own_grpc.py PROTOSET [SOCKET]

PROTOSET is the compiled shop.proto with its imports. Its reflection is written from reflection.proto by hand, in the
version v1alpha that older servers have, because grpcio keeps it in a package of its own.
"""

import sys
import threading
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2  # noqa: F401

from listening import listening

with open(sys.argv[1], "rb") as file:
    FILES = descriptor_pb2.FileDescriptorSet.FromString(file.read()).file
POOL = descriptor_pool.Default()
for file in FILES:
    if not file.name.startswith("google/"):
        POOL.AddSerializedFile(file.SerializeToString())


def message(name):
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(name))


Order, Receipt = message("shop.Order"), message("shop.Receipt")
count = 0
lock = threading.Lock()


def store(order, context):
    global count
    with lock:
        count += 1
        number = count
    who = dict(context.invocation_metadata()).get("who", "")
    receipt = Receipt(order=order, number=number, who=who)
    receipt.at.FromNanoseconds(1_500_000_000)
    return receipt


def watch(order, context):
    for number in range(3):
        yield Receipt(order=order, number=number)


def fail(order, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "no such order: ü")


def field(number, payload):
    """A length-delimited field of a message, by hand."""
    length, bytes_of_length = len(payload), b""
    while True:
        low, length = length & 0x7F, length >> 7
        bytes_of_length += bytes([low | (0x80 if length else 0)])
        if not length:
            return bytes([number << 3 | 2]) + bytes_of_length + payload


def reflect(requests, context):
    for request in requests:
        question, name = request[0] >> 3, request[2:].decode()
        if question == 7:
            services = [b"shop.Orders", b"grpc.reflection.v1alpha.ServerReflection"]
            yield field(6, b"".join(field(1, field(1, service)) for service in services))
        else:
            asked = "shop.proto" if question == 4 else name
            found = [file for file in FILES if file.name == asked]
            yield field(4, b"".join(field(1, file.SerializeToString()) for file in found))


def raw(payload):
    return payload


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4), options=[("grpc.so_reuseport", 0)])
    typed = {"request_deserializer": Order.FromString, "response_serializer": Receipt.SerializeToString}
    untyped = {"request_deserializer": raw, "response_serializer": raw}
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "shop.Orders",
                {
                    "Store": grpc.unary_unary_rpc_method_handler(store, **typed),
                    "Watch": grpc.unary_stream_rpc_method_handler(watch, **typed),
                    "Fail": grpc.unary_unary_rpc_method_handler(fail, **typed),
                },
            ),
            grpc.method_handlers_generic_handler(
                "grpc.reflection.v1alpha.ServerReflection",
                {"ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(reflect, **untyped)},
            ),
        )
    )
    port = server.add_insecure_port("127.0.0.1:0")
    if len(sys.argv) > 2:
        server.add_insecure_port("unix:" + sys.argv[2])
    server.start()
    listening(port)
    server.wait_for_termination()


main()
