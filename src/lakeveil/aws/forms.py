"""botocore's shapes made ready: what a model says about a value, read once, when a door opens.

A `Form` is a shape with its pattern compiled and its members resolved, each shape of a model once,
so that a model that refers to itself makes a circle and not an endless tree. A trait that the
wire layer would have to heed and does not (streams, attributes of XML, JSON within strings) is an
error here: an operation either is served as its model says, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from botocore.model import OperationModel, Shape

from lakeveil.aws.patterns import compile_pattern

BODY = "body"
LOCATIONS = frozenset({"uri", "querystring", "header"})
"""Where else than in the body a member of a rest-json request may be."""

_INTEGERS: Mapping[str, tuple[int, int]] = {
    "integer": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
}


class Unserved(ValueError):
    """The model needs something of the wire that is not implemented."""


@dataclass(slots=True, eq=False, kw_only=True)
class Form:
    """What a model says about one value. Only `members` of structures are filled in later."""

    kind: str
    """The type's name in the model: structure, list, map, string, ..."""
    name: str
    members: dict[str, Form] = field(default_factory=dict, repr=False)
    required: tuple[str, ...] = ()
    union: bool = False
    """Exactly one member is given."""
    document: bool = False
    """Any JSON will do."""
    entry: Form | None = field(default=None, repr=False)
    """Of a list or of a map's values."""
    key: Form | None = field(default=None, repr=False)
    least: float | None = None
    """Length of text, size of lists, maps and blobs, value of numbers."""
    most: float | None = None
    enum: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    pattern_text: str = ""
    """As the model writes it."""
    iso8601: bool = False
    """A timestamp that is text also in JSON."""
    locations: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Members of a rest-json request that are not in the body: location, and name there."""

    def each(self) -> Form:
        """The form of a list's entries or a map's values."""
        if self.entry is None:
            raise TypeError(f"{self.name} holds no entries")
        return self.entry


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationForms:
    """What goes in and what comes out of one operation."""

    input: Form
    output: Form
    wrapper: str
    """The element of XML around the result; empty where there is none."""


_NOTHING = Form(kind="structure", name="Nothing")


class FormReader:
    """Reads the shapes of one model."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Form] = {}

    def operation(
        self, model: OperationModel, *, locations: Collection[str] = ()
    ) -> OperationForms:
        """Read what one operation takes and answers.

        `locations` are those that the protocol can read members from, beside the body.

        Raises:
            Unserved: something in it is not implemented, such as a stream.
            UnknownSyntax: a pattern cannot be translated.
        """
        asked, answered = model.input_shape, model.output_shape
        output = self.read(answered) if answered else _NOTHING
        wrapper = answered.serialization.get("resultWrapper", "") if answered else ""
        if asked is None:
            return OperationForms(input=_NOTHING, output=output, wrapper=wrapper)
        located = {
            name: (m.serialization["location"], m.serialization.get("name", name))
            for name, m in asked.members.items()
            if m.serialization.get("location") in locations
        }
        form = self.read(asked, elsewhere=located)
        return OperationForms(input=form, output=output, wrapper=wrapper)

    def read(self, shape: Shape, *, elsewhere: Mapping[str, tuple[str, str]] | None = None) -> Form:
        """The form of a shape; `elsewhere` are its members that are not in the body.

        Raises:
            Unserved, UnknownSyntax: as for `operation`.
        """
        traits = shape.serialization
        unserved = set(traits) - {"timestampFormat", "resultWrapper"}
        times = traits.get("timestampFormat", "")
        if unserved or times not in {"", "iso8601", "unixTimestamp"}:
            raise Unserved(f"{shape.name} needs {', '.join(sorted(unserved)) or times}")
        known = self._known.get((shape.name, times))
        if known is not None and not elsewhere:
            return known
        form = self._new(shape, times)
        form.locations.update(elsewhere or {})
        if not elsewhere:
            self._known[shape.name, times] = form
        self._fill(form, shape)
        return form

    def _new(self, shape: Shape, times: str) -> Form:
        rules = shape.metadata
        pattern = rules.get("pattern", "")
        least, most = _INTEGERS.get(shape.type_name, (None, None))
        return Form(
            kind=shape.type_name,
            name=shape.name,
            required=tuple(rules.get("required", ())),
            union=bool(rules.get("union")),
            document=bool(rules.get("document")),
            least=rules.get("min", least),
            most=rules.get("max", most),
            enum=tuple(rules.get("enum", ())),
            pattern=compile_pattern(pattern) if pattern else None,
            pattern_text=pattern,
            iso8601=times == "iso8601",
        )

    def _fill(self, form: Form, shape: Shape) -> None:
        if form.kind == "structure":
            for name, member in shape.members.items():
                if name in form.locations:
                    form.members[name] = self._scalar(member)
                else:
                    form.members[name] = self.read(member)
        elif form.kind == "list":
            form.entry = self.read(shape.member)
        elif form.kind == "map":
            form.key, form.entry = self.read(shape.key), self.read(shape.value)

    def _scalar(self, shape: Shape) -> Form:
        if shape.type_name in {"structure", "list", "map", "blob"}:
            raise Unserved(f"{shape.name} is no single value, and not in the body")
        return self._new(shape, shape.serialization.get("timestampFormat", "iso8601"))
