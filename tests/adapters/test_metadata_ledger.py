"""What a function without a database knows of a photo: what its release says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lakeveil.adapters.clock import ManualClock
from lakeveil.adapters.memory import InMemoryObjectStore
from lakeveil.adapters.metadata_ledger import MetadataLedger
from lakeveil.core.outcomes import Outcome, PhotoRecord
from lakeveil.core.photos import Collection, Instructions
from lakeveil.errors import UsageError
from lakeveil.flows.redact_photo import release_metadata
from lakeveil.ports import Claim

PHOTOS = Collection(name="photos", source_bucket="in", release_bucket="out")
RECORD = PhotoRecord(
    collection="photos",
    bucket="in",
    key="a.jpg",
    version="v7",
    etag="0123",
    sequencer="00AF",
    outcome=Outcome.RELEASED,
    policy_version=PHOTOS.policy.version,
    detector="lakeveil/default",
    fingerprint="f" * 64,
)


class Desk:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = InMemoryObjectStore(self.clock)
        self.ledger = MetadataLedger(self.store, (PHOTOS,), clock=self.clock)

    def release(self, record: PhotoRecord = RECORD, data: bytes = b"x") -> PhotoRecord:
        written = self.store.put(
            "out",
            record.key,
            data,
            content_type="image/jpeg",
            metadata=release_metadata(record),
        )
        return replace(record, release_etag=written.etag)

    def claim(self) -> Claim:
        claim = self.ledger.claim("photos", "in", "a.jpg", owner="me", lease_s=10.0)
        assert claim is not None
        return claim


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_release_tells_what_it_was_made_of(desk: Desk) -> None:
    written = desk.release()
    assert desk.ledger.record("in", "a.jpg") == replace(written, updated_at=desk.clock.now())


def test_a_photo_without_a_release_is_unknown(desk: Desk) -> None:
    assert desk.ledger.record("in", "a.jpg") is None
    assert desk.claim().previous is None


def test_a_photo_of_another_bucket_is_unknown(desk: Desk) -> None:
    desk.release()
    assert desk.ledger.record("elsewhere", "a.jpg") is None


@pytest.mark.parametrize(
    "metadata",
    [{}, {"lakeveil-outcome": "nonsense"}, {"lakeveil-outcome": "released"} | {"x": "y"}],
)
def test_what_others_put_into_the_release_bucket_settles_nothing(
    desk: Desk, metadata: dict[str, str]
) -> None:
    desk.store.put("out", "a.jpg", b"x", content_type="image/jpeg", metadata=metadata)
    found = desk.ledger.record("in", "a.jpg")
    assert found is None or not found.etag


def test_a_claim_lasts_until_its_lease_ends(desk: Desk) -> None:
    claim = desk.claim()
    assert desk.ledger.is_current(claim)
    desk.clock.sleep(9.0)
    desk.ledger.renew(claim, lease_s=10.0)
    desk.clock.sleep(1.0)
    assert not desk.ledger.is_current(claim)


def test_an_outcome_stands_only_while_its_own_release_lies_there(desk: Desk) -> None:
    claim = desk.claim()
    ours = desk.release()
    assert desk.ledger.complete(claim, ours)
    desk.release(replace(RECORD, etag="4567"), b"theirs")
    assert not desk.ledger.complete(claim, ours)
    desk.store.delete("out", "a.jpg")
    assert not desk.ledger.complete(claim, ours)


def test_an_identical_release_of_other_content_is_not_ours(desk: Desk) -> None:
    claim = desk.claim()
    ours = desk.release()
    desk.release(replace(RECORD, etag="4567"))
    assert not desk.ledger.complete(claim, ours)


@pytest.mark.parametrize("outcome", [Outcome.QUARANTINED, Outcome.DELETED, Outcome.WITHDRAWN])
def test_an_outcome_without_a_release_stands_only_while_there_is_none(
    desk: Desk, outcome: Outcome
) -> None:
    claim = desk.claim()
    assert desk.ledger.complete(claim, replace(RECORD, outcome=outcome))
    desk.release()
    assert not desk.ledger.complete(claim, replace(RECORD, outcome=outcome))


def test_a_release_that_a_reviewer_corrected_outlives_a_changed_policy(desk: Desk) -> None:
    desk.release(replace(RECORD, instructions_revision=3, policy_version="older"))
    claim = desk.claim()
    assert claim.instructions == Instructions(revision=3)
    assert claim.previous is not None
    assert claim.previous.policy_version == PHOTOS.policy.version


def test_review_is_refused_with_where_to_go_instead(desk: Desk) -> None:
    with pytest.raises(UsageError, match="nobody can review") as refused:
        desk.ledger.instruct("in", "a.jpg", Instructions())
    assert "installation" in refused.value.fix


def test_releases_are_listed_by_key_and_outcome(desk: Desk) -> None:
    for key, outcome in [("c", Outcome.RELEASED), ("a", Outcome.UNCHANGED), ("b", "released")]:
        desk.release(replace(RECORD, key=key, outcome=Outcome(outcome)))

    def keys(**which: object) -> list[str]:
        return [r.key for r in desk.ledger.records(**which)]  # type: ignore[arg-type]

    assert keys() == ["a", "b", "c"]
    assert keys(outcome=Outcome.RELEASED) == ["b", "c"]
    assert keys(outcome=Outcome.RELEASED, limit=1) == ["b"]
    assert keys(after="a", limit=1) == ["b"]
    assert keys(prefix="c") == ["c"]
    assert keys(collection="others") == []
