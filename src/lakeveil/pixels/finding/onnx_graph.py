"""Make an exported ONNX network take any input size, and run fast, on the protobuf wire itself.

Both networks were exported for one input size although every operator in them takes any. The
sizes are plain numbers in the file; replacing them by names (`dim_param`) is all it takes for
ONNX Runtime to accept any size. CenterFace also lists its weights among its inputs, as old
exporters did; ONNX Runtime then must not fold or lay them out anew, and runs slower for it.
Doing both on the wire spares us the `onnx` package.

Field numbers are those of onnx.proto (ONNX IR, version 3 and later).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from lakeveil.errors import SetupError

MODEL_GRAPH = 7
GRAPH_INITIALIZER = 5
TENSOR_NAME = 8
GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_VALUE_INFO = 11, 12, 13
VALUE_NAME, VALUE_TYPE = 1, 2
TYPE_TENSOR = 1
TENSOR_SHAPE = 2
SHAPE_DIM = 1
DIM_PARAM = 2

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

_Wire = bytes | memoryview
"""Views: the weights are most of a file, and are copied as seldom as possible."""
_Change = Callable[[_Wire], bytes]
Axes = Mapping[int, str]
"""Axis number -> the name its size gets; axes of one name must agree at run time."""


def with_free_dims(model: bytes, tensors: Mapping[str, Axes]) -> bytes:
    """The same network, with the named axes of its inputs and outputs free.

    Weights that are listed as inputs too are no longer: they become constants. Recorded shapes
    of intermediate tensors are dropped: they belong to the old size, and the runtime works out
    its own. Everything else is copied byte for byte.

    Args:
        model: a serialised ONNX `ModelProto`.
        tensors: name of a graph input or output -> its axes to free.

    Raises:
        SetupError: it is no such file, or a named tensor or axis is not there.
    """
    missing = dict(tensors)

    def graph(body: _Wire) -> bytes:
        parts: list[_Wire] = []
        weights = {_text(v, TENSOR_NAME) for f, _, v in _fields(body) if f == GRAPH_INITIALIZER}
        for field, raw, value in _fields(body):
            if field == GRAPH_VALUE_INFO:
                continue
            if field in {GRAPH_INPUT, GRAPH_OUTPUT}:
                name = _text(value, VALUE_NAME)
                if field == GRAPH_INPUT and name in weights:
                    continue
                axes = missing.pop(name, None)
                parts.append(_message(field, _freed(value, axes)) if axes else raw)
            else:
                parts.append(raw)
        return b"".join(parts)

    rewritten = _rewrite(memoryview(model), MODEL_GRAPH, graph)
    if missing:
        raise _unreadable(f"it has no tensor `{next(iter(missing))}`")
    return rewritten


def _freed(value_info: _Wire, axes: Axes) -> bytes:
    left = dict(axes)

    def shape(body: _Wire) -> bytes:
        parts: list[_Wire] = []
        axis = 0
        for field, raw, _ in _fields(body):
            if field == SHAPE_DIM:
                name = left.pop(axis, None)
                axis += 1
                if name is not None:
                    parts.append(_message(SHAPE_DIM, _message(DIM_PARAM, name.encode())))
                    continue
            parts.append(raw)
        return b"".join(parts)

    freed = _rewrite(
        value_info,
        VALUE_TYPE,
        lambda kind: _rewrite(
            kind, TYPE_TENSOR, lambda tensor: _rewrite(tensor, TENSOR_SHAPE, shape)
        ),
    )
    if left:
        raise _unreadable(f"a tensor has no axis {next(iter(left))}")
    return freed


def _rewrite(message: _Wire, wanted: int, change: _Change) -> bytes:
    return b"".join(
        _message(field, change(value)) if field == wanted else raw
        for field, raw, value in _fields(message)
    )


def _fields(message: _Wire) -> Iterator[tuple[int, _Wire, _Wire]]:
    """Each field of a message: its number, its bytes as they stand, its payload."""
    at = 0
    while at < len(message):
        start = at
        key, at = _varint(message, at)
        wire = key & 7
        if wire == _VARINT:
            begin = at
            _, at = _varint(message, at)
        elif wire == _BYTES:
            size, begin = _varint(message, at)
            at = begin + size
        elif wire in {_FIXED64, _FIXED32}:
            begin = at
            at += 8 if wire == _FIXED64 else 4
        else:
            raise _unreadable("it is not a protobuf message")
        if at > len(message):
            raise _unreadable("it ends too early")
        yield key >> 3, message[start:at], message[begin:at]


def _varint(data: _Wire, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:  # noqa: PLR2004 - a varint holds at most 64 bits
            raise _unreadable("it is not a protobuf message")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return value, at
        shift += 7


def _message(field: int, body: bytes) -> bytes:
    return _as_varint(field << 3 | _BYTES) + _as_varint(len(body)) + body


def _as_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(message: _Wire, wanted: int) -> str:
    for field, _, value in _fields(message):
        if field == wanted:
            return str(value, "utf-8", "replace")
    return ""


def _unreadable(why: str) -> SetupError:
    return SetupError(
        "a detector model cannot be read",
        why=why,
        fix="lakeveil models install",
        code="model_unreadable",
    )
