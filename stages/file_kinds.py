"""What a file is that should be something else, by its first bytes: errors then say what somebody has in hand."""

_KINDS = (
    (b"PK\x03\x04", "a zip file, or one of Excel or another office program"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a file of an old office program, such as .xls"),
    (b"%PDF-", "a PDF file"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"\x80\x02", "a pickle"),
    (b"\x80\x03", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
    (b"RIFF", "a RIFF file, such as .avi"),
    (b"\x1aE\xdf\xa3", "a Matroska video"),
    (b"version https://git-lfs", "a pointer of Git LFS: fetch the file itself with `git lfs pull`"),
)

HEAD = 512
"""Bytes that tell."""


def kind_of(head: bytes) -> str | None:
    """What a file that begins like this is, to follow ``it is``; None for text and for everything unknown."""
    for signature, kind in _KINDS:
        if head.startswith(signature):
            return kind
    if head[4:8] == b"ftyp":
        return "an MP4 video"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "a web page (was it downloaded without logging in?)"
    return None
