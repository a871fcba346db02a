"""Batches of entries that Dria's clients insert: protobuf, in base64.

    message MetadataValue { oneof value { float float_value = 1; int64 int_value = 2;
                                          string string_value = 3; bool bool_value = 4; } }
    message SingletonVec { repeated float v = 1; map<string, MetadataValue> map = 2; }
    message SingletonStr { string v = 1; map<string, MetadataValue> map = 2; }
    message BatchVec { repeated SingletonVec s = 1; }
    message BatchStr { repeated SingletonStr s = 1; }

Facts from the clients' own definition (package insert_buffer, proto3).
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from foretell.http.refusal import Refused
from foretell.search.storage.filters import Value

MessageName = Literal["BatchVec", "BatchStr"]


def decode(data: str, kind: MessageName) -> tuple[Sequence[Any], Sequence[dict[str, Value]]]:
    """The vectors or the texts of a batch, and their metadata.

    Raises:
        Refused: 400, the data is not base64, or not such a batch.
    """
    batch = message(kind)()
    try:
        batch.ParseFromString(b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        raise Refused(400, "data is not base64") from None
    except DecodeError:
        raise Refused(400, f"data is not a {kind} in protobuf") from None
    values = [list(each.v) if kind == "BatchVec" else each.v for each in batch.s]
    return values, [{name: _value(value) for name, value in each.map.items()} for each in batch.s]


@lru_cache
def message(kind: MessageName) -> type[Any]:
    """The class of a protobuf message."""
    pool = DescriptorPool()
    pool.Add(_file())
    return GetMessageClass(pool.FindMessageTypeByName(f"insert_buffer.{kind}"))


def _value(value: Any) -> Value:
    field = value.WhichOneof("value")
    if field is None:
        raise Refused(400, "data holds metadata without a value")
    return getattr(value, field)


def _file() -> FileDescriptorProto:
    field = FieldDescriptorProto
    file = FileDescriptorProto(name="insert_buffer.proto", package="insert_buffer", syntax="proto3")
    metadata = file.message_type.add(name="MetadataValue")
    metadata.oneof_decl.add(name="value")
    kinds = {"float": field.TYPE_FLOAT, "int": field.TYPE_INT64, "string": field.TYPE_STRING, "bool": field.TYPE_BOOL}
    for number, (name, kind) in enumerate(kinds.items(), 1):
        metadata.field.add(name=f"{name}_value", number=number, type=kind, label=field.LABEL_OPTIONAL, oneof_index=0)
    single, many = field.LABEL_OPTIONAL, field.LABEL_REPEATED
    for what, kind, label in (("Vec", field.TYPE_FLOAT, many), ("Str", field.TYPE_STRING, single)):
        one: DescriptorProto = file.message_type.add(name=f"Singleton{what}")
        one.field.add(name="v", number=1, type=kind, label=label)
        entry = one.nested_type.add(name="MapEntry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, type=field.TYPE_STRING, label=single)
        _message(entry, "value", 2, "MetadataValue", single)
        _message(one, "map", 2, f"Singleton{what}.MapEntry", many)
        _message(file.message_type.add(name=f"Batch{what}"), "s", 1, f"Singleton{what}", many)
    return file


def _message(to: DescriptorProto, name: str, number: int, kind: str, label: Any) -> None:
    kinds = FieldDescriptorProto
    to.field.add(name=name, number=number, type=kinds.TYPE_MESSAGE, type_name=f".insert_buffer.{kind}", label=label)
