"""The Protocol Buffers: hob.proto as it is, and those that stand in the text of docs/protocol.md. Compiled at start."""

import importlib
import pathlib
import re
import sys
import tempfile

from google.protobuf.descriptor import FieldDescriptor
from grpc_tools import protoc

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "protocol.md"

_made = tempfile.TemporaryDirectory(prefix="hob-strangers-")


def _compile(name, text):
    folder = pathlib.Path(_made.name)
    (folder / f"{name}.proto").write_text(text)
    if protoc.main(["protoc", f"-I{folder}", f"--python_out={folder}", f"{name}.proto"]) != 0:
        sys.exit(f"protoc does not take {name}.proto")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return importlib.import_module(f"{name}_pb2")


def _of_document():
    blocks = re.findall(r"^```protobuf\n(.*?)^```$", DOCUMENT.read_text(), re.M | re.S)
    return 'syntax = "proto3";\npackage hob.clients;\n' + "\n".join(blocks)


box = _compile("hob", (ROOT / "protocol" / "proto" / "hob.proto").read_text())
clients = _compile("clients", _of_document())


def plain(message):
    """A message as docs/vectors.json tells it: bytes as hex, enums by name, defaults left out."""

    def one(field, value):
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            return plain(value)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return value.hex()
        if field.type == FieldDescriptor.TYPE_ENUM:
            return field.enum_type.values_by_number[value].name
        return value

    return {
        field.name: [one(field, each) for each in value] if field.is_repeated else one(field, value)
        for field, value in message.ListFields()
    }


def fill(message, fields):
    """The reverse."""
    for name, value in fields.items():
        field = message.DESCRIPTOR.fields_by_name[name]
        for each in value if field.is_repeated else [value]:
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                inner = getattr(message, name).add() if field.is_repeated else getattr(message, name)
                inner.SetInParent()
                fill(inner, each)
                continue
            if field.type == FieldDescriptor.TYPE_BYTES:
                each = bytes.fromhex(each)
            elif field.type == FieldDescriptor.TYPE_ENUM:
                each = field.enum_type.values_by_name[each].number
            if field.is_repeated:
                getattr(message, name).append(each)
            else:
                setattr(message, name, each)
    return message
