"""Stubs that grpcio-tools makes of a .proto: what a user of gRPC would have."""

import importlib
import os
import sys

import grpc_tools
from grpc_tools import protoc


def made_of(path):
    """The modules of messages and of stubs."""
    folder, name = os.path.split(path)
    wellknown = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")
    options = ["-I" + folder, "-I" + wellknown, "--python_out=" + folder, "--grpc_python_out=" + folder]
    if protoc.main(["protoc"] + options + [name]) != 0:
        sys.exit("protoc does not take " + path)
    sys.path.insert(0, folder)
    stem = name[: -len(".proto")]
    return importlib.import_module(stem + "_pb2"), importlib.import_module(stem + "_pb2_grpc")
