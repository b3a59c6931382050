"""What may say whose tissue a slide shows stays out of containers and exports unless wanted (spec section 8.8)."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import shutil
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import tissue
from identifying import BASIC_PROFILE, KNOWN

import rrip_format
from rrip_format.cli import main
from rrip_format.containers.creating import open_writer
from rrip_format.family.jpeg import encode
from rrip_format.privacy.identifiers import neutral_name, strip, without_identifiers
from rrip_format.privacy.pictures import may_show_label
from rrip_format.privacy.technical import is_technical, technical
from rrip_format.sources import open_source
from rrip_format.spec.metadata import SlideMetadata

KINDS = (".rrip.zarr", ".rrip.zarr.zip", ".rrip.tif", ".rrip")
EXPORTS = (".tif", ".ome.tif", ".svs", ".dzi")

TECHNICAL = {
    "aperio.AppMag": "40",
    "aperio.MPP": "0.2525",
    "aperio.ICC Profile": "AT2",
    "hamamatsu.SourceLens": "40",
    "hamamatsu.Product": "C9600-12",
    "leica.device-model": "Leica SCN400;Leica SCN",
    "leica.objective": "20",
    "mirax.GENERAL.OBJECTIVE_MAGNIFICATION": "20",
    "mirax.LAYER_0_LEVEL_0_SECTION.MICROMETER_PER_PIXEL_X": "0.2325",
    "ventana.Magnification": "40",
    "ventana.ScannerModel": "VENTANA DP 200",
    "philips.DICOM_PIXEL_SPACING": '"0.000227273" "0.000227273"',
    "philips.DICOM_MANUFACTURERS_MODEL_NAME": '"UFS Scanner"',
    "trestle.Objective Power": "40",
    "sakura.NominalLensMagnification": "20",
    "zeiss.Scaling.Items.X.Value": "2.2e-07",
    "zeiss.Information.Instrument.Objectives.Objective:1.NominalMagnification": "20",
    "dicom.Manufacturer": "GOOGLE",
    "dicom.OpticalPathSequence[0].ObjectiveLensPower": "40",
    "dicom.TransferSyntaxUID": "1.2.840.10008.1.2.4.90",
    "dicom.ImageType[2]": "VOLUME",
    "ome.PhysicalSizeX": "0.25",
    "ome.PhysicalSizeXUnit": "µm",
    "tiff.Software": "NDP.scan 2.5.89",
    "tiff.Model": "C9600-12",
    "tiff.BitsPerSample": "(8, 8, 8)",
    "openslide.mpp-x": "0.25",
    "openslide.vendor": "aperio",
    "openslide.bounds-x": "300",
    "vips.vips-loader": "pngload_source",
}


def run(*args: object):
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.mark.parametrize("vendor", KNOWN)
def test_no_known_identifier_is_technical(vendor):
    where, names = KNOWN[vendor]
    assert where
    names = names or tuple(BASIC_PROFILE)
    for name in names:
        for value in ("S12-3456", "Jane Doe", "1", "2012-01-01", ""):
            assert not is_technical(f"{vendor}.{name}", value), name


def test_the_basic_profile_is_whole():
    assert len(BASIC_PROFILE) > 600
    assert {"PatientName", "AccessionNumber", "BarcodeValue", "DeviceSerialNumber", "StudyInstanceUID"} <= {
        *BASIC_PROFILE
    }
    inside = "dicom.SpecimenDescriptionSequence[0].SpecimenIdentifier", "dicom.OpticalPathSequence[0].PatientName"
    assert not any(is_technical(name, "1") for name in inside)


@pytest.mark.parametrize("name", TECHNICAL)
def test_how_a_slide_was_scanned_is_technical(name):
    assert is_technical(name, TECHNICAL[name])


@pytest.mark.parametrize("name", TECHNICAL)
@pytest.mark.parametrize("value", ["Jane Doe\n1950-01-01", "DOE^JANE", "born 1950-01-01", "x" * 200, "a=b", "12/29/09"])
def test_a_technical_name_does_not_let_anything_pass(name, value):
    assert not is_technical(name, value)


def test_names_that_nobody_has_thought_of_stay_out():
    strange = {"aperio.PatNo": "1", "acme.MPP": "0.25", "MPP": "0.25", "": "1", "aperio.": "1", "aperio.MPP.x": "1"}
    assert technical(strange) == {}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("S12-3456 DOE.svs", "slide.svs"),
        ("doe.ome.tif", "slide.ome.tif"),
        ("DOE.JANE", "slide"),
        ("a.NDPI", "slide.ndpi"),
        ("array", "array"),
        ("unknown", "unknown"),
        ("slide.svs", "slide.svs"),
    ],
)
def test_neutral_names(name, expected):
    assert neutral_name(name) == expected
    assert neutral_name(expected) == expected


def test_a_vendor_that_is_no_name_is_left_out():
    assert without_identifiers(SlideMetadata(vendor="Acme|Jane Doe")).vendor is None
    assert without_identifiers(SlideMetadata(vendor="aperio")).vendor == "aperio"


SECRETS = ("S12-3456", "DOE_JANE", "Jane Doe", "jdoe", "1950-01-01", "2012-01-01", "Muster^Erika", "host-path")


def search(path: Path, secrets) -> list[str]:
    """Secrets in any byte of a file or folder, in members of archives and in what inflates too."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    if path.suffix == ".dzi":
        files += sorted(file for file in path.with_name(f"{path.stem}_files").rglob("*") if file.is_file())
    texts = {file.relative_to(path.parent).as_posix(): file.read_bytes() for file in files}
    for name, data in list(texts.items()):
        if zipfile.is_zipfile(io.BytesIO(data)):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                texts |= {f"{name}/{member}": archive.read(member) for member in archive.namelist()}
        for match in re.finditer(rb"x[\x01\x5e\x9c\xda]", data):
            try:
                texts[f"{name}@{match.start()}"] = zlib.decompressobj().decompress(data[match.start() :], 1 << 16)
            except zlib.error:
                continue
    forms = [(secret, form) for secret in secrets for form in (secret.encode(), secret.encode("utf-16-le"))]
    inside = [f"{secret} in {name}" for name, data in texts.items() for secret, form in forms if form in data]
    return inside + [f"{secret} in the name {name}" for name in texts for secret in secrets if secret in name]


def check_all_ways(source: Path, tmp_path: Path, secrets) -> None:
    """No secret in a default container of any kind, in its exports, or in a stripped copy of one that has them."""
    work = tmp_path / "out"
    work.mkdir()
    for kind in KINDS:
        target, kept, stripped = (work / f"{stem}{kind}" for stem in ("a", "kept", "stripped"))
        assert run("convert", source, target).exit_code == 0
        assert search(target, secrets) == []
        found = json.loads(run("info", target, "--json").stdout)["identifiers"]
        assert (found["name"], found["properties"]) == (None, [])
        assert run("convert", source, kept, "--keep-identifiers", "--label").exit_code == 0
        assert search(kept, secrets) != []
        assert json.loads(run("info", kept, "--json").stdout)["identifiers"]["name"] == source.name
        result = run("convert", kept, stripped, "--strip")
        assert result.exit_code == 0, result.output
        assert search(stripped, secrets) == []
        assert rrip_format.open(stripped).metadata == rrip_format.open(target).metadata
        for other in KINDS[: KINDS.index(kind)]:
            assert rrip_format.open(work / f"stripped{other}").metadata == rrip_format.open(stripped).metadata
    for suffix in EXPORTS:
        for stem in ("a", "kept"):
            assert run("export", work / f"{stem}.rrip.tif", work / f"{stem}{suffix}").exit_code == 0
            assert search(work / f"{stem}{suffix}", secrets) == []


@pytest.mark.parametrize("name", ["aperio_ids.svs", "leica.scn"])
def test_identifiers_of_slides_stay_out(name, testdata, tmp_path):
    source = tmp_path / f"S12-3456 {name}"
    shutil.copyfile(testdata(f"field-trial/identifiers/{name}"), source)
    check_all_ways(source, tmp_path, SECRETS)


def write_tiff(path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    tags = [
        (315, 2, 0, "Jane Doe", True),
        (316, 2, 0, "host-path", True),
        (269, 2, 0, "DOE_JANE.tif", True),
        (33432, 2, 0, "jdoe", True),
        (700, 1, 0, b"<x:xmpmeta>Muster^Erika</x:xmpmeta>", True),
        (65427, 2, 0, "S12-3456", True),
    ]
    tifffile.imwrite(
        path,
        tissue(150, 130),
        tile=(64, 64),
        photometric="rgb",
        description="S12-3456 Jane Doe",
        datetime="2012:01:01 00:00:00",
        metadata=None,
        extratags=tags,
    )


def write_ome(path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    xml = """<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"
    UUID="urn:uuid:S12-3456">
    <Experimenter ID="Experimenter:0" FirstName="Erika" LastName="Muster^Erika" UserName="jdoe"/>
    <Instrument ID="Instrument:0"><Microscope Manufacturer="Acme=S12-3456" SerialNumber="S12-3456"/></Instrument>
    <Image ID="Image:0" Name="DOE_JANE"><AcquisitionDate>2012-01-01</AcquisitionDate><Description>Jane Doe</Description>
    <Pixels ID="Pixels:S12-3456" DimensionOrder="XYCZT" Type="uint8" SizeX="130" SizeY="150" SizeC="3"
    SizeZ="1" SizeT="1" PhysicalSizeX="0.25" PhysicalSizeY="0.25">
    <Channel ID="Channel:0" SamplesPerPixel="3" Name="Jane Doe"/>
    <TiffData/></Pixels></Image></OME>"""
    tifffile.imwrite(path, tissue(150, 130), photometric="rgb", description=xml.encode(), metadata=None)


def write_png(path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    from PIL.PngImagePlugin import PngInfo

    notes = PngInfo()
    notes.add_text("Author", "Jane Doe")
    notes.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta>Muster^Erika S12-3456</x:xmpmeta>")
    exif = image.Exif()
    exif[0x013B], exif[0x010E], exif[0x0132] = "jdoe", "DOE_JANE", "2012:01:01 00:00:00"
    image.fromarray(tissue(150, 130)).save(path, pnginfo=notes, exif=exif)


def write_jpeg(path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    exif = image.Exif()
    exif[0x013B], exif[0x010E], exif[0x013C] = "jdoe", "DOE_JANE", "host-path"
    image.fromarray(tissue(150, 130)).save(path, exif=exif, comment=b"Jane Doe S12-3456")


@pytest.mark.parametrize(
    ("write", "suffix"), [(write_tiff, ".tif"), (write_ome, ".ome.tif"), (write_png, ".png"), (write_jpeg, ".jpg")]
)
def test_identifiers_of_other_files_stay_out(write, suffix, tmp_path):
    pytest.importorskip("openslide")
    source = tmp_path / f"S12-3456 DOE_JANE{suffix}"
    write(source)
    check_all_ways(source, tmp_path, SECRETS)


def picture(height=100, width=300, *, black=0.0) -> np.ndarray:
    rgb = np.full((height, width, 3), 200, np.uint8)
    rgb[:, : int(width * black)] = 3
    return rgb


@pytest.mark.parametrize(
    ("name", "vendor", "rgb", "shown"),
    [
        ("label", "aperio", picture(), True),
        ("macro", "ventana", picture(black=0.25), True),
        ("macro", "hamamatsu", picture(black=0.25), True),
        ("macro", "leica", picture(black=0.25), True),
        ("macro", None, picture(black=0.25), True),
        ("macro", "aperio", picture(), True),
        ("macro", "aperio", picture(black=0.05), True),
        ("macro", "aperio", picture(black=0.25), False),
        ("macro", "aperio", picture(black=0.25)[:, ::-1], True),
        ("thumbnail", "mirax", picture(60, 80), False),
        ("thumbnail", "mirax", picture(60, 240), True),
        ("thumbnail", None, picture(1, 1), False),
    ],
)
def test_which_pictures_show_the_label(name, vendor, rgb, shown):
    assert may_show_label(name, vendor, (3000, 4000), lambda: rgb.shape[:2], lambda: rgb) is shown


def test_a_picture_is_read_only_where_it_decides():
    def never():
        raise AssertionError

    assert may_show_label("label", "aperio", (1, 1), never, never)
    assert may_show_label("macro", "ventana", (1, 1), never, never)


@pytest.mark.parametrize(
    ("name", "kept", "shown"),
    [
        ("CMU-1-Small-Region.svs", {"macro", "thumbnail"}, {"label"}),  # Aperio blackens the label in its macro image
        ("fluorescence.ndpi", set(), {"macro"}),
        ("field-trial/identifiers/leica.scn", set(), {"macro"}),
    ],
)
def test_pictures_of_slides(name, kept, shown, testdata, tmp_path):
    for options, expected in (([], kept), (["--label"], kept | shown)):
        target = tmp_path / f"a{len(options)}.rrip.tif"
        assert run("convert", testdata(name), target, "--effort", "fast", *options).exit_code == 0
        assert set(rrip_format.open(target).associated_images()) == expected
        assert set(json.loads(run("info", target, "--json").stdout)["identifiers"]["pictures"]) == expected - kept
    assert run("convert", tmp_path / "a1.rrip.tif", tmp_path / "b.rrip.zarr", "--strip").exit_code == 0
    assert set(rrip_format.open(tmp_path / "b.rrip.zarr").associated_images()) == kept
    assert run("convert", tmp_path / "a1.rrip.tif", tmp_path / "c.rrip.zarr", "--strip", "--label").exit_code == 0
    assert set(rrip_format.open(tmp_path / "c.rrip.zarr").associated_images()) == kept | shown


def test_stripping_makes_the_bytes_of_a_default_container(testdata, tmp_path):
    source = testdata("field-trial/identifiers/aperio_ids.svs")
    assert run("convert", source, tmp_path / "a.rrip.tif").exit_code == 0
    assert run("convert", source, tmp_path / "b.rrip.tif", "--keep-identifiers").exit_code == 0
    assert run("convert", tmp_path / "b.rrip.tif", tmp_path / "c.rrip.tif", "--strip").exit_code == 0
    assert (tmp_path / "a.rrip.tif").read_bytes() == (tmp_path / "c.rrip.tif").read_bytes()
    assert run("validate", tmp_path / "c.rrip.tif", "--source", source).exit_code == 0


def test_members_that_nobody_knows_do_not_survive(tmp_path):
    """Others may write members of their own, which a reader ignores and an ordinary copy keeps."""
    from rrip_format.spec.metadata import parse_metadata, seal

    rrip_format.convert(tissue(300, 280), tmp_path / "a.rrip.zarr")
    made = rrip_format.open(tmp_path / "a.rrip.zarr").metadata
    document = json.loads(json.dumps(made.to_json()))
    document["coding"] = seal({**document["coding"], "patient": "Jane Doe"})
    document["slide"] |= {"patient": "Jane Doe", "source": {**document["slide"]["source"], "path": "/DOE_JANE"}}
    document["writer"] |= {"name": "acme", "operator": "jdoe", "settings": {"input": "S12-3456"}}
    foreign = parse_metadata(seal({**document, "patient": "Jane Doe"}))
    assert "Jane Doe" in json.dumps(foreign.to_json())
    text = json.dumps(strip(foreign, []).to_json())
    assert not [secret for secret in SECRETS if secret in text]
    assert parse_metadata(json.loads(text)).coding == made.coding


def test_what_strip_is_for(tmp_path, testdata):
    result = run("convert", testdata("odd/osp-small.svs"), tmp_path / "a.rrip.zarr", "--strip")
    assert result.exit_code == 2
    assert "no container" in result.output
    assert not any(tmp_path.iterdir())


def test_strip_without_pillow_leaves_a_macro_image_out(tmp_path, monkeypatch):
    from rrip_format.containers import pictures
    from rrip_format.errors import ExtraMissingError

    rrip_format.convert(tissue(300, 280), tmp_path / "a.rrip.zarr")
    source = rrip_format.open(tmp_path / "a.rrip.zarr").container
    about = dataclasses.replace(source.metadata.slide, vendor="aperio")
    with open_writer(tmp_path / "b.rrip.tif") as writer:
        for level in range(source.metadata.coding.geometry.levels):
            for row, col in source.metadata.coding.geometry.tiles(level):
                writer.write_tile(level, row, col, source.read_tile(level, row, col))
        writer.write_associated("macro", encode(picture(black=0.25), 90))
        writer.write_associated("thumbnail", encode(tissue(75, 70), 90))
        writer.finish(dataclasses.replace(source.metadata, slide=about))
    assert run("convert", tmp_path / "b.rrip.tif", tmp_path / "c.rrip.tif", "--strip").exit_code == 0
    assert set(rrip_format.open(tmp_path / "c.rrip.tif").associated_images()) == {"macro", "thumbnail"}

    def missing(*_):
        raise ExtraMissingError("no Pillow")

    monkeypatch.setattr(pictures, "decode_picture", missing)
    assert run("convert", tmp_path / "b.rrip.tif", tmp_path / "d.rrip.tif", "--strip").exit_code == 0
    assert set(rrip_format.open(tmp_path / "d.rrip.tif").associated_images()) == {"thumbnail"}


def test_resuming_another_wish_is_not_taken_for_done(testdata, tmp_path):
    source, target = testdata("field-trial/identifiers/aperio_ids.svs"), tmp_path / "a.rrip.zarr"
    assert run("convert", source, target, "--keep-identifiers").exit_code == 0
    assert "exists already" in run("convert", source, target, "--keep-identifiers", "--resume").stdout
    result = run("convert", source, target, "--resume")
    assert result.exit_code == 1
    assert "already exists" in result.stderr


@pytest.mark.parametrize("name", ["SpecimenLabelInImage", "BurnedInAnnotation"])
def test_pixels_that_show_the_label_are_told(name, tmp_path):
    with open_source(tissue(300, 280)) as source:
        for said, expected in (("NO", False), ("YES", True)):
            source.info = dataclasses.replace(source.info, properties={f"dicom.{name}": said})
            rrip_format.convert(source, tmp_path / f"{said}.rrip.zarr")
            assert rrip_format.info(tmp_path / f"{said}.rrip.zarr")["identifiers"]["pixels"] is expected
    assert "its pixels show the label" in run("info", tmp_path / "YES.rrip.zarr").stdout
    assert run("convert", tmp_path / "YES.rrip.zarr", tmp_path / "b.rrip.zarr", "--strip").exit_code == 0
    assert rrip_format.info(tmp_path / "b.rrip.zarr")["identifiers"]["pixels"]
