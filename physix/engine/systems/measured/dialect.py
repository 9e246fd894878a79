"""From the bytes of a file to rows of cells: encoding, delimiter, decimal sign, comments.

Why none of the libraries: charset-normalizer reads `°C` in a short latin-1 file as Chinese (measured
on six headers, five wrong), clevercsv and pandas cost more to import than the rest of this package,
and none of the three tells a scope's preamble from its samples.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from physix.engine.systems.measured.cells import decimal_of, is_missing, kind_of, with_unit
from physix.errors import CsvError
from physix.limits import MAX_FILE_BYTES, MAX_FILE_COLUMNS, MAX_LINE, MAX_LINES

HEAD = 400  # lines in which a header is looked for
_SAMPLE = 200  # lines from the middle and from the end
_SAMPLE_CHARACTERS = 40_000
_DELIMITERS = ("\t", ";", ",", "|", " ")
_COMMENTS = ("#", "%", "//", "!", "*", "--", "@", ">", ";")
_MAGIC = {
    b"PK\x03\x04": "a workbook or an archive (xlsx, ods, zip): save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (xls): save the sheet as CSV",
    b"\x1f\x8b": "compressed (gzip): unpack it first",
    b"\x89HDF": "HDF5: export the table as CSV",
    b"%PDF": "a PDF: copy its table into a text file",
    b"MATLAB": "a MATLAB file: write the table as CSV, for instance with writematrix",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"PAR1": "Parquet: export the table as CSV",
    b"TDSm": "a LabVIEW TDMS file: export it as text",
}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# `19:00:01.123 -> ` is what Arduino's serial monitor puts before each line.
_STAMP = re.compile(r"(\d{1,2}:\d{2}:\d{2}[.,]\d{1,6}) -> ?")
_PAIR = re.compile(r"([A-Za-z_]\w{0,40})\s*[:=]\s*([+-]?[\d.]+(?:[eE][+-]?\d+)?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file: its number from 1, and its cells; a comment has its text instead."""

    number: int
    cells: list[str]
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A text with its dialect.

    Attributes:
        keys: names found in the cells themselves, `x:1.5`; () where cells hold numbers alone.
    """

    lines: Sequence[str]
    encoding: str
    delimiter: str
    decimal: str
    quoted: bool
    comments: tuple[str, ...]
    keys: tuple[str, ...] = ()

    def head(self) -> list[Line]:
        """Return the first lines, comments among them."""
        return list(self.read(self.lines[:HEAD], 1))

    def sample(self) -> list[Line]:
        """Return lines from the middle and the end; all of them in a short file."""
        size = len(self.lines)
        if size <= HEAD + 2 * _SAMPLE:
            return [line for line in self.read(self.lines, 1) if line.comment is None]
        middle = max(HEAD, size // 2)
        parts = ((middle, middle + _SAMPLE), (size - _SAMPLE, size))
        found = [line for start, end in parts for line in self.read(self.lines[start:end], start + 1)]
        return [line for line in found if line.comment is None]

    def read(self, lines: Sequence[str], first: int) -> Iterator[Line]:
        """Yield the lines that are not blank, split into cells; `first` is the first one's number.

        Raises:
            CsvError: a line has more columns than any table.
        """
        for number, cells in self._split(lines, first):
            if len(cells) > MAX_FILE_COLUMNS:
                raise CsvError(
                    f"Line {number} has {len(cells)} columns; at most {MAX_FILE_COLUMNS} are read. "
                    "Keep the columns that matter."
                )
            raw = cells[0].lstrip() if cells else ""
            if raw.startswith(self.comments) and not is_missing(raw):
                yield Line(number, [], self._comment(lines[number - first]))
            elif any(cell and not cell.isspace() for cell in cells):
                yield Line(number, cells)

    def _comment(self, text: str) -> str:
        return text.strip().strip('"').lstrip("".join({*"".join(self.comments), " "}))

    def _split(self, lines: Sequence[str], first: int) -> Iterator[tuple[int, list[str]]]:
        if self.quoted:
            yield from self._quoted(lines, first)
        elif self.delimiter == " ":
            yield from ((first + i, line.split()) for i, line in enumerate(lines))
        else:
            yield from ((first + i, line.split(self.delimiter)) for i, line in enumerate(lines))

    def _quoted(self, lines: Sequence[str], first: int) -> Iterator[tuple[int, list[str]]]:
        blank = self.delimiter == " "
        reader = csv.reader(
            (line.strip() if blank else line for line in lines),
            delimiter=self.delimiter,
            skipinitialspace=True,
        )
        end = 0
        while True:
            begin = reader.line_num
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                # A quote that nothing closes: from here on it is a character like any other.
                for offset in range(begin, len(lines)):
                    yield (
                        first + offset,
                        [cell.strip('" ') for cell in split_plain(lines[offset], self.delimiter)],
                    )
                return
            end = reader.line_num
            if end - begin > 8:
                for offset in range(begin, end):
                    yield (
                        first + offset,
                        [cell.strip('" ') for cell in split_plain(lines[offset], self.delimiter)],
                    )
                continue
            yield first + begin, [cell for cell in cells if cell] if blank else cells


def split_plain(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line in which quotes mean nothing."""
    return line.split() if delimiter == " " else line.split(delimiter)


def read_grid(source: bytes | str) -> Grid:
    """Return a file as lines with the dialect they are written in.

    Bounds come before work: bytes, then lines, then the length of a line and its columns.

    Raises:
        CsvError: too large, no text, or nothing in it that looks like a table.
    """
    size = len(source)
    if size > MAX_FILE_BYTES:
        raise CsvError(
            f"The file has {size} bytes; at most {MAX_FILE_BYTES} are read. Keep every tenth row, say."
        )
    text, encoding = (source, "text") if isinstance(source, str) else _decode(source)
    lines = _lines(text)
    lines = _without_stamps(lines)
    delimiter, quoted = _delimiter(_some(lines))
    _check_width(lines, delimiter)
    keys, lines = _keys(lines, delimiter)
    marks = tuple(mark for mark in _COMMENTS if mark != delimiter)
    cells = [cell for line in _some(lines) for cell in split_plain(line, delimiter)]
    decimal = decimal_of([cell.strip().strip('"') for cell in cells], "" if quoted else delimiter)
    return Grid(
        lines=lines,
        encoding=encoding,
        delimiter=delimiter,
        decimal=decimal,
        quoted=quoted,
        comments=marks,
        keys=keys,
    )


def _decode(content: bytes) -> tuple[str, str]:
    """Return the text and the encoding: a byte order mark, UTF-8, UTF-16 by its zeros, or a code page."""
    for magic, words in _MAGIC.items():
        if content.startswith(magic):
            raise CsvError(f"This file is no text but {words}.")
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, errors="replace"), encoding
    if content.endswith(_PADDING):
        # A logger that lost power leaves the end of its preallocated file as zeros.
        content = content.rstrip(b"\0")
    head = content[:4096]
    if head.count(0) > len(head) // 4:
        encoding = "utf-16-le" if head[1::2].count(0) >= head[0::2].count(0) else "utf-16-be"
        return content.decode(encoding, errors="replace"), encoding
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        pass
    letters = sum(65 <= (byte & 0xDF) <= 90 for byte in head)
    high = sum(byte >= 0xC0 for byte in head)
    # Few letters beyond ASCII are a degree sign or an umlaut; words of them are Cyrillic.
    encoding = "cp1251" if high > 8 and high > letters else "cp1252"
    return content.decode(encoding, errors="replace"), encoding


def _lines(text: str) -> list[str]:
    text = text.removeprefix("\ufeff").rstrip("\0")
    odd = [at for letter in _CONTROL if (at := text.find(letter)) >= 0]
    if not text.isascii() and (half := _SURROGATE.search(text)):
        odd.append(half.start())
    if odd:
        line = text.count("\n", 0, min(odd)) + 1
        raise CsvError(
            f"Line {line} of the file holds a character that is no text. Export it as CSV or plain text, "
            "or remove that line."
        )
    if text.count("\n") + text.count("\r") > 2 * MAX_LINES:
        raise CsvError(f"The file has more than {MAX_LINES} lines. Keep every tenth row, say.")
    if not text.isascii():
        text = text.translate({0x2212: "-", 0xFF0C: ",", 0xFF1B: ";"})
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(lines) > MAX_LINES:
        raise CsvError(
            f"The file has {len(lines)} lines; at most {MAX_LINES} are read. Keep every tenth row, say."
        )
    longest = max(lines, key=len)
    if len(longest) > MAX_LINE:
        widest = max(longest.count(mark) for mark in _DELIMITERS) + 1
        raise CsvError(
            f"Line {lines.index(longest) + 1} has {len(longest)} characters and about {widest} columns; "
            f"at most {MAX_LINE} characters and {MAX_FILE_COLUMNS} columns are read. Is there one row per "
            f"sample?"
        )
    if not any(line and not line.isspace() for line in lines):
        raise CsvError("The file is empty: it needs a column for the time and one for each thing measured.")
    return lines


_SURROGATE = re.compile("[\ud800-\udfff]")
_PADDING = bytes(8)  # UTF-16 ends in one zero at most
_CONTROL = "\0\x01\x02\x03\x04\x05\x06\x07\x08"


def _check_width(lines: Sequence[str], delimiter: str) -> None:
    longest = max(lines, key=len)
    widest = len(split_plain(longest, delimiter))
    # Four cells a name leave room for words between the blanks of a comment.
    if widest > MAX_FILE_COLUMNS and (delimiter != " " or widest > 4 * MAX_FILE_COLUMNS):
        raise CsvError(
            f"Line {lines.index(longest) + 1} has {widest} columns; at most {MAX_FILE_COLUMNS} are read. "
            "Keep the columns that matter."
        )


def _some(lines: Sequence[str]) -> list[str]:
    """Return lines that most likely hold data: from the middle and the end, or all of a short file.

    About 40,000 characters, so that a wide file costs no more than a long one.
    """
    size = len(lines)
    middle = size // 2
    chosen = lines if size <= 2 * _SAMPLE else [*lines[middle : middle + _SAMPLE], *lines[-_SAMPLE:]]
    step = max(1, sum(map(len, chosen)) // _SAMPLE_CHARACTERS)
    return list(chosen[::step])


def _without_stamps(lines: list[str]) -> list[str]:
    stamped = [bool(_STAMP.match(line)) for line in _some(lines) if line.strip()]
    if sum(stamped) < 0.8 * len(stamped):
        return lines
    plain = [_STAMP.sub("", line, count=1) for line in lines]
    delimiter, _ = _delimiter(_some(plain))
    return [_STAMP.sub(lambda match: match[1] + delimiter, line, count=1) for line in lines]


def _delimiter(lines: Iterable[str]) -> tuple[str, bool]:
    """Return the delimiter under which most cells are numbers, and whether quotes enclose cells."""
    sample = [line for line in lines if line.strip()]
    quoted = any('"' in line for line in sample)
    best, best_score = ",", 0.0
    for delimiter in _DELIMITERS:
        widths: Counter[int] = Counter()
        scores: dict[int, float] = {}
        for line in sample:
            cells = [cell.strip().strip('"') for cell in split_plain(line, delimiter)[: MAX_FILE_COLUMNS + 1]]
            full = [cell for cell in cells if not is_missing(cell)]
            numbers = sum(map(_holds_number, full))
            words = len(full) - numbers
            widths[len(cells)] += 1
            if numbers >= 2:
                scores[len(cells)] = scores.get(len(cells), 0.0) + max(0.0, numbers - words)
        score = max(scores.values(), default=0.0)
        # A decimal comma makes two cells of a number, but only where nothing else separates.
        if score > best_score:
            best, best_score = delimiter, score
    return best, quoted


def _holds_number(cell: str) -> bool:
    return kind_of(cell) != "word" or with_unit(cell) is not None or _PAIR.fullmatch(cell) is not None


def _keys(lines: list[str], delimiter: str) -> tuple[tuple[str, ...], list[str]]:
    """Return the names of a log of pairs such as `x:1.5,y:2`, and its lines without them."""
    sample = [split_plain(line, delimiter) for line in _some(lines) if line.strip()]
    matches = [[_PAIR.fullmatch(cell.strip()) for cell in cells] for cells in sample]
    full = [tuple(m[1] if m else "" for m in row) for row in matches if sum(m is not None for m in row)]
    if len(full) < max(3, 0.8 * len(sample)):
        return (), lines
    keys, times = Counter(full).most_common(1)[0]
    if times < 0.8 * len(full) or not any(keys):
        return (), lines
    return keys, [_PAIR.sub(lambda match: match[2], line) for line in lines]
