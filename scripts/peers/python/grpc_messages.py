"""Protobuf messages for the types of a service, without a .proto file and without protoc.

The rules are Wirebench's: a method has a request message, whose fields in order are the parameters,
and a response message: for a struct its fields in order, else one field, number 1. int is sint64,
time is google.protobuf.Timestamp, nil is an empty message, a list is repeated, and a list of lists
goes through a message whose field 1 is the inner list. Fields have the scenario's names, so that tools
which read the descriptors show them; a name that protobuf forbids is a number here, because names are
not on the wire.
"""

import base64
import json
import re

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

import service

FIELD = descriptor_pb2.FieldDescriptorProto
SCALARS = {
    "bool": FIELD.TYPE_BOOL,
    "int": FIELD.TYPE_SINT64,
    "float": FIELD.TYPE_DOUBLE,
    "text": FIELD.TYPE_STRING,
    "bytes": FIELD.TYPE_BYTES,
}
PACKAGE = "wirebench"
FILE_NAME = "wirebench_peer.proto"
IDENTIFIER = re.compile("[A-Za-z_][A-Za-z0-9_]*")


class Messages:
    """Collects the messages of a service, then makes their classes."""

    def __init__(self):
        self._file = descriptor_pb2.FileDescriptorProto(
            name=FILE_NAME,
            package=PACKAGE,
            syntax="proto3",
            dependency=["google/protobuf/timestamp.proto"],
        )
        self._names = {}
        self._classes = None
        # With the classes comes the pool that has their descriptors.
        self.pool = None

    def message(self, fields):
        """The name of the message with these fields, pairs of name and type, in order. The same fields
        share a message, so that an echoed struct is answered as it came."""
        key = json.dumps([[name, _key(of)] for name, of in fields])
        if key not in self._names:
            name = self._names[key] = "M%d" % len(self._names)
            message = descriptor_pb2.DescriptorProto(name=name)
            used = set()
            for number, (field, of) in enumerate(fields, start=1):
                self._field(message, _field_name(field, number, used), number, of)
            self._file.message_type.append(message)
        return self._names[key]

    def response(self, returns):
        """The name of the response message of a result's type."""
        if returns.name == "struct":
            return self.message(returns.fields)
        return self.message([] if returns.name == "nil" else [("value", returns)])

    def describe(self, service_name, methods):
        """Adds the service, so that reflection can show it; methods are its name, the names of request
        and response, and whether it streams. Says whether protobuf allows all the names."""
        names = [service_name] + [name for name, _, _, _ in methods]
        if not all(map(IDENTIFIER.fullmatch, names)) or service_name in self._names.values():
            return False
        described = self._file.service.add(name=service_name)
        for name, request, response, streams in methods:
            described.method.add(
                name=name,
                input_type=".%s.%s" % (PACKAGE, request),
                output_type=".%s.%s" % (PACKAGE, response),
                server_streaming=streams or None,
            )
        return True

    def _field(self, message, name, number, of):
        field = message.field.add(name=name, number=number, label=FIELD.LABEL_OPTIONAL)
        if of.name == "list":
            field.label = FIELD.LABEL_REPEATED
            of = of.item
        if of.name in SCALARS:
            field.type = SCALARS[of.name]
            return
        field.type = FIELD.TYPE_MESSAGE
        if of.name == "time":
            field.type_name = ".google.protobuf.Timestamp"
        elif of.name == "struct":
            field.type_name = ".%s.%s" % (PACKAGE, self.message(of.fields))
        elif of.name == "list":
            field.type_name = ".%s.%s" % (PACKAGE, self.message([("values", of)]))
        else:
            field.type_name = ".%s.%s" % (PACKAGE, self.message([]))

    def class_of(self, name):
        """The class of a message; no message can be added any more."""
        if self._classes is None:
            self.pool = pool = descriptor_pool.DescriptorPool()
            pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
            pool.AddSerializedFile(self._file.SerializeToString())
            self._classes = {
                name: message_factory.GetMessageClass(pool.FindMessageTypeByName("%s.%s" % (PACKAGE, name)))
                for name in self._names.values()
            }
        return self._classes[name]


def _key(of):
    if of.name == "list":
        return ["list", _key(of.item)]
    if of.name == "struct":
        return ["struct", [[name, _key(inner)] for name, inner in of.fields]]
    return of.name


def _field_name(name, number, used):
    """The name itself, unless protobuf forbids it or would not tell it from another."""
    folded = name.replace("_", "").lower()
    if not IDENTIFIER.fullmatch(name) or folded in used:
        name = folded = "f%d" % number
        while folded in used:
            name = folded = folded + "x"
    used.add(folded)
    return name


def name_of(message, number):
    """The name of a message's field."""
    return message.DESCRIPTOR.fields_by_number[number].name


def fill(message, types, tagged_values):
    """Sets the fields of a message to tagged values of the service file."""
    for number, (of, tagged) in enumerate(zip(types, tagged_values), start=1):
        name = name_of(message, number)
        if of.name == "list":
            _fill_list(getattr(message, name), of.item, tagged["list"])
        elif of.name in SCALARS:
            setattr(message, name, _scalar(of, tagged))
        else:
            _fill_message(getattr(message, name), of, tagged)


def _fill_list(repeated, item, tagged_values):
    for tagged in tagged_values:
        if item.name in SCALARS:
            repeated.append(_scalar(item, tagged))
        else:
            _fill_message(repeated.add(), item, tagged)


def _fill_message(message, of, tagged):
    # A message without content must be there all the same.
    message.SetInParent()
    if of.name == "time":
        message.seconds = service.seconds_of(tagged["time"])
    elif of.name == "list":
        _fill_list(message.values, of.item, tagged["list"])
    elif of.name == "struct":
        fill(message, [inner for _, inner in of.fields], [tagged["struct"][name] for name, _ in of.fields])


def _scalar(of, tagged):
    value = tagged[of.name]
    if of.name == "bytes":
        return base64.b64decode(value)
    return float(value) if of.name == "float" else value
