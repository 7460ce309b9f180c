#!/usr/bin/env python3
"""grpcio's server, serving the service of WIREBENCH_SERVICE with messages built at start.

Where grpcio-reflection and grpcio-health-checking are installed, it tells what it offers."""

import signal
import socket
import threading
from concurrent import futures

import service

try:
    import grpc

    import grpc_messages
except ImportError as error:
    service.missing_package(error, "grpcio==1.85.1 protobuf==7.36.2")

try:
    from grpc_health.v1 import health, health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha import reflection
except ImportError:
    reflection = None

# As many as grpcio's own examples have; calls that sleep hold a thread each.
THREADS = 10
THREADS_WHERE_CALLS_SLEEP = 256
MESSAGE_LIMIT_BYTES = 64 * 1024 * 1024


def answerer(method, request_class, response_class):
    """A function from the request message to the response message."""
    struct = method.returns.name == "struct"
    if method.tagged_answer is not None:
        # Made once, as the other peers' answers are; it is encoded for every call.
        response = response_class()
        if struct:
            types = [of for _, of in method.returns.fields]
            values = [method.tagged_answer["struct"][name] for name, _ in method.returns.fields]
            grpc_messages.fill(response, types, values)
        elif method.returns.name != "nil":
            grpc_messages.fill(response, [method.returns], [method.tagged_answer])
        return lambda request: response
    name = grpc_messages.name_of(request_class, method.echo + 1)
    if struct:
        return lambda request: getattr(request, name)
    if method.returns.name == "nil":
        return lambda request: response_class()
    return lambda request: response_class(value=getattr(request, name))


def handler(served, method, messages, request_name, response_name):
    request_class = messages.class_of(request_name)
    response_class = messages.class_of(response_name)
    answer = answerer(method, request_class, response_class)

    def pause(context):
        try:
            served.pause(method)
        except service.ApplicationError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))

    def unary(request, context):
        pause(context)
        return answer(request)

    def stream(request, context):
        pause(context)
        response = answer(request)
        for _ in range(method.items):
            yield response

    if method.items is None:
        kind, function = grpc.unary_unary_rpc_method_handler, unary
    else:
        kind, function = grpc.unary_stream_rpc_method_handler, stream
    return kind(
        function,
        request_deserializer=request_class.FromString,
        response_serializer=response_class.SerializeToString,
    )


def add_methods(server, served):
    """Adds the service and, where it can be described, what it tells about itself."""
    messages = grpc_messages.Messages()
    names = [
        (method, messages.message(method.params), messages.response(method.returns))
        for method in served.methods
    ]
    is_described = messages.describe(
        served.name,
        [(method.name, request, response, method.items is not None) for method, request, response in names],
    )
    handlers = {
        method.name: handler(served, method, messages, request, response)
        for method, request, response in names
    }
    path = grpc_messages.PACKAGE + "." + served.name
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(path, handlers),))
    if reflection is None or not is_described or messages.pool is None:
        return
    checker = health.HealthServicer()
    for name in ("", path):
        checker.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checker, server)
    reflection.enable_server_reflection([path], server, pool=messages.pool)


def why_not(host, port):
    """grpcio does not say why it cannot listen; an ordinary socket does."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return "refused by grpcio"
    except OSError as error:
        return error


def main():
    parser = service.arguments(__doc__)
    parser.add_argument("--threads", type=int, default=None)
    args = parser.parse_args()
    served = service.Service.load()
    served.refuse("protobuf", type_names=["any"])
    threads = args.threads or (THREADS_WHERE_CALLS_SLEEP if served.sleeps() else THREADS)
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=threads),
        options=[
            # Otherwise a second server would share the port, and the calls.
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
            ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
        ],
    )
    add_methods(server, served)
    address = "[%s]" % args.host if ":" in args.host else args.host
    try:
        port = server.add_insecure_port("%s:%d" % (address, args.port))
    except RuntimeError:
        port = 0
    if port == 0:
        service.cannot_listen(args.host, args.port, why_not(args.host, args.port))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    server.start()
    service.listening(args.host, port, "grpc", "grpcio " + grpc.__version__)
    stop.wait()
    server.stop(None)


if __name__ == "__main__":
    main()
