"""The ontology: LF-Tags with their values, and saved expressions over them.

Limits are Lake Formation's: 1,000 keys and 1,000 saved expressions in an account, 1,000 values of a
key, 50 keys in an expression. Who may not know of a tag is told that there is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from lakeveil.core.access.governing.tag_rights import allows_all
from lakeveil.core.access.grants import Grant, OnExpression, OnTag
from lakeveil.core.access.permissions import ON_EXPRESSION, Permission
from lakeveil.core.access.tags import ANY, Expression, LFTag, SavedExpression, fold
from lakeveil.errors import Conflict, NotFound, UsageError
from lakeveil.flows.change_access import AccessDesk, Call, Change, changing, insufficient
from lakeveil.flows.known_resources import NO_TAG, check_expression, known_expression, known_tag

MAX_KEYS = 1_000
MAX_VALUES = 1_000
MAX_EXPRESSIONS = 1_000
MAX_KEYS_IN_EXPRESSION = 50


def create_tag(
    account: str, key: str, values: Iterable[str], *, call: Call, desk: AccessDesk
) -> LFTag:
    """Define a tag in the caller's own ontology.

    Raises:
        Conflict: the key is there.
        UsageError: `*` as a value, or a limit (`limit_exceeded`).
        Refused: the caller has no CREATE_LF_TAG.
    """
    key, folded = fold(key), _values(values)
    tag = LFTag(account=account, key=key, values=folded, created_by=call.who.arn)
    with changing(call, desk, f"tag {key}", asked={"values": sorted(folded)}) as change:
        if Permission.CREATE_LF_TAG not in change.authority.catalog(account)[0]:
            raise insufficient("Create LF-Tag", f"catalog {account}")
        tags = change.authority.policy.tags
        if (account, key) in tags:
            raise Conflict("Tag key already exists.", code="already_exists")
        if sum(1 for owner, _ in tags if owner == account) >= MAX_KEYS:
            raise _limit(f"an account has at most {MAX_KEYS} tag keys")
        _check_count(folded)
        change.lake.put_tag(tag)
    return tag


def update_tag(
    account: str,
    key: str,
    *,
    add: Iterable[str] = (),
    delete: Iterable[str] = (),
    call: Call,
    desk: AccessDesk,
) -> LFTag:
    """Add and delete values of a tag; what is assigned stays as it is.

    Raises:
        NotFound: there is no such tag, or value to delete, for the caller.
        UsageError: nothing is asked, a value to delete is assigned to something, or a limit.
        Refused: the caller has no ALTER for these values; for new ones it takes that for all.
    """
    key, added, deleted = fold(key), _values(add), _values(delete)
    if not added | deleted or added & deleted:
        raise UsageError("Update not allowed: name values to add or to delete, none of them twice.")
    asked = {"add": sorted(added), "delete": sorted(deleted)}
    with changing(call, desk, f"tag {key}", asked=asked) as change:
        tag = known_tag(change.authority, account, key)
        rights = change.authority.tag(account, key)
        if not deleted <= rights.known(tag.values):
            raise NotFound(NO_TAG)
        if not rights.allow(Permission.ALTER, deleted | ({ANY} if added else set())):
            raise insufficient("Alter", f"tag {key}")
        if deleted & change.lake.tag_values_in_use(account, key):
            raise UsageError("Update not allowed: a value to delete is assigned to a resource.")
        left = (tag.values - deleted) | added
        if not left:
            raise UsageError("Update not allowed: a tag keeps at least one value.")
        _check_count(left)
        tag = replace(tag, values=left)
        change.lake.put_tag(tag)
        change.said["values"] = len(left)
    return tag


def delete_tag(account: str, key: str, *, call: Call, desk: AccessDesk) -> None:
    """Remove a tag from the ontology and from everything it is assigned to.

    Grants by expressions that name it stay, and match nothing. Those on the tag itself go: one that
    is created later under the same key is another tag.

    Raises:
        NotFound: there is no such tag for the caller.
        Refused: the caller has no DROP for all of it.
    """
    key = fold(key)
    with changing(call, desk, f"tag {key}") as change:
        tag = known_tag(change.authority, account, key)
        if not change.authority.tag(account, key).allow(Permission.DROP, {ANY}):
            raise insufficient("Drop", f"tag {key}")
        change.lake.remove_tag(account, key)
        for grant in change.authority.policy.grants:
            on = grant.resource
            if isinstance(on, OnTag) and (on.account, on.key) == (account, key):
                change.lake.remove_grant(grant.id)
        change.said["values"] = len(tag.values)


def save_expression(
    account: str,
    name: str,
    body: Expression,
    *,
    description: str = "",
    call: Call,
    desk: AccessDesk,
) -> SavedExpression:
    """Save an expression under a name. Whoever does so may grant with all that is in it.

    Raises:
        Conflict: the name is taken.
        NotFound: a tag or value of it is not there for the caller.
        Refused: the caller has no CREATE_LF_TAG_EXPRESSION, or may not grant with its tags.
    """
    saved = SavedExpression(account=account, name=name, body=body, description=description)
    with changing(call, desk, f"expression {name}", asked={"expression": body.as_dict()}) as change:
        if Permission.CREATE_LF_TAG_EXPRESSION not in change.authority.catalog(account)[0]:
            raise insufficient("Create LF-Tag expression", f"catalog {account}")
        _check_body(change, account, body)
        expressions = change.authority.policy.expressions
        if (account, name) in expressions:
            raise Conflict("LF-Tag expression already exists.", code="already_exists")
        if sum(1 for owner, _ in expressions if owner == account) >= MAX_EXPRESSIONS:
            raise _limit(f"an account has at most {MAX_EXPRESSIONS} saved expressions")
        change.lake.put_expression(saved)
        if not change.authority.administers(account):
            _give_to_creator(change, saved, call)
    return saved


def update_expression(
    account: str,
    name: str,
    body: Expression,
    *,
    description: str | None = None,
    call: Call,
    desk: AccessDesk,
) -> SavedExpression:
    """Replace a saved expression; every grant that names it moves with it at once.

    Raises:
        NotFound: there is none of that name, or no such tag, for the caller.
        Refused: the caller has no ALTER, or may not grant with the tags of the new one.
    """
    with changing(call, desk, f"expression {name}", asked={"expression": body.as_dict()}) as change:
        before = known_expression(change.authority, account, name)
        if Permission.ALTER not in change.authority.expression(account, name)[0]:
            raise insufficient("Alter", f"expression {name}")
        _check_body(change, account, body)
        text = before.description if description is None else description
        saved = replace(before, body=body, description=text)
        change.lake.put_expression(saved)
        change.said["before"] = before.body.as_dict()
    return saved


def delete_expression(account: str, name: str, *, call: Call, desk: AccessDesk) -> None:
    """Remove a saved expression, with all grants that name it.

    Raises:
        NotFound: there is none of that name for the caller.
        Refused: the caller has no DROP.
    """
    with changing(call, desk, f"expression {name}") as change:
        before = known_expression(change.authority, account, name)
        if Permission.DROP not in change.authority.expression(account, name)[0]:
            raise insufficient("Drop", f"expression {name}")
        change.lake.remove_expression(account, name)
        change.said["before"] = before.body.as_dict()


def expression_of(terms: Iterable[tuple[str, Iterable[str]]]) -> Expression:
    """An expression of folded terms.

    Raises:
        UsageError: it has no key, more than 50, one of them twice, or one without a value.
    """
    folded: dict[str, frozenset[str]] = {}
    for key, values in terms:
        if fold(key) in folded:
            raise UsageError(f"The expression names the tag key `{fold(key)}` twice.")
        folded[fold(key)] = frozenset(fold(value) for value in values)
    if len(folded) > MAX_KEYS_IN_EXPRESSION:
        raise UsageError(f"An expression has at most {MAX_KEYS_IN_EXPRESSION} tag keys.")
    try:
        return Expression.of(folded)
    except ValueError as error:
        raise UsageError(f"The expression is empty: {error}.") from error


def _check_body(change: Change, account: str, body: Expression) -> None:
    check_expression(change.authority, account, body)
    if not allows_all(
        change.authority.who,
        account,
        Permission.GRANT_WITH_LF_TAG_EXPRESSION,
        body,
        change.authority.policy,
        now=change.now,
    ):
        raise insufficient("Grant with LF-Tag expression", "each tag of the expression")


def _give_to_creator(change: Change, saved: SavedExpression, call: Call) -> None:
    change.lake.put_grant(
        Grant(
            id="",
            account=saved.account,
            principal=call.who.arn,
            resource=OnExpression(saved.account, saved.name),
            permissions=ON_EXPRESSION,
            grantable=ON_EXPRESSION,
            granted_by=call.who.arn,
            granted_at=change.now,
            reason="created it",
        )
    )


def _values(values: Iterable[str]) -> frozenset[str]:
    folded = frozenset(fold(value) for value in values)
    if ANY in folded:
        raise UsageError(
            "A tag cannot have the value `*`: in grants and expressions it stands for all values."
        )
    return folded


def _check_count(values: frozenset[str]) -> None:
    if len(values) > MAX_VALUES:
        raise _limit(f"a tag has at most {MAX_VALUES} values")


def _limit(rule: str) -> UsageError:
    return UsageError(f"Resource number limit exceeded: {rule}.", code="limit_exceeded")
