"""A second reader notices each kind of wrong reading, and none where there is none."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import BRIEF, tissue

import rrip_format
from rrip_format.cli import main
from rrip_format.errors import RripError, SecondOpinionError
from rrip_format.second_reader import base, choice, dicom
from rrip_format.second_reader.check import NOT_ASKED, check_source
from rrip_format.second_reader.compare import MEAN_LIMIT, TELLING, deviation, measure
from rrip_format.sources import open_source
from rrip_format.sources.base import Source
from rrip_format.sources.tiff import TiffSource

imagecodecs = pytest.importorskip("imagecodecs")
openslide = pytest.importorskip("openslide")
pyvips = pytest.importorskip("pyvips")
tifffile = pytest.importorskip("tifffile")
Pillow = pytest.importorskip("PIL.Image")

TESTDATA = Path(os.environ.get("RRIP_TESTDATA", Path(__file__).parents[3] / "shared" / "testdata"))
SIDE = 128


def glass() -> np.ndarray:
    """A slide of 700 x 930 px: white glass, a piece of tissue in the middle and one that the right edge cuts."""
    rgb = np.full((700, 930, 3), 250, np.uint8)
    rgb[150:520, 200:640] = tissue(370, 440, seed=5)
    rgb[300:600, 800:] = tissue(300, 130, seed=6)
    return rgb


def write_tiff(path: Path, rgb: np.ndarray, **options: object) -> Path:
    tifffile.imwrite(path, rgb, metadata=None, photometric="rgb", **options)
    return path


def write_dicom(path: Path, rgb: np.ndarray) -> Path:
    """A slide of one file with JPEG frames."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEGBaseline8Bit, generate_uid

    rows, cols = -(-rgb.shape[0] // SIDE), -(-rgb.shape[1] // SIDE)
    padded = np.pad(rgb, ((0, rows * SIDE - rgb.shape[0]), (0, cols * SIDE - rgb.shape[1]), (0, 0)), mode="edge")
    tiles = padded.reshape(rows, SIDE, cols, SIDE, 3).swapaxes(1, 2).reshape(-1, SIDE, SIDE, 3)
    frames = [imagecodecs.jpeg8_encode(np.ascontiguousarray(tile), level=90, subsampling="422") for tile in tiles]
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.6"
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["instance"])
    data.SeriesInstanceUID, data.Modality = generate_uid(entropy_srcs=["series"]), "SM"
    data.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    data.DimensionOrganizationType = "TILED_FULL"
    data.Rows = data.Columns = SIDE
    data.TotalPixelMatrixRows, data.TotalPixelMatrixColumns = rgb.shape[:2]
    data.NumberOfFrames, data.SamplesPerPixel, data.PlanarConfiguration = len(frames), 3, 0
    data.PhotometricInterpretation = "YBR_FULL_422"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    data.PixelData = encapsulate(frames)
    data["PixelData"].VR = "OB"
    data.save_as(path, enforce_file_format=True)
    return path


WRITERS: dict[str, Callable[[Path], Path]] = {
    "jpeg": lambda at: write_tiff(at / "a.tif", glass(), tile=(SIDE, SIDE), compression="jpeg"),
    "ome": lambda at: write_ome(at / "a.ome.tif"),
    "strips": lambda at: write_tiff(at / "s.tif", glass(), rowsperstrip=16, compression="deflate"),
    "picture": lambda at: write_png(at / "a.png"),
    "dicom": lambda at: write_dicom(at / "a.dcm", glass()),
}


def write_ome(path: Path) -> Path:
    options = {"tile": (SIDE, SIDE), "compression": "jpeg", "photometric": "rgb", "subsampling": (2, 2)}
    tifffile.imwrite(path, glass(), ome=True, metadata={"axes": "YXS"}, **options)
    return path


def write_png(path: Path) -> Path:
    Pillow.fromarray(glass()).save(path)
    return path


@pytest.fixture(scope="module", name="files")
def fixture_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    made: dict[str, Path] = {}

    def file(kind: str) -> Path:
        if kind not in made:
            made[kind] = WRITERS[kind](folder)
        return made[kind]

    return file


@pytest.fixture(scope="module", name="shown")
def fixture_shown(files):
    """What the source of each file shows."""
    pictures: dict[str, np.ndarray] = {}

    def picture(kind: str) -> np.ndarray:
        if kind not in pictures:
            with open_source(files(kind)) as source:
                pictures[kind] = source.read(0, 0, source.info.height, source.info.width)
        return pictures[kind]

    return picture


class Wrong(Source):
    """A source that shows a changed picture in the place of its own."""

    def __init__(self, right: Source, rgb: np.ndarray) -> None:
        self.where, self._rgb = right.where, rgb
        self.info = replace(right.info, height=rgb.shape[0], width=rgb.shape[1])

    def _read(self, y: int, x: int, height: int, width: int) -> np.ndarray:
        return self._rgb[y : y + height, x : x + width]

    def fingerprint(self) -> dict[str, str | int]:
        return {}

    def digest(self) -> bytes:
        return b""

    def _close(self) -> None:
        """There is nothing to close."""


def each_tile(rgb: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Change every whole tile by itself."""
    out = rgb.copy()
    for y in range(0, rgb.shape[0] - SIDE + 1, SIDE):
        for x in range(0, rgb.shape[1] - SIDE + 1, SIDE):
            out[y : y + SIDE, x : x + SIDE] = change(rgb[y : y + SIDE, x : x + SIDE])
    return out


def salmon(rgb: np.ndarray) -> np.ndarray:
    """Y, Cb and Cr shown as red, green and blue."""
    return np.asarray(Pillow.fromarray(rgb).convert("YCbCr"))


def enlarged(rgb: np.ndarray) -> np.ndarray:
    """A thumbnail at the size of the slide."""
    small = Pillow.fromarray(rgb).resize((rgb.shape[1] // 8, rgb.shape[0] // 8), Pillow.Resampling.BOX)
    return np.asarray(small.resize(rgb.shape[1::-1], Pillow.Resampling.NEAREST))


def wrong_edge(rgb: np.ndarray) -> np.ndarray:
    """Cut tiles of the right edge take their pixels from the wrong end of the stored tile."""
    out, start = rgb.copy(), rgb.shape[1] // SIDE * SIDE
    out[:, start:] = np.pad(rgb[:, start:], ((0, 0), (SIDE, 0), (0, 0)), mode="edge")[:, : rgb.shape[1] - start]
    return out


SECONDS = {"jpeg": "Pillow", "ome": "Pillow", "strips": "libvips", "picture": "Pillow", "dicom": "pydicom"}

WRONGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mirrored tiles": lambda rgb: each_tile(rgb, lambda tile: tile[:, ::-1]),
    "tiles upside down": lambda rgb: each_tile(rgb, lambda tile: tile[::-1]),
    "transposed tiles": lambda rgb: each_tile(rgb, lambda tile: tile.transpose(1, 0, 2)),
    "mirrored": lambda rgb: rgb[:, ::-1],
    "upside down": lambda rgb: rgb[::-1],
    "turned by 180 degrees": lambda rgb: rgb[::-1, ::-1],
    "turned by 90 degrees": lambda rgb: rgb[::-1].transpose(1, 0, 2),
    "transposed, at its size": lambda rgb: np.resize(rgb.transpose(1, 0, 2), rgb.shape),
    "red and blue exchanged": lambda rgb: rgb[..., ::-1],
    "red and green exchanged": lambda rgb: rgb[..., [1, 0, 2]],
    "salmon": salmon,
    "negative": lambda rgb: 255 - rgb,
    "gray": lambda rgb: np.repeat(rgb.mean(-1, keepdims=True), 3, -1).astype(np.uint8),
    "darker": lambda rgb: (rgb * 0.9).astype(np.uint8),
    "all white": lambda rgb: np.full_like(rgb, 255),
    "all black": np.zeros_like,
    "thumbnail": lambda rgb: rgb[::4, ::4],
    "thumbnail enlarged": enlarged,
    "one tile to the right": lambda rgb: np.roll(rgb, SIDE, 1),
    "one tile down": lambda rgb: np.roll(rgb, SIDE, 0),
    "eight pixels down": lambda rgb: np.roll(rgb, 8, 0),
    "one row lost": lambda rgb: rgb[:-1],
    "another slide": lambda rgb: np.resize(tissue(700, 930, seed=9), rgb.shape),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_right_reading_passes(files, kind):
    with open_source(files(kind)) as source:
        opinion = check_source(source)
        assert opinion.reader == SECONDS[kind]
        assert opinion.blocks > 3
        assert opinion.telling
        assert opinion.reason is None


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("how", WRONGS)
def test_each_kind_of_wrong_reading_is_refused(files, shown, kind, how):
    with open_source(files(kind)) as source:
        wrong = Wrong(source, np.ascontiguousarray(WRONGS[how](shown(kind))))
        with pytest.raises(SecondOpinionError) as caught:
            check_source(wrong)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{files(kind)}: {choice.FIRST_NAMES[source.info.reader]} ")
    assert SECONDS[kind] in message
    assert " px" in message or "the block y=" in message


def test_wrong_tiles_at_the_edge_are_refused(files):
    """The tissue reaches the right edge only, where tiles are cut."""
    with open_source(files("jpeg")) as source:
        rgb = source.read(0, 0, source.info.height, source.info.width)
        with pytest.raises(SecondOpinionError, match="the block"):
            check_source(Wrong(source, wrong_edge(rgb)))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("mirrored tiles", "mirrored left to right"),
        ("red and blue exchanged", "with red and blue exchanged"),
        ("all white", "blank"),
        ("negative", "as its negative"),
    ],
)
def test_the_message_says_what_is_wrong_where_that_is_plain(tmp_path, how, words):
    path = write_tiff(tmp_path / "a.tif", tissue(512, 512), tile=(SIDE, SIDE), compression="jpeg")
    with open_source(path) as source:
        rgb = source.read(0, 0, 512, 512)
        with pytest.raises(SecondOpinionError, match=f"{words}, compared with Pillow"):
            check_source(Wrong(source, np.ascontiguousarray(WRONGS[how](rgb))))


# --- what other right readers do differently --------------------------------------------------------------------------


def plain_upsampling(data: bytes) -> np.ndarray:
    """Decode a 4:2:0 JPEG as decoders without smooth upsampling of chroma do."""
    with Pillow.open(io.BytesIO(data)) as picture:
        picture.draft("YCbCr", picture.size)
        planes = np.asarray(picture).astype(float)
    height, width = planes.shape[:2]
    chroma = planes[..., 1:].reshape(height // 2, 2, width // 2, 2, 2).mean((1, 3)).repeat(2, 0).repeat(2, 1) - 128
    y, cb, cr = planes[..., 0], chroma[..., 0], chroma[..., 1]
    rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], -1)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("quality", [10, 50, 90])
def test_rounding_of_decoders_is_far_below_the_limit(quality):
    rgb = tissue(256, 256)
    data = imagecodecs.jpeg8_encode(rgb, level=quality, subsampling="420")
    smooth = imagecodecs.jpeg8_decode(data)
    plain = plain_upsampling(data)
    assert np.abs(smooth.astype(int) - plain).max() > 4, "these decoders differ"
    assert measure(smooth, plain).mean < MEAN_LIMIT / 5
    assert measure(smooth, plain).is_rounding
    noisy = np.clip(smooth + np.random.default_rng(0).integers(-3, 4, smooth.shape), 0, 255).astype(np.uint8)
    assert measure(smooth, noisy).is_rounding


def test_a_block_that_just_tells_is_enough():
    """Mirroring a block of so little contrast is beyond the limit."""
    rgb = tissue(256, 256).astype(float)
    faint = (200 + (rgb - rgb.mean()) * 0.4).clip(0, 255).astype(np.uint8)
    flat = (200 + (rgb - rgb.mean()) * TELLING / deviation(tissue(256, 256))).clip(0, 255).astype(np.uint8)
    assert deviation(flat) == pytest.approx(TELLING, rel=0.1)
    for block in (faint, flat):
        assert not measure(block, np.ascontiguousarray(block[:, ::-1])).is_rounding


PHOTOMETRICS = {
    "rgb": lambda rgb: rgb,
    "minisblack": lambda rgb: rgb[..., 1],
    "miniswhite": lambda rgb: 255 - rgb[..., 1],
}
COMPRESSIONS = ("none", "lzw", "deflate", "jpeg", "jpeg2000", "packbits", "webp", "zstd")
SLOW = {"webp", "zstd", "jpeg2000"}


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("photometric", PHOTOMETRICS)
@pytest.mark.parametrize("layout", ["tiles", "strips", "planes", "big"])
def test_no_false_alarm(tmp_path, compression, photometric, layout):
    """What is converted has another reader that agrees."""
    if compression in SLOW and layout in {"planes", "big"}:
        pytest.skip("tiles and strips are enough of these")
    samples = PHOTOMETRICS[photometric](glass())
    options: dict[str, object] = {"tile": (SIDE, SIDE)} if layout != "strips" else {"rowsperstrip": 16}
    if layout == "planes":
        samples = np.moveaxis(samples, -1, 0) if samples.ndim == 3 else samples
        options |= {"planarconfig": "separate"} if samples.ndim == 3 else {}
    path = tmp_path / "a.tif"
    try:
        tifffile.imwrite(
            path,
            samples,
            photometric=photometric,
            compression=None if compression == "none" else compression,
            byteorder=">" if layout == "big" else "<",
            bigtiff=layout == "big",
            metadata=None,
            **options,
        )
    except (ValueError, NotImplementedError, RuntimeError):
        pytest.skip("no such TIFF")
    try:
        source = open_source(path)
    except RripError:
        return
    with source:
        opinion = check_source(source)
    alone = compression == "zstd" or (layout == "planes" and photometric == "rgb")
    assert opinion.reader or alone, opinion.reason
    assert opinion.telling or not opinion.reader


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "P and transparency", "RGB and transparency", "1"])
@pytest.mark.parametrize("size", [(200, 150), (700, 130), (700, 930)])
@pytest.mark.parametrize("top", ["tissue", "glass"])
def test_no_false_alarm_of_png(tmp_path, interlaced, mode, size, top):
    """Pillow decodes the beginning of the file only: of an interlaced one that is all of it, without detail."""
    rgb = tissue(*size)
    if top == "glass":
        rgb[: size[0] // 2] = 250
    image = Pillow.fromarray(rgb)
    name, _, transparent = mode.partition(" and ")
    image = image.quantize(60) if name == "P" else image.convert(name)
    options = {"transparency": 0 if name == "P" else (90, 60, 130)} if transparent else {}
    path = tmp_path / "a.png"
    if interlaced:  # which Pillow does not write
        image.save(tmp_path / "b.png", **options)
        whole = pyvips.Image.pngload(str(tmp_path / "b.png"))
        whole.pngsave(str(path), interlace=True, palette=name == "P", bitdepth=1 if name == "1" else 0)
    else:
        image.save(path, **options)
    with open_source(path) as source:
        opinion = check_source(source)
    assert opinion.reader == "Pillow", opinion.reason
    assert opinion.telling, opinion.reason


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("tiled", [True, False])
def test_orientation(tmp_path, orientation, tiled):
    """A source that is turned as viewers turn it passes, another one does not."""
    options: dict[str, object] = {"tile": (SIDE, SIDE)} if tiled else {"rowsperstrip": 16}
    path = write_tiff(tmp_path / "a.tif", glass(), extratags=[(274, "H", 1, orientation, True)], **options)
    with Pillow.open(path) as picture:
        from PIL import ImageOps

        right = np.asarray(ImageOps.exif_transpose(picture))
    with open_source(write_tiff(tmp_path / "b.tif", right, tile=(SIDE, SIDE))) as plain:
        shown = Wrong(plain, right)
    shown.where = str(path)
    for reader in ("openslide", "tifffile"):
        shown.info = replace(shown.info, reader=reader)
        assert check_source(shown).telling
        if orientation > 1:
            untouched = Wrong(shown, glass())
            with pytest.raises(SecondOpinionError):
                check_source(untouched)


def test_jpeg_colours_come_from_the_markers(tmp_path):
    """Tiles with a JFIF marker are YCbCr, whatever the tag says; without a marker the tag counts."""
    for name, tag, marked in (("a", "rgb", True), ("b", "rgb", False), ("c", "ycbcr", False)):
        rgb = tissue(256, 256)
        space = "rgb" if (tag, marked) == ("rgb", False) else "ycbcr"
        stream = imagecodecs.jpeg8_encode(rgb, level=95, colorspace="rgb", outcolorspace=space, subsampling="444")
        if not marked:
            stream = without_markers(stream)
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(
            path, iter([stream]), shape=rgb.shape, dtype="uint8", tile=(256, 256), photometric=tag, compression=7,
            metadata=None,
        )  # fmt: skip
        with open_source(write_png(tmp_path / "x.png")) as any_source:
            right = Wrong(any_source, rgb)
        right.where = str(path)
        for reader in ("openslide", "tifffile"):
            right.info = replace(right.info, reader=reader)
            assert check_source(right).telling, (name, reader)


def without_markers(stream: bytes) -> bytes:
    """A JPEG stream without its APP segments."""
    out, at = stream[:2], 2
    while stream[at + 1] != 0xDA:
        length = int.from_bytes(stream[at + 2 : at + 4], "big") + 2
        if not 0xE0 <= stream[at + 1] <= 0xEF:
            out += stream[at : at + length]
        at += length
    return out + stream[at:]


def test_planes_of_one_size_may_be_any_of_them(tmp_path):
    """Which focal plane is shown is the source's rule; channels in three gray pages make one picture."""
    path = tmp_path / "z.tif"
    with tifffile.TiffWriter(path) as tif:
        for seed in range(3):
            tif.write(tissue(256, 384, seed), photometric="rgb", tile=(SIDE, SIDE), metadata=None)
    with open_source(path) as source:
        assert check_source(source).telling
        assert check_source(Wrong(source, tissue(256, 384, 1))).telling
        mixed = np.concatenate([tissue(256, 384, 0)[:, :192], tissue(256, 384, 1)[:, 192:]], 1)
        with pytest.raises(SecondOpinionError):
            check_source(Wrong(source, mixed))
    grays = tmp_path / "c.tif"
    with tifffile.TiffWriter(grays) as tif:
        for channel in range(3):
            tif.write(glass()[..., channel], photometric="minisblack", tile=(SIDE, SIDE), metadata=None)
    with open_source(path) as source:
        for right, shown in ((True, glass()), (True, glass()[..., ::-1]), (False, glass()[:, ::-1])):
            channels = Wrong(source, shown)
            channels.where = str(grays)
            if right:  # OME-XML may have them in any order
                assert check_source(channels).telling
                continue
            with pytest.raises(SecondOpinionError):
                check_source(channels)


# --- where there is none ----------------------------------------------------------------------------------------------


def test_what_has_no_second_reader_says_so(monkeypatch, files):
    with open_source(glass()) as array:
        assert check_source(array).reader is None
    with open_source(files("jpeg")) as source:
        source.info = replace(source.info, vendor="mirax", reader="openslide")
        monkeypatch.setattr(choice, "is_tiff", lambda head: False)
        assert str(check_source(source)) == "no second opinion: no other reader of mirax is known"


def test_a_library_that_is_not_installed_is_named(monkeypatch, files):
    def without(name, *rest):
        raise ModuleNotFoundError(name=name)

    with open_source(files("dicom")) as source:
        monkeypatch.setattr("importlib.import_module", without)
        assert check_source(source).reason == "pydicom is not installed; openslide is not installed"


def test_a_reader_that_fails_is_no_reason_to_refuse(monkeypatch, files):
    def fail(*_, **__):
        raise ValueError("no such codec")

    with open_source(files("dicom")) as source:
        monkeypatch.setattr(dicom._Frames, "_read_tile", fail)
        opinion = check_source(source)
    assert (opinion.reader, opinion.reason) == (None, "pydicom: no such codec")


def test_files_of_series_and_sparse_frames(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    write_dicom(tmp_path / "a.dcm", glass())
    write_dicom(tmp_path / "small.dcm", glass()[::4, ::4])
    (tmp_path / "Thumbs.db").write_bytes(b"x" * 200)
    reader = dicom.open_dicom(tmp_path / "small.dcm", None, (255, 255, 255))[0]
    assert (reader.height, reader.width) == (700, 930)
    header = pydicom.Dataset()
    header.DimensionOrganizationType, header.NumberOfFrames = "TILED_SPARSE", 1
    place, group = pydicom.Dataset(), pydicom.Dataset()
    place.RowPositionInTotalImagePixelMatrix, place.ColumnPositionInTotalImagePixelMatrix = 129, 1
    group.PlanePositionSlideSequence = [place]
    header.PerFrameFunctionalGroupsSequence = [group]
    assert dicom.frame_places(header, 128, 128, 8) == {(1, 0): 0}
    place.ColumnPositionInTotalImagePixelMatrix = 5
    with pytest.raises(base.UnableError, match="no grid"):
        dicom.frame_places(header, 128, 128, 8)


# --- the commands -----------------------------------------------------------------------------------------------------


@pytest.fixture(name="blue")
def fixture_blue(monkeypatch):
    """Let the reader of TIFF exchange red and blue."""
    read = TiffSource._read
    monkeypatch.setattr(TiffSource, "_read", lambda self, *area: read(self, *area)[..., ::-1])


def run(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_conversion_is_refused_before_anything_is_written(files, tmp_path, blue):
    target = tmp_path / "a.rrip.zarr"
    result = run("convert", files("jpeg"), target)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "tifffile shows" in result.stderr
    assert "Pillow" in result.stderr
    assert "--no-second-opinion" in result.stderr
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SecondOpinionError):
        rrip_format.convert(files("jpeg"), target, BRIEF)
    assert list(tmp_path.iterdir()) == []


def test_a_refused_source_converts_where_one_insists(files, tmp_path, blue):
    target = tmp_path / "a.rrip.zarr"
    assert rrip_format.convert(files("jpeg"), target, BRIEF, second_opinion=False).second_opinion == NOT_ASKED
    result = run("validate", target, "--source", files("jpeg"), "--json")
    assert result.exit_code == 1
    finding, summary = (json.loads(line) for line in result.stdout.splitlines())
    assert finding["rule"] == "source.reading"
    assert "Pillow" in finding["found"]
    assert summary["second_opinion"] is None
    assert summary["source"]["psnr_y"] > 30, "the same reader agrees with itself"


def test_the_commands_say_who_agreed(files, tmp_path):
    target = tmp_path / "a.rrip.zarr"
    result = run("convert", files("jpeg"), target, "--base-tile", 64, "--effort", "fast", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["second_opinion"]["reader"] == "Pillow"
    result = run("validate", target, "--source", files("jpeg"))
    assert result.exit_code == 0
    assert "of the source, Pillow agrees" in result.stdout
    result = run("validate", target, "--source", files("jpeg"), "--json")
    assert json.loads(result.stdout.splitlines()[-1])["second_opinion"]["reader"] == "Pillow"


# --- real slides ------------------------------------------------------------------------------------------------------


ALONE = {"s_rgba_noextra.tif"}
"""Without a second reader: a fourth sample of which nothing is said."""


def real_files() -> list[Path]:
    if not TESTDATA.is_dir():
        return []
    found = sorted(path for path in TESTDATA.rglob("*") if path.is_file())
    return [path for path in found if path.suffix not in {".md", ".npy", ".py", ".db"} and path.name != "DICOMDIR"]


def truth_of(path: Path) -> np.ndarray | None:
    """The right picture of a file, where its circumstance is one in which readers err."""
    folder = path.parent.name
    if path.name == "p_thumb_first_jpeg.tif":
        return None  # tag and markers say YCbCr, and its samples are RGB: every reader shows that in false colours
    if folder == "orientation":
        from PIL import ImageOps

        with Pillow.open(path) as picture:
            return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    if folder in {"rgb-tag-ycbcr-tiles", "thumbnail-first", "unspecified-sample", "missing-tiles"}:
        return np.load(TESTDATA / "field-trial" / "truth.npy")
    return None


@pytest.mark.skipif(not real_files(), reason=f"test data {TESTDATA} is absent; set RRIP_TESTDATA")
@pytest.mark.parametrize(
    "path", real_files(), ids=lambda path: path.relative_to(TESTDATA).as_posix() if isinstance(path, Path) else "none"
)
def test_real_files_pass_exactly_where_they_are_read_right(path):
    try:
        source = open_source(path)
    except RripError:
        return
    with source:
        truth = truth_of(path)
        if truth is not None:
            shown = source.read(0, 0, source.info.height, source.info.width)
            if shown.shape != truth.shape or not measure(shown, np.ascontiguousarray(truth)).mean < 12:
                with pytest.raises(SecondOpinionError):
                    check_source(source)
                return
        opinion = check_source(source)
        assert opinion.reader or path.name in ALONE, opinion.reason
