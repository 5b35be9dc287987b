"""Which files are videos and photos, by their first bytes, then by their names; and which are known but not read."""

from __future__ import annotations

from typing import Literal

from lpff_ray.types import MediaKind

PHOTO_NAMES = {
    *(
        "jpg",
        "jpeg",
        "jpe",
        "jfif",
        "png",
        "apng",
        "webp",
        "gif",
        "bmp",
        "dib",
        "tif",
        "tiff",
        "avif",
        "heic",
    ),
    *("heif", "jp2", "j2k", "jpf", "jpx", "jpc", "ppm", "pgm", "pbm", "pnm", "pfm", "tga", "qoi"),
}
VIDEO_NAMES = {
    *("mp4", "m4v", "mov", "qt", "3gp", "3g2", "mkv", "webm", "avi", "divx", "flv", "f4v", "wmv", "asf"),
    *("ts", "mts", "m2ts", "mpg", "mpeg", "mpe", "m2v", "vob", "ogv", "ogg", "mxf", "264", "h264"),
    *("265", "h265", "hevc", "ivf", "dv", "dif", "y4m", "rm", "rmvb", "nut", "obu"),
}
PHOTO_BRANDS = {
    *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"),
}
TIFF_MAGIC = (b"II*\0", b"MM\0*")
MAGIC = {
    b"\xff\xd8\xff": MediaKind.PHOTO,
    b"\x89PNG\r\n\x1a\n": MediaKind.PHOTO,
    **dict.fromkeys(TIFF_MAGIC, MediaKind.PHOTO),
    b"GIF87a": MediaKind.PHOTO,
    b"GIF89a": MediaKind.PHOTO,
    b"\0\0\0\x0cjP  \r\n\x87\n": MediaKind.PHOTO,  # JPEG 2000
    b"\xff\x4f\xff\x51": MediaKind.PHOTO,  # and its bare code stream
    b"qoif": MediaKind.PHOTO,
    b"\x1aE\xdf\xa3": MediaKind.VIDEO,  # Matroska, WebM
    b"FLV\x01": MediaKind.VIDEO,
    b"0&\xb2u\x8ef\xcf\x11": MediaKind.VIDEO,  # ASF, WMV
    b"OggS": MediaKind.VIDEO,
    b"\0\0\x01\xba": MediaKind.VIDEO,  # MPEG program stream
    b"\0\0\x01\xb3": MediaKind.VIDEO,  # MPEG video
    b"DKIF": MediaKind.VIDEO,  # IVF
    b"YUV4MPEG2 ": MediaKind.VIDEO,
    b".RMF": MediaKind.VIDEO,  # RealMedia
    b"\x1f\x07\x00": MediaKind.VIDEO,  # DV
    b"\x06\x0e\x2b\x34": MediaKind.VIDEO,  # MXF
}
"""First bytes that belong to one kind of file only. A photo may turn out to be an animation."""

_RAW = "a camera's raw file is not read: develop it to JPEG or TIFF"
NOT_READ = {
    **dict.fromkeys(
        (
            "dng",
            "cr2",
            "cr3",
            "crw",
            "nef",
            "nrw",
            "arw",
            "srf",
            "sr2",
            "orf",
            "rw2",
            "raf",
            "pef",
            "srw",
            "3fr",
        ),
        _RAW,
    ),
    "jxl": "JPEG XL is not read: convert it to JPEG or PNG",
    "psd": "Photoshop's file is not read: export it as PNG",
    "exr": "OpenEXR is not read: convert it to PNG or TIFF",
    "hdr": "Radiance HDR is not read: convert it to PNG or TIFF",
    "braw": "Blackmagic RAW is not read: export it as ProRes or H.264",
    "r3d": "RED's raw video is not read: export it as ProRes or H.264",
    "wtv": "WTV is not read: convert it to MP4",
    "m3u8": "a playlist is not read: name the video itself, or download it (yt-dlp, ffmpeg)",
    "mpd": "a playlist is not read: name the video itself, or download it (yt-dlp, ffmpeg)",
    "part": "an unfinished download: let it finish",
    "crdownload": "an unfinished download: let it finish",
}
"""Endings of pictures and videos that nothing here reads, with what to do about them."""
_NOT_READ_BY_BYTES = {
    b"\xff\x0a": "jxl",
    b"\0\0\0\x0cJXL \r\n\x87\n": "jxl",
    b"8BPS": "psd",
    b"v/1\x01": "exr",
    b"#?RADIANCE": "hdr",
    b"FUJIFILMCCD-RAW": "raf",
}


def ending_of(name: str) -> str:
    """A file name's ending in small letters, without the dot; "" if it has none."""
    return name.rsplit(".", 1)[-1].lower() if "." in name else ""


def not_read(head: bytes, name: str) -> str:
    """Why a file of a known format is not read, with what to do; "" for all others. head: as `looks_like_media`."""
    for magic, ending in _NOT_READ_BY_BYTES.items():
        if head.startswith(magic):
            return NOT_READ[ending]
    # Cameras' raw files are TIFFs, or containers with a brand of their own; else bytes go before names.
    may_be_raw = head[:4] in TIFF_MAGIC or head[4:12] == b"ftypcrx "
    if looks_like_media(head, "") and not may_be_raw:
        return ""
    return NOT_READ.get(ending_of(name), "")


def looks_like_media(head: bytes, name: str) -> MediaKind | Literal[""]:
    """Tell a MediaKind, or "" (neither), by a file's first 600 bytes, then by its name's ending."""
    for magic, kind in MAGIC.items():
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF":
        return {b"WEBP": MediaKind.PHOTO, b"AVI ": MediaKind.VIDEO}.get(head[8:12], "")
    if head[4:8] == b"ftyp":
        return MediaKind.PHOTO if head[8:12] in PHOTO_BRANDS else MediaKind.VIDEO
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace():  # PBM, PGM, PPM
        return MediaKind.PHOTO
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return MediaKind.PHOTO
    for packet, first in ((188, 0), (192, 4)):  # MPEG-TS, M2TS
        if head[first : first + 3 * packet : packet] == b"GGG":
            return MediaKind.VIDEO
    ending = ending_of(name)
    return MediaKind.VIDEO if ending in VIDEO_NAMES else MediaKind.PHOTO if ending in PHOTO_NAMES else ""
