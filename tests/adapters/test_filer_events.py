"""The store's log is cut into its documents, however it arrives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.adapters.filer_events import DocumentParser
from lakeveil.errors import Unavailable

VALUES = st.recursive(
    st.text() | st.integers() | st.sampled_from(["}", "{", "\n}\n", '"', "\\"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.lists(st.dictionaries(st.text(), VALUES, min_size=1, max_size=4), max_size=4)


@given(documents=DOCUMENTS, cuts=st.lists(st.integers(1, 50), max_size=50), crlf=st.booleans())
def test_every_document_is_found_wherever_the_pipe_cuts_it(
    documents: list[dict[str, Any]], cuts: list[int], crlf: bool
) -> None:
    text = "".join(json.dumps(one, indent=2) + "\n" for one in documents)
    data = (text.replace("\n", "\r\n") if crlf else text).encode()
    parser, found = DocumentParser(), []
    for cut in [*cuts, len(data)]:
        found += parser.feed(data[:cut])
        data = data[cut:]
    assert found == documents


def test_what_is_no_json_is_an_error() -> None:
    with pytest.raises(Unavailable, match="cannot be read"):
        DocumentParser().feed(b"panic: something\n}\n")
