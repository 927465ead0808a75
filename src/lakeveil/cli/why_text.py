"""Answers to `why`, as people read them and as programs do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lakeveil.core.access.changing.change_calls import commands
from lakeveil.core.access.changing.change_words import day, resource_in_words, spoken, words
from lakeveil.core.access.changing.changes import LakeState
from lakeveil.core.access.changing.exposure import Gain
from lakeveil.core.access.deciding.decision import OWNER, Outcome
from lakeveil.core.access.explaining.explain import (
    Contributing,
    EffectiveTag,
    Explanation,
    Failing,
    Obstacle,
    ObstacleKind,
)
from lakeveil.core.access.explaining.fixes import Fix
from lakeveil.core.access.explaining.told import UNTOLD
from lakeveil.flows.explain_access import Why

_FIXES = 5
_SAID = {
    Outcome.VISIBLE: "may see",
    Outcome.MASKED: "sees only a mask of",
    Outcome.HIDDEN: "may not see",
}


def column_text(why: Why, *, every: bool = False, with_commands: bool = False) -> str:
    """The answer about one column; `every` lists all that fails and could be changed."""
    (one,) = why.columns
    lines = [f"{spoken(one.principal)} {_SAID[one.outcome]} {one.table}.{one.column}"]
    if one.outcome is not Outcome.HIDDEN and not one.rows.every:
        lines.append(f"  rows    {one.rows.text()}")
    if one.masks:
        lines.append(f"  mask    {_masks(one)}")
    if one.tags:
        lines.append(f"  tags    {' · '.join(_tag(tag) for tag in one.tags)}")
    lines += [f"  because {_contributing(each)}" for each in one.contributing]
    lines += [f"  {_table_reason(reason)}" for reason in _table_reasons(one)]
    lines += _failing(one.failing if every or one.outcome is Outcome.HIDDEN else (), every=every)
    if why.fixes and why.state:
        lines += _fixes(why.fixes if every else why.fixes[:_FIXES], why.state, with_commands)
        if len(why.fixes) > _FIXES and not every:
            lines.append(f"    {len(why.fixes) - _FIXES} more with --all")
    return "\n".join(lines)


def table_text(why: Why) -> str:
    """The answer about all columns of a table, those with the same reason together."""
    name = why.record.table.name
    shown = [one for one in why.columns if one.outcome is not Outcome.HIDDEN]
    lines = [
        f"{spoken(why.principal.arn)} sees {len(shown)} of {len(why.columns)} columns of {name}"
    ]
    groups: dict[tuple[str, str], list[str]] = {}
    for one in why.columns:
        groups.setdefault((one.outcome.value, _short_reason(one)), []).append(one.column)
    width = max((len(", ".join(columns)) for columns in groups.values()), default=0)
    for (outcome, reason), columns in groups.items():
        lines.append(f"  {outcome:<8}{', '.join(columns):<{width}}  {reason}".rstrip())
    if why.columns:
        lines += [f"  {_table_reason(reason)}" for reason in _table_reasons(why.columns[0])]
    return "\n".join(lines)


def document(why: Why) -> dict[str, Any]:
    """The whole answer for programs."""
    return {
        "principal": why.principal.arn,
        "table": str(why.record.table.name),
        "everything": why.everything,
        "columns": [_explanation(one) for one in why.columns],
        "fixes": [fix_document(fix, why.state) for fix in why.fixes] if why.state else [],
    }


def fix_document(fix: Fix, state: LakeState) -> dict[str, Any]:
    """One smallest change for programs."""
    return {
        "changes": [
            {"words": words(change, state), "commands": commands(change, state)}
            for change in fix.changes
        ],
        "exposes": [gain_document(gain) for gain in fix.exposure.gains] if fix.exposure else None,
        "takes": [gain_document(gain) for gain in fix.exposure.losses] if fix.exposure else None,
        "to_others": fix.others,
        "beyond_the_column": fix.beyond,
        "lost": fix.lost,
    }


def gain_document(gain: Gain) -> dict[str, str]:
    """One changed cell for programs."""
    return {
        "principal": gain.principal,
        "table": str(gain.table),
        "column": gain.column,
        "before": gain.before.value,
        "after": gain.after.value,
    }


def exposure_text(gains: Sequence[Gain], losses: Sequence[Gain]) -> str:
    """How much a change exposes and takes."""
    text = f"exposes {_cells(gains)}" if gains else "exposes nothing"
    if losses:
        text += f", takes {_cells(losses)}".replace(" to ", " from ")
    return text


def obstacle_text(obstacle: Obstacle) -> str:
    """What a grant fails on."""
    if obstacle == UNTOLD:
        return "needs a tag that it does not have"
    needed = "|".join(sorted(obstacle.needs))
    absent = " (there is none)" if obstacle.has is None else ""
    return {
        ObstacleKind.TAG: f"needs {obstacle.key}={needed}{absent}",
        ObstacleKind.UNDEFINED_KEY: f"names {obstacle.key}, which is no tag any more",
        ObstacleKind.GUARDED: (
            f"needs {obstacle.key}={needed}; the column must carry its own, and has none"
        ),
        ObstacleKind.EXPRESSION_GONE: f"names expression {obstacle.name}, which is gone",
        ObstacleKind.FILTER_GONE: f"names filter {obstacle.name}, which is gone",
        ObstacleKind.OTHER_COLUMNS: "is about other columns",
        ObstacleKind.NO_SELECT: "does not select",
        ObstacleKind.EXPIRED: f"ended on {day(obstacle.at)}",
        ObstacleKind.NOT_GOVERNED: "waits for the table's location to be registered",
        ObstacleKind.NOT_SHARED: "reaches further than what its account was given",
        ObstacleKind.ELSEWHERE: f"was recorded by {spoken(obstacle.name)}, which has no say here",
    }[obstacle.kind]


def _fixes(fixes: Sequence[Fix], state: LakeState, with_commands: bool) -> Iterator[str]:  # noqa: FBT001 - internal
    yield "  to change it, least exposure first"
    said = ["; ".join(words(change, state) for change in fix.changes) for fix in fixes]
    width = max(len(text) for text in said)
    for number, (fix, text) in enumerate(zip(fixes, said, strict=True), start=1):
        yield f"    {number} {text:<{width}}  {_weight(fix)}"
        if with_commands:
            for change in fix.changes:
                yield from (f"      {line}" for line in commands(change, state))


def _weight(fix: Fix) -> str:
    if fix.exposure is not None:
        return exposure_text(fix.exposure.gains, fix.exposure.losses)
    takes = f", takes {fix.lost} cells" if fix.lost else ""
    return f"exposes {fix.beyond + 1} columns to 1 principal{takes}"


def _failing(failing: Sequence[Failing], *, every: bool) -> Iterator[str]:
    for number, one in enumerate(failing if every else failing[:1]):
        label = "nearest grant" if number == 0 else "also    grant"
        told = " and ".join(obstacle_text(obstacle) for obstacle in one.obstacles)
        yield f"  {label} {one.grant.id} {told}"
    if not every and len(failing) > 1:
        yield f"    {len(failing) - 1} more with --all"


def _contributing(one: Contributing) -> str:
    if one.grant == OWNER:
        return f"it is owned by {spoken(one.via)}"
    text = f"grant {one.grant} to {spoken(one.via)}"
    if one.mask:
        text += f", through mask {one.mask}"
    if one.unfit_for:
        text += f", which does not fit {one.unfit_for} and shows NULL"
    return f"{text}, through filter {one.filter}" if one.filter else text


def _masks(one: Explanation) -> str:
    first, *others = (str(mask) for mask, _ in one.masks)
    beaten = [str(mask) for mask in one.beaten]
    text = f"{first} wins over {', '.join(beaten)}" if beaten else first
    return f"{text}; in further rows {', then '.join(others)}" if others else text


def _tag(tag: EffectiveTag) -> str:
    where = f"set on the {tag.layer}" if tag.layer == "column" else f"from the {tag.layer}"
    by = ""
    if tag.set_by and tag.layer == "column":
        by = f" by {spoken(tag.set_by.principal)}, {day(tag.set_by.at)}"
    lost = "" if tag.defined else ", no tag any more"
    return f"{tag.key}={tag.value} ({where}{by}{lost})"


def _table_reasons(one: Explanation) -> Iterator[str]:
    if not one.governed:
        yield "not-governed"
    if not one.exists:
        yield "not-known"
    if not one.has_data_access:
        yield "no-data-access"
    yield from one.implicit


def _table_reason(reason: str) -> str:
    return {
        "not-governed": "its location is not registered, so no grant counts",
        "not-known": "it may not know that the table is there",
        "no-data-access": "its rights do not allow lakeformation:GetDataAccess: no data is read",
        "administrator": "as administrator it knows of the table, and sees no data of it",
        "read-only-administrator": "as administrator it knows of the table, and sees no data of it",
        OWNER: "as owner it sees all of it",
    }[reason]


def _short_reason(one: Explanation) -> str:
    if one.outcome is not Outcome.HIDDEN:
        return ", ".join(_contributing(each) for each in one.contributing)
    if one.nearest is None:
        return "no grant is near"
    return f"nearest grant {one.nearest.grant.id} " + " and ".join(
        obstacle_text(obstacle) for obstacle in one.nearest.obstacles
    )


def _cells(gains: Sequence[Gain]) -> str:
    columns = len({(gain.table, gain.column) for gain in gains})
    principals = len({gain.principal for gain in gains})
    return (
        f"{columns} column{'s' if columns > 1 else ''} to "
        f"{principals} principal{'s' if principals > 1 else ''}"
    )


def _explanation(one: Explanation) -> dict[str, Any]:
    return {
        "column": one.column,
        "outcome": one.outcome.value,
        "rows": one.rows.text(),
        "mask": str(one.masks[0][0]) if one.masks else None,
        "masks": [{"mask": str(mask), "rows": rows.text()} for mask, rows in one.masks],
        "knows_of_table": one.exists,
        "governed": one.governed,
        "has_data_access": one.has_data_access,
        "implicit": one.implicit,
        "tags": [
            {
                "key": tag.key,
                "value": tag.value,
                "from": tag.layer,
                "defined": tag.defined,
                "set_by": tag.set_by.principal if tag.set_by else None,
                "set_at": tag.set_by.at if tag.set_by else None,
            }
            for tag in one.tags
        ],
        "because": [
            {
                "grant": each.grant,
                "via": each.via,
                "mask": str(each.mask) if each.mask else None,
                "unfit_for": each.unfit_for or None,
                "filter": each.filter or None,
            }
            for each in one.contributing
        ],
        "failing": [
            {
                "grant": each.grant.id,
                "to": each.grant.principal,
                "on": resource_in_words(each.grant.resource),
                "obstacles": [
                    {
                        "kind": obstacle.kind.value,
                        "key": obstacle.key or None,
                        "needs": sorted(obstacle.needs),
                        "has": obstacle.has,
                        "text": obstacle_text(obstacle),
                    }
                    for obstacle in each.obstacles
                ],
            }
            for each in one.failing
        ],
    }
