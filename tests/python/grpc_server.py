"""A server that our client calls, with stubs from `wirebench proto`: python grpc_server.py PROTO LIMIT_BYTES"""

import sys
import time
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

import grpc_stubs
from listening import listening

pb2, pb2_grpc = grpc_stubs.made_of(sys.argv[1])
CODES = {code.value[0]: code for code in grpc.StatusCode}


class Interop(pb2_grpc.interopServicer):
    def nothing(self, request, context):
        return pb2.NothingResponse()

    def everything(self, request, context):
        return pb2.EverythingResponse.FromString(request.value.SerializeToString())

    def second(self, request, context):
        return pb2.SecondResponse(value=request.second)

    def blob(self, request, context):
        return pb2.BlobResponse(value=request.data)

    def slow(self, request, context):
        time.sleep(1.5)
        return pb2.SlowResponse(value=request.value)

    def feed(self, request, context):
        for _ in range(10_000):
            yield pb2.FeedResponse(value=request.item)

    def slow_feed(self, request, context):
        yield pb2.SlowFeedResponse(value=1)
        context.abort(grpc.StatusCode.DATA_LOSS, "lost in the middle")

    def status(self, request, context):
        context.abort(CODES[request.code], request.message)

    def metadata(self, request, context):
        values = [value for name, value in context.invocation_metadata() if name == request.name]
        return pb2.MetadataResponse(value=",".join(values))

    def remaining(self, request, context):
        return pb2.RemainingResponse(value=context.time_remaining() or -1)


def main():
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=10),
        options=[("grpc.max_receive_message_length", int(sys.argv[2]))],
        # grpcio packs its replies whether or not the client says that it reads gzip.
        compression=grpc.Compression.Gzip,
    )
    pb2_grpc.add_interopServicer_to_server(Interop(), server)
    checker = health.HealthServicer()
    checker.set("wirebench.interop", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checker, server)
    reflection.enable_server_reflection(
        ["wirebench.interop", health.SERVICE_NAME, reflection.SERVICE_NAME], server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    listening(port)
    server.wait_for_termination()


main()
