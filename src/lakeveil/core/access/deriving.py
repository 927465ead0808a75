"""Tags of what is made of other columns: as closed as the most closed of them.

A grant by tags is a conjunction over keys. So a derived column shows by tags to nobody who would
not see each of its sources by the same grant, if of every key it either carries the value that all
of them carry, or `WITHHELD`, which no expression matches. What it would inherit where it lies does
not count: a key that its sources lack is withheld, too. The values of a key have no order, so
nothing here knows which of two is the more private one.
"""

from __future__ import annotations

from collections.abc import Collection

from lakeveil.core.access.tags import WITHHELD, Tags


def derived_tags(sources: Collection[Tags], inherited: Tags) -> dict[str, str]:
    """What a new column carries explicitly.

    `sources` are the effective tags of each column that it is made of, `inherited` those of the
    place it is made in. Without a source it inherits like any column.

    >>> derived_tags([{"class": "private"}, {"class": "public"}], {}) == {"class": WITHHELD}
    True
    >>> derived_tags([{"class": "public"}], {"class": "private"})
    {'class': 'public'}
    """
    if not sources:
        return {}
    keys = set(inherited).union(*sources)
    return {key: _common(key, sources) for key in sorted(keys)}


def opened_keys(target: Tags, sources: Collection[Tags]) -> tuple[str, ...]:
    """The keys by which a column that is there shows what goes into it to more than its sources do.

    Empty where every source carries whatever the target carries.
    """
    return tuple(
        sorted(
            key
            for key, value in target.items()
            if value != WITHHELD and any(tags.get(key, WITHHELD) != value for tags in sources)
        )
    )


def _common(key: str, sources: Collection[Tags]) -> str:
    values = {tags.get(key, WITHHELD) for tags in sources}
    return values.pop() if len(values) == 1 else WITHHELD
