"""Protobuf messages for the types of a service, without a .proto file and without protoc.

The rules are Wirebench's: a method has a request message, whose fields in order are the parameters,
and a response message: for a struct its fields in order, else one field, number 1. int is sint64,
time is google.protobuf.Timestamp, nil is an empty message, a list is repeated, and a list of lists
goes through a message whose field 1 is the inner list. Names of fields are not on the wire, so they
are numbers here: a scenario may use names that protobuf forbids.
"""

import base64
import json

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
PACKAGE = "wirebench.peer"


class Messages:
    """Collects the messages of a service, then makes their classes."""

    def __init__(self):
        self._file = descriptor_pb2.FileDescriptorProto(
            name="wirebench_peer.proto",
            package=PACKAGE,
            syntax="proto3",
            dependency=["google/protobuf/timestamp.proto"],
        )
        self._names = {}
        self._classes = None

    def message(self, types):
        """The name of the message with these fields, in order. The same fields share a message, so
        that an echoed struct is answered as it came."""
        key = json.dumps([_key(of) for of in types])
        if key not in self._names:
            name = self._names[key] = "M%d" % len(self._names)
            message = descriptor_pb2.DescriptorProto(name=name)
            for number, of in enumerate(types, start=1):
                self._field(message, number, of)
            self._file.message_type.append(message)
        return self._names[key]

    def response(self, returns):
        """The name of the response message of a result's type."""
        if returns.name == "struct":
            return self.message([of for _, of in returns.fields])
        return self.message([] if returns.name == "nil" else [returns])

    def _field(self, message, number, of):
        field = message.field.add(name="f%d" % number, number=number, label=FIELD.LABEL_OPTIONAL)
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
            field.type_name = ".%s.%s" % (PACKAGE, self.message([inner for _, inner in of.fields]))
        elif of.name == "list":
            field.type_name = ".%s.%s" % (PACKAGE, self.message([of]))
        else:
            field.type_name = ".%s.%s" % (PACKAGE, self.message([]))

    def class_of(self, name):
        """The class of a message; no message can be added any more."""
        if self._classes is None:
            pool = descriptor_pool.DescriptorPool()
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
    return ["struct", [_key(inner) for _, inner in of.fields]] if of.name == "struct" else of.name


def fill(message, types, tagged_values):
    """Sets the fields of a message to tagged values of the service file."""
    for number, (of, tagged) in enumerate(zip(types, tagged_values), start=1):
        name = "f%d" % number
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
        _fill_list(message.f1, of.item, tagged["list"])
    elif of.name == "struct":
        fill(message, [inner for _, inner in of.fields], [tagged["struct"][name] for name, _ in of.fields])


def _scalar(of, tagged):
    value = tagged[of.name]
    if of.name == "bytes":
        return base64.b64decode(value)
    return float(value) if of.name == "float" else value
