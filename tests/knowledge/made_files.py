"""Word files and PDFs as programs make them, as bytes; just as much of them as a test needs."""

import io
import zipfile
from collections.abc import Iterable, Sequence

import pypdf

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TYPES = """<?xml version="1.0" encoding="UTF-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.\
wordprocessingml.document.main+xml"/>
<Override PartName="/word/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.\
wordprocessingml.styles+xml"/></Types>"""
_RELATIONS = """<?xml version="1.0" encoding="UTF-8"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/\
{kind}" Target="{target}"/></Relationships>"""
_STYLES = f"""<?xml version="1.0" encoding="UTF-8"?><w:styles xmlns:w="{_W}">
<w:style w:type="paragraph" w:styleId="Title"><w:name w:val="Title"/></w:style>
<w:style w:type="paragraph" w:styleId="Heading2"><w:name w:val="heading 2"/></w:style></w:styles>"""


def word_file(
    paragraphs: Sequence[tuple[str, str]], table: Sequence[Sequence[str]] = (), extra: bytes = b""
) -> bytes:
    """Return a .docx of (style, text) paragraphs and a table; `extra` is one more XML part."""
    body = "".join(
        f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'
        for style, text in paragraphs
    )
    rows = (
        "".join(f"<w:tc><w:p><w:r><w:t>{cell}</w:t></w:r></w:p></w:tc>" for cell in row)
        for row in table
    )
    if table:
        body += f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>"
    document = (
        f'<?xml version="1.0"?><w:document xmlns:w="{_W}"><w:body>{body}</w:body></w:document>'
    )
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("[Content_Types].xml", _TYPES)
        packed.writestr(
            "_rels/.rels", _RELATIONS.format(kind="officeDocument", target="word/document.xml")
        )
        packed.writestr(
            "word/_rels/document.xml.rels", _RELATIONS.format(kind="styles", target="styles.xml")
        )
        packed.writestr("word/document.xml", document)
        packed.writestr("word/styles.xml", _STYLES)
        if extra:
            packed.writestr("word/comments.xml", extra)
    return made.getvalue()


def pdf_file(pages: Sequence[Sequence[tuple[float, str]]]) -> bytes:
    """Return a PDF of pages of (letters' size, line); Chinese in a font that readers bring."""
    return pdf_of([_stream(_shown(*line) for line in _lines(lines)) for lines in pages])


def pdf_with_table(
    before: str, rows: Sequence[Sequence[str]], after: str, columns: Sequence[int]
) -> bytes:
    """Return a PDF of a line, a table with columns at these points from the left, and a line."""
    shown = [_shown(11, 72, 740, before), _shown(11, 72, 500, after)]
    for place, row in enumerate(rows):
        for left, cell in zip(columns, row, strict=True):
            shown.insert(-1, _shown(11, left, 700 - place * 18, cell))
    return pdf_of([_stream(shown)])


def pdf_of(streams: Sequence[bytes]) -> bytes:
    """Return a PDF of pages with these streams of operators."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", *_FONTS]
    kids = []
    for stream in streams:
        objects.append(stream)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R"
            b" /Resources << /Font << /L 3 0 R /C 4 0 R >> >> >>" % len(objects)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    return _assembled(objects)


_FONTS = [
    b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    b"<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H"
    b" /DescendantFonts [5 0 R] >>",
    b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /CIDSystemInfo"
    b" << /Registry (Adobe) /Ordering (GB1) /Supplement 4 >> /FontDescriptor 6 0 R >>",
    b"<< /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /ItalicAngle 0 /Ascent 880"
    b" /Descent -120 /CapHeight 880 /StemV 80 /FontBBox [0 -120 1000 880] >>",
]


def _lines(lines: Sequence[tuple[float, str]]) -> list[tuple[float, int, int, str]]:
    return [(size, 72, 740 - place * 24, text) for place, (size, text) in enumerate(lines)]


def _shown(size: float, left: int, bottom: int, text: str) -> bytes:
    is_latin = text.isascii()
    string = f"({text})" if is_latin else f"<{text.encode('utf-16-be').hex()}>"
    font = b"L" if is_latin else b"C"
    return b"BT /%s %g Tf 1 0 0 1 %d %d Tm %s Tj ET" % (font, size, left, bottom, string.encode())


def _stream(shown: Iterable[bytes]) -> bytes:
    content = b"\n".join(shown)
    return b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content)


def _assembled(objects: Sequence[bytes]) -> bytes:
    made = io.BytesIO(b"%PDF-1.7\n")
    made.seek(0, io.SEEK_END)
    places = []
    for number, each in enumerate(objects, start=1):
        places.append(made.tell())
        made.write(b"%d 0 obj\n%s\nendobj\n" % (number, each))
    table = made.tell()
    made.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    for place in places:
        made.write(b"%010d 00000 n \n" % place)
    made.write(b"trailer << /Size %d /Root 1 0 R >>\n" % (len(objects) + 1))
    made.write(b"startxref\n%d\n%%%%EOF\n" % table)
    return made.getvalue()


def locked(pdf: bytes, *, user: str, owner: str) -> bytes:
    """Return a PDF that can be read with the `user` password and changed with the `owner`'s."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf))
    writer.encrypt(user_password=user, owner_password=owner, algorithm="AES-256")
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()
