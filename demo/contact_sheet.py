"""The demo's before/after pictures: a contact sheet as PNG and one self-contained page."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFile, ImageFont, ImageOps

PICTURE = 330
"""Side of one picture's square on the sheet, in pixels."""
GAP = 14
CAPTION = 66
COLUMNS = 2

PAPER = (250, 249, 246)
INK = (28, 28, 30)
SOFT = (105, 104, 100)
PLATE = (232, 230, 224)
GOOD = (24, 110, 62)
BAD = (176, 40, 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One photo's before and after. `release` is None where nothing was released."""

    name: str
    title: str
    note: str
    original: bytes
    release: bytes | None
    ok: bool


def write_sheet(cards: Sequence[Card], path: Path) -> None:
    """The contact sheet, two photos to a row, each before and after."""
    width = COLUMNS * (2 * PICTURE + 3 * GAP) + GAP
    rows = -(-len(cards) // COLUMNS)
    height = 74 + rows * (PICTURE + CAPTION + GAP) + GAP
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((2 * GAP, 18), "Lakeveil: before and after", INK, _font(30))
    for i, card in enumerate(cards):
        x = GAP + (i % COLUMNS) * (2 * PICTURE + 3 * GAP)
        y = 74 + (i // COLUMNS) * (PICTURE + CAPTION + GAP)
        _paste_card(sheet, card, x + GAP, y)
    sheet.save(path, "PNG")


def write_strip(cards: Sequence[Card], path: Path, *, side: int = 300) -> None:
    """Before above after, one column per photo: the picture at the top of the README."""
    strip = Image.new("RGB", (len(cards) * (side + GAP) + GAP, 2 * side + 3 * GAP), PAPER)
    for i, card in enumerate(cards):
        x = GAP + i * (side + GAP)
        for row, data in enumerate((card.original, card.release)):
            if data is not None:
                picture = ImageOps.fit(_upright(data), (side, side), centering=(0.5, 0.35))
                strip.paste(picture, (x, GAP + row * (side + GAP)))
    strip.save(path, "JPEG", quality=82)


def write_page(cards: Sequence[Card], path: Path, *, summary: str) -> None:
    """One HTML file that needs nothing else: no script, no network, both colour schemes."""
    body = "\n".join(_card_html(card) for card in cards)
    path.write_text(
        _PAGE.replace("{{summary}}", html.escape(summary)).replace("{{cards}}", body), "utf-8"
    )


def _paste_card(sheet: Image.Image, card: Card, x: int, y: int) -> None:
    draw = ImageDraw.Draw(sheet)
    _paste(sheet, _upright(card.original), x, y)
    thumbnail = embedded_thumbnail(card.original)
    if thumbnail is not None:
        small = ImageOps.contain(thumbnail, (PICTURE // 3, PICTURE // 3))
        framed = ImageOps.expand(small, 3, PAPER)
        sheet.paste(framed, (x + PICTURE - framed.width - 6, y + PICTURE - framed.height - 6))
    after = x + PICTURE + GAP
    if card.release is None:
        draw.rectangle((after, y, after + PICTURE - 1, y + PICTURE - 1), PLATE)
        middle = (after + PICTURE // 2, y + PICTURE // 2)
        draw.text(middle, "nothing was released", SOFT, _font(22), anchor="mm")
    else:
        _paste(sheet, _upright(card.release), after, y)
    draw.text((x, y + PICTURE + 8), card.name, INK, _font(20))
    draw.text((after, y + PICTURE + 8), card.title, GOOD if card.ok else BAD, _font(20))
    draw.text((x, y + PICTURE + 34), card.note, SOFT, _font(15))


def _paste(sheet: Image.Image, picture: Image.Image, x: int, y: int) -> None:
    ImageDraw.Draw(sheet).rectangle((x, y, x + PICTURE - 1, y + PICTURE - 1), PLATE)
    small = ImageOps.contain(picture, (PICTURE, PICTURE), Image.Resampling.LANCZOS)
    sheet.paste(small, (x + (PICTURE - small.width) // 2, y + (PICTURE - small.height) // 2))


def embedded_thumbnail(data: bytes) -> Image.Image | None:
    """The small copy that a camera hid in the metadata, if there is one."""
    at = data.find(b"\xff\xd8\xff", 2)
    if at < 0 or not data.startswith(b"\xff\xd8"):
        return None
    return Image.open(io.BytesIO(data[at:])).convert("RGB")


def _upright(data: bytes) -> Image.Image:
    # The broken photo is shown as a forgiving viewer shows it: that is why it is not released.
    forgiving, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
    try:
        with Image.open(io.BytesIO(data)) as photo:
            return ImageOps.exif_transpose(photo).convert("RGB")
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = forgiving


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _card_html(card: Card) -> str:
    after = '<p class="none">nothing was released</p>'
    if card.release is not None:
        after = f'<img alt="{html.escape(card.name)}, released" src="{_data_uri(card.release)}">'
    thumbnail = embedded_thumbnail(card.original)
    inset = ""
    if thumbnail is not None:
        out = io.BytesIO()
        thumbnail.save(out, "JPEG", quality=85)
        inset = f'<img class="inset" alt="its thumbnail" src="{_data_uri(out.getvalue())}">'
    # A browser may refuse a truncated file, so that one is shown as decoded here.
    shown = card.original if card.release is not None else _as_jpeg(card.original)
    return f"""<article>
<h2>{html.escape(card.name)} <span class="{"good" if card.ok else "bad"}">{
        html.escape(card.title)
    }</span></h2>
<p>{html.escape(card.note)}</p>
<div class="pair">
<figure><img alt="{html.escape(card.name)}, original" src="{_data_uri(shown)}">{
        inset
    }<figcaption>original</figcaption></figure>
<figure>{after}<figcaption>release</figcaption></figure>
</div>
</article>"""


def _as_jpeg(data: bytes) -> bytes:
    out = io.BytesIO()
    _upright(data).save(out, "JPEG", quality=85)
    return out.getvalue()


def _data_uri(data: bytes) -> str:
    with Image.open(io.BytesIO(data)) as photo:
        kind = photo.get_format_mimetype()
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Lakeveil: before and after</title>
<style>
:root { color-scheme: light dark; --paper: #faf9f6; --ink: #1c1c1e; --soft: #5f5e5a;
  --plate: #e8e6e0; --good: #186e3e; --bad: #b0281e }
@media (prefers-color-scheme: dark) {
  :root { --paper: #161618; --ink: #f0efec; --soft: #a9a8a3; --plate: #2a2a2d;
    --good: #6fd39b; --bad: #ff8a80 } }
body { margin: 0 auto; padding: 2rem 1rem; max-width: 72rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
h1 { margin: 0 0 .25rem } h2 { font-size: 1.1rem; margin: 0 }
p { color: var(--soft); margin: .15rem 0 .6rem }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr));
  gap: 2rem; margin-top: 2rem }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .75rem }
figure { margin: 0; position: relative }
figure > img:not(.inset), .none { width: 100%; aspect-ratio: 1; object-fit: contain;
  background: var(--plate); margin: 0; display: block; border-radius: 4px }
.none { display: grid; place-items: center }
.inset { position: absolute; right: .5rem; top: .5rem; width: 28%; border: 3px solid #fff;
  border-radius: 4px }
figcaption { font-size: .85rem; color: var(--soft) }
.good { color: var(--good) } .bad { color: var(--bad) }
</style>
</head>
<body>
<h1>Before and after</h1>
<p>{{summary}}</p>
<main>
{{cards}}
</main>
</body>
</html>
"""
