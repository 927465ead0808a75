"""Reads a CloudFormation template and works out its functions, as far as ours uses them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

NO_VALUE = object()


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: `!Ref x` is {"Ref": "x"}."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


def load(path: Path) -> dict[str, Any]:
    """The template with its functions in long form."""
    found = yaml.load(path.read_text("utf-8"), _Loader)
    assert isinstance(found, dict)
    return found


class Stack:
    """A template with its parameters set. `GetAtt` and references to resources stay readable."""

    def __init__(self, template: Mapping[str, Any], **parameters: str) -> None:
        self.template = template
        self.parameters = {
            name: str(parameters.get(name, declared.get("Default", "")))
            for name, declared in template["Parameters"].items()
        }
        assert set(parameters) <= set(self.parameters)

    def resources(self) -> dict[str, Any]:
        """Every resource whose condition holds, worked out."""
        return {
            name: self.resolve(resource)
            for name, resource in self.template["Resources"].items()
            if "Condition" not in resource or self.condition(resource["Condition"])
        }

    def condition(self, name: str) -> bool:
        return bool(self.resolve(self.template["Conditions"][name]))

    def resolve(self, node: Any) -> Any:
        if isinstance(node, list):
            return [v for v in map(self.resolve, node) if v is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, value),) = node.items()
            if name == "Ref":
                return self.ref(value)
            if name.startswith("Fn::"):
                return self.function(name.removeprefix("Fn::"), value)
        worked_out = {k: self.resolve(v) for k, v in node.items()}
        return {k: v for k, v in worked_out.items() if v is not NO_VALUE}

    def ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        return self.parameters.get(name, f"<{name}>")

    def function(self, name: str, value: Any) -> Any:  # noqa: PLR0911 - one return a function
        match name:
            case "GetAtt":
                return f"<{'.'.join(value)}>"
            case "Sub":
                text, given = value if isinstance(value, list) else (value, {})
                known = {k: self.resolve(v) for k, v in given.items()}
                return re.sub(
                    r"\$\{([^}]+)\}",
                    lambda m: str(known[m[1]] if m[1] in known else self.ref(m[1])),
                    text,
                )
            case "If":
                return self.resolve(value[1] if self.condition(value[0]) else value[2])
            case "Equals":
                one, other = self.resolve(value)
                return str(one) == str(other)
            case "Not":
                return not self.resolve(value)[0]
            case "Join":
                return value[0].join(self.resolve(value[1]))
            case "Split":
                return self.resolve(value[1]).split(value[0])
            case "FindInMap":
                table, row, column = self.resolve(value)
                return self.template["Mappings"][table][row][column]
            case _:
                raise LookupError(f"the template uses Fn::{name}, which these tests cannot resolve")
