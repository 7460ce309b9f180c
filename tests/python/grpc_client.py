"""grpcio against our server: python grpc_client.py ADDRESS LIMITED_ADDRESS LIMIT_BYTES PROTO

At the second address the same service takes messages of LIMIT_BYTES at most."""

import sys
import time

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

import grpc_stubs
from checks import check, run

pb2, pb2_grpc = grpc_stubs.made_of(sys.argv[4])
SERVICE = "wirebench.interop"
UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


def connect(address):
    channel = grpc.insecure_channel(address, options=UNLIMITED)
    return channel, pb2_grpc.interopStub(channel)


def refused(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except grpc.RpcError as error:
        return error
    raise AssertionError("no error")


def same(found, expected):
    assert found == expected, "%r instead of %r" % (found, expected)


CHANNEL, STUB = connect(sys.argv[1])


@check
def unary():
    """unary calls of every type, with stubs from `wirebench proto`"""
    value = pb2.EverythingRequest.Value(
        flag=True,
        number=-(2**63),
        ratio=-1.5,
        name="Ünï<&>\0",
        blob=bytes(range(256)),
        tags=["a", "", "c"],
        parts=[pb2.EverythingRequest.Value.Parts(part_name="p", weights=[0.5, 1e300])],
    )
    value.none.SetInParent()
    value.at.seconds = 1_700_000_000
    value.matrix.add().values.extend([1, -1, 2**62])
    value.matrix.add()
    answer = STUB.everything(pb2.EverythingRequest(value=value))
    same(answer.SerializeToString(deterministic=True), value.SerializeToString(deterministic=True))
    empty = pb2.EverythingRequest.Value()
    empty.none.SetInParent()
    empty.at.SetInParent()
    same(STUB.everything(pb2.EverythingRequest(value=empty)).SerializeToString(), empty.SerializeToString())
    same(STUB.nothing(pb2.NothingRequest()), pb2.NothingResponse())
    same(STUB.second(pb2.SecondRequest(first=1, second="two")).value, "two")


@check
def many():
    """1,000 calls in flight on one connection"""
    calls = [STUB.pause.future(pb2.PauseRequest(value=number)) for number in range(1000)]
    same([call.result(timeout=60).value for call in calls], list(range(1000)))


@check
def streams():
    """server streaming: 10,000 items, and a stream that the client gives up"""
    items = [item.value for item in STUB.feed(pb2.FeedRequest(item="an item"))]
    same((len(items), set(items)), (10_000, {"an item"}))
    endless = STUB.endless(pb2.EndlessRequest())
    first = next(endless).value
    for _ in range(2_000):
        same(next(endless).value, first)
    endless.cancel()
    same(STUB.second(pb2.SecondRequest(second="still here")).value, "still here")


@check
def metadata():
    """metadata of any kind is taken"""
    sent = [("x-request-id", "7"), ("x-request-id", "8"), ("authorization", "Bearer x"), ("trace-bin", b"\0\xff")]
    answer, call = STUB.second.with_call(pb2.SecondRequest(second="m"), metadata=sent)
    same((answer.value, call.code()), ("m", grpc.StatusCode.OK))
    long = [("x-long", "y" * 6_000)]
    same(STUB.second(pb2.SecondRequest(second="m"), metadata=long).value, "m")


@check
def deadlines():
    """deadlines: kept, met and missed"""
    same(STUB.slow(pb2.SlowRequest(value=3), timeout=30).value, 3)
    begun = time.monotonic()
    error = refused(STUB.slow, pb2.SlowRequest(value=3), timeout=0.2)
    same(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    error = refused(list, STUB.slow_feed(pb2.SlowFeedRequest(), timeout=0.2))
    same(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    error = refused(list, STUB.endless(pb2.EndlessRequest(), timeout=0.3))
    same(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    assert time.monotonic() - begun < 1.4, "it waited for the answer"
    same(STUB.second(pb2.SecondRequest(second="on")).value, "on")


@check
def statuses():
    """status codes with messages: UNKNOWN, UNIMPLEMENTED, INVALID_ARGUMENT"""
    error = refused(STUB.fails, pb2.FailsRequest())
    same((error.code(), error.details()), (grpc.StatusCode.UNKNOWN, "this call fails on purpose"))
    for path in ["/wirebench.interop/nope", "/wirebench.other/nothing", "/x", "/grpc.health.v1.Health/Nope"]:
        error = refused(CHANNEL.unary_unary(path, bytes, bytes), b"")
        same(error.code(), grpc.StatusCode.UNIMPLEMENTED)
        assert error.details(), path
    error = refused(CHANNEL.unary_unary("/wirebench.interop/second", bytes, bytes), b"\x12\x09x")
    same(error.code(), grpc.StatusCode.INVALID_ARGUMENT)
    assert "protobuf" in error.details(), error.details()


@check
def limits():
    """messages at and over the size limit (RESOURCE_EXHAUSTED)"""
    limit = int(sys.argv[3])
    channel, stub = connect(sys.argv[2])
    # The field's tag and its length of three bytes are of the message too.
    fits = bytes(limit - 4)
    same(stub.blob(pb2.BlobRequest(data=fits)).value, fits)
    error = refused(stub.blob, pb2.BlobRequest(data=fits + b"x"))
    # tonic says OUT_OF_RANGE where all others say RESOURCE_EXHAUSTED.
    assert error.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.OUT_OF_RANGE), error
    error = refused(stub.blob, pb2.BlobRequest(data=bytes(4 * limit)), compression=grpc.Compression.Gzip)
    assert error.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.OUT_OF_RANGE), error
    same(stub.blob(pb2.BlobRequest(data=b"on")).value, b"on")
    channel.close()


@check
def gzip():
    """gzip: compressed requests, while deflate is refused (UNIMPLEMENTED)"""
    data = b"wirebench " * 10_000
    for _ in range(3):
        same(STUB.blob(pb2.BlobRequest(data=data), compression=grpc.Compression.Gzip).value, data)
    same(len(list(STUB.feed(pb2.FeedRequest(item="g" * 100), compression=grpc.Compression.Gzip))), 10_000)
    error = refused(STUB.blob, pb2.BlobRequest(data=data), compression=grpc.Compression.Deflate)
    same(error.code(), grpc.StatusCode.UNIMPLEMENTED)


@check
def reflection():
    """reflection v1 and v1alpha: services, files by name and symbol, and a call from reflection alone"""
    database = ProtoReflectionDescriptorDatabase(CHANNEL)
    services = database.get_services()
    for name in [SERVICE, "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"]:
        assert name in services, services
    pool = descriptor_pool.DescriptorPool(database)
    method = pool.FindServiceByName(SERVICE).FindMethodByName("second")
    request = message_factory.GetMessageClass(method.input_type)(first=1, second="reflected")
    response_class = message_factory.GetMessageClass(method.output_type)
    call = CHANNEL.unary_unary(
        "/%s/%s" % (SERVICE, method.name), type(request).SerializeToString, response_class.FromString
    )
    same(call(request).value, "reflected")
    ours = pool.FindFileContainingSymbol(SERVICE)
    same(pool.FindFileByName(ours.name).serialized_pb, ours.serialized_pb)
    for name in services:
        assert pool.FindServiceByName(name).methods, name
    for version in ["v1", "v1alpha"]:
        conversation(version)


def conversation(version):
    """Asks one thing after the other on one stream, as grpcurl does."""
    converse = CHANNEL.stream_stream(
        "/grpc.reflection.%s.ServerReflection/ServerReflectionInfo" % version,
        reflection_pb2.ServerReflectionRequest.SerializeToString,
        reflection_pb2.ServerReflectionResponse.FromString,
    )
    answers = []

    def questions():
        yield reflection_pb2.ServerReflectionRequest(list_services="*")
        while len(answers) < 1:
            time.sleep(0.001)
        yield reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE + ".second")
        while len(answers) < 2:
            time.sleep(0.001)
        yield reflection_pb2.ServerReflectionRequest(file_by_filename="nope.proto")

    for answer in converse(questions(), timeout=30):
        answers.append(answer)
    names = [service.name for service in answers[0].list_services_response.service]
    assert SERVICE in names, names
    assert len(answers[1].file_descriptor_response.file_descriptor_proto) == 2, "the file and the one of times"
    same((len(answers), answers[2].error_response.error_code), (3, grpc.StatusCode.NOT_FOUND.value[0]))


@check
def health():
    """health: Check, Watch, NOT_FOUND for a service that is not there"""
    stub = health_pb2_grpc.HealthStub(CHANNEL)
    serving = health_pb2.HealthCheckResponse.SERVING
    for name in ["", SERVICE]:
        same(stub.Check(health_pb2.HealthCheckRequest(service=name)).status, serving)
    error = refused(stub.Check, health_pb2.HealthCheckRequest(service="nope"))
    same(error.code(), grpc.StatusCode.NOT_FOUND)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=SERVICE))
    same(next(watch).status, serving)
    assert watch.is_active(), "a watch stays open"
    watch.cancel()
    watch = stub.Watch(health_pb2.HealthCheckRequest(service="nope"))
    same(next(watch).status, health_pb2.HealthCheckResponse.SERVICE_UNKNOWN)
    watch.cancel()


run()
