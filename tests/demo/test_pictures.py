"""The demo's contact sheet and page."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from demo.contact_sheet import Card, embedded_thumbnail, write_page, write_sheet, write_strip
from demo.expected import EXPECTED, Expected
from PIL import Image


def card(photo: Expected, *, note: str = "") -> Card:
    quarantined = photo.outcome == "quarantined"
    return Card(
        name=photo.name,
        title=photo.outcome,
        note=note or photo.shows,
        original=photo.original,
        release=None if quarantined else photo.original,
        ok=True,
    )


CARDS = [card(photo) for photo in EXPECTED]


class Outline(HTMLParser):
    """What a page holds and what it would fetch."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in {"img", "meta"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_sheet_shows_every_photo(tmp_path: Path) -> None:
    write_sheet(CARDS, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 1200


def test_the_strip_is_light_enough_for_a_readme(tmp_path: Path) -> None:
    write_strip(CARDS[:3], tmp_path / "strip.jpg")
    assert (tmp_path / "strip.jpg").stat().st_size < 200_000


def test_the_page_is_well_formed_and_needs_nothing_else(tmp_path: Path) -> None:
    write_page(CARDS, tmp_path / "index.html", summary="all well")
    page = (tmp_path / "index.html").read_text("utf-8")
    outline = Outline(page)
    assert outline.open == []
    assert all(str(image["src"]).startswith("data:image/") for image in outline.images)
    assert all(image["alt"] for image in outline.images)
    assert "<script" not in page
    assert "http" not in page
    assert "prefers-color-scheme: dark" in page


def test_the_page_names_every_photo_and_shows_the_hidden_thumbnail(tmp_path: Path) -> None:
    write_page(CARDS, tmp_path / "index.html", summary="7 of 7")
    outline = Outline((tmp_path / "index.html").read_text("utf-8"))
    assert all(photo.name in outline.text for photo in EXPECTED)
    assert "7 of 7" in outline.text
    assert "nothing was released" in outline.text
    assert [i["alt"] for i in outline.images if i.get("class") == "inset"] == ["its thumbnail"]


def test_text_from_outside_is_escaped(tmp_path: Path) -> None:
    shown = card(EXPECTED[0], note="<script>alert(1)</script>")
    write_page([shown], tmp_path / "index.html", summary="<b>")
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "<script>" not in page
    assert "<b>" not in page


def test_the_thumbnail_of_the_demo_photo_is_a_small_copy_of_it() -> None:
    by_name = {photo.name: photo for photo in EXPECTED}
    thumbnail = embedded_thumbnail(by_name["thumbnail.jpg"].original)
    assert thumbnail is not None
    assert max(thumbnail.size) == 160
    assert embedded_thumbnail(by_name["portrait.jpg"].original) is None
