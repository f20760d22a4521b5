"""The commands, as a person types them, on the samples."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from anello.cli import app
from anello.codec import decode
from anello.models.fetch import missing_models

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
HAND = SAMPLES / "hand-light.jpg"
RING = SAMPLES / "ring-solitaire.jpg"
BAND = SAMPLES / "ring-wide-band.jpg"

needs_models = pytest.mark.skipif(
    bool(missing_models()), reason="the hand networks are not here: anello models fetch"
)


def run(*words: object) -> Result:
    """In this process, the networks loaded once."""
    result = CliRunner().invoke(app, [str(word) for word in words], prog_name="anello")
    assert "Traceback" not in result.output + result.stderr
    return result


def run_alone(*words: object) -> subprocess.CompletedProcess[str]:
    """In a process of its own, as from a shell."""
    command = [sys.executable, "-m", "anello.cli", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stdout + done.stderr
    return done


def wear(folder: Path, *words: object, hand: Path = HAND, out: str = "worn.png") -> Path:
    """A try-on that must succeed; the picture's path."""
    result = run("try-on", hand, *words, "-o", folder / out)
    assert result.exit_code == 0, result.stderr
    return folder / out


def refused(result: Result, code: str) -> None:
    """Exit code 1, and the code on a line of stderr."""
    assert result.exit_code == 1, result.stderr
    assert any(line.startswith(f"{code}: ") for line in result.stderr.splitlines()), result.stderr


@pytest.fixture
def png_hand(tmp_path: Path) -> Path:
    path = tmp_path / "hand.png"
    cv2.imwrite(str(path), cv2.imread(str(HAND)))
    return path


# --- without the networks ------------------------------------------------------------------------


def test_help_and_version() -> None:
    assert "try-on" in run_alone("--help").stdout
    assert run_alone("--version").stdout.startswith("anello ")


def test_help_loads_neither_pictures_nor_networks() -> None:
    code = (
        "import sys; import anello.cli; "
        "heavy = {'cv2', 'numpy', 'scipy', 'PIL', 'rich', 'ai_edge_litert'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["try-on"],
        ["try-on", "h.jpg", "-o", "o.png"],
        ["try-on", "h.jpg", "r.jpg"],
        ["try-on", "h.jpg", "r.jpg", "-o", "o.png", "--finger", "7"],
        ["try-on", "h.jpg", "r.jpg", "-o", "o.png", "--finger", "[red]x[/red]"],
        ["try-on", "h.jpg", "r.jpg", "-o", "o.png", "--finger", "1", "2"],
        ["try-on", "h.jpg", "r.jpg", "-o", "o.png", "--location", "1.5"],
        ["try-on", "h.jpg", "r.jpg", "-o", "o.png", "--location", "nan"],
        ["try-on", "h.jpg", "r.jpg", "-o", "o.png", "--shadow", "much"],
        ["try-on", "h.jpg", "r.jpg", "-o", "o.png", "--ambient", "-1"],
        ["try-on", "h.jpg", "r.jpg", "-o", "o.png", "--anchors", "1,2,3"],
        ["try-on", "h.jpg", "r.jpg", "-o", "o.png", "--anchors", "1,2,1,2"],
        ["try-on", "h.jpg", "r.jpg", "s.jpg", "t.jpg", "-o", "o.png", "--location", "0", "1"],
        ["try-on", "h.jpg", "r.jpg", "-o", "o.gif"],
        ["try-on", "h.jpg", "r.jpg", "-o", "missing/folder/o.png"],
        ["try-on", "h.jpg", "r.jpg", "-o", "."],
        ["try-on", "h.jpg", "r.jpg", "-o", "h.jpg"],
        ["try-on", "h.jpg", "r.jpg", "-o", "o.png", "--mask-out", "m.jpg"],
        ["try-on", "h.jpg", "r.jpg", "-o", "o.png", "--mask-out", "o.png"],
        ["try-on", "h.jpg", "r.jpg", "-o", "o.png", "--no-such-option"],
        ["inspect"],
        ["inspect", "h.jpg", "--finger", "pinky"],
        ["cutout", "r.jpg"],
        ["cutout", "r.jpg", "-o", "o.jpg"],
        ["batch", "h.jpg", "-o", "out"],
        ["batch", "--rings", "r.jpg", "-o", "out"],
        ["batch", "h.jpg", "--rings", "r.jpg"],
        ["models", "no-such"],
        ["no-such"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_code_2(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*words)
    assert result.exit_code == 2, result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["-o", "ring.png"], ["--json"]])
def test_cutout_says_nothing_but_its_answer(tmp_path: Path, words: list[str]) -> None:
    """Nor does the runtime of the network, which likes to introduce itself."""
    words = [str(tmp_path / word) if word.endswith(".png") else word for word in words]
    done = run_alone("cutout", RING, *words)
    assert done.returncode == 0
    assert done.stderr == ""


def test_cutout_writes_straight_alpha_and_prints_its_measures(tmp_path: Path) -> None:
    result = run("cutout", RING, "-o", tmp_path / "ring.png", "--json")
    assert result.exit_code == 0, result.stderr
    measured = json.loads(result.stdout)
    cutout = cv2.imread(str(tmp_path / "ring.png"), cv2.IMREAD_UNCHANGED)
    photo = cv2.imread(str(RING))
    assert cutout.shape == (*photo.shape[:2], 4)
    assert measured["size"] == [photo.shape[1], photo.shape[0]]
    (left, right) = measured["contact_xy"]
    assert left[0] < right[0]
    assert 20 < measured["elevation_deg"] < 70
    assert {"rotation_deg", "view", "confidence", "opening_px", "head_deg"} <= measured.keys()
    middle = tuple(round(v) for v in reversed(measured["centre_xy"]))
    assert cutout[middle][3] == 0, "the hole is transparent"
    ring = cutout[..., 3] == 255
    assert ring.any()
    assert np.abs(cutout[ring][:, :3].astype(int) - photo[ring]).mean() < 2


def test_cutout_by_a_mask(tmp_path: Path) -> None:
    assert run("cutout", RING, "-o", tmp_path / "ring.png").exit_code == 0
    alpha = cv2.imread(str(tmp_path / "ring.png"), cv2.IMREAD_UNCHANGED)[..., 3]
    cv2.imwrite(str(tmp_path / "mask.png"), alpha)
    words = ("cutout", RING, "--mask", tmp_path / "mask.png", "--json")
    result = run(*words, "-o", tmp_path / "again.png")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["method"] == "mask"
    again = cv2.imread(str(tmp_path / "again.png"), cv2.IMREAD_UNCHANGED)[..., 3]
    assert np.mean(np.abs(again.astype(int) - alpha) > 64) < 0.01


def test_no_ring_is_said_and_nothing_written(tmp_path: Path) -> None:
    empty = tmp_path / "empty.png"
    cv2.imwrite(str(empty), np.full((300, 300, 3), 240, np.uint8))
    refused(run("cutout", empty, "-o", tmp_path / "out.png"), "OBJECT_DETECTION_FAIL")
    assert not (tmp_path / "out.png").exists()


def test_models_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANELLO_MODELS_DIR", str(tmp_path))
    result = run("models", "list")
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[1] for row in rows] == ["missing", "missing"]
    assert run("models", "path").stdout.strip() == str(tmp_path)


# --- with them -----------------------------------------------------------------------------------


@needs_models
def test_try_on_from_a_shell(tmp_path: Path) -> None:
    worn, mask, report = (tmp_path / name for name in ("worn.png", "mask.png", "report.json"))
    words = ("--finger", "ring", "--mask-out", mask, "--report", report)
    done = run_alone("try-on", HAND, RING, "-o", worn, *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(worn)

    hand = decode(HAND.read_bytes()).pixels
    picture = decode(worn.read_bytes()).pixels
    coverage = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
    assert picture.shape == hand.shape
    assert coverage.dtype == np.uint8
    assert coverage.shape == hand.shape[:2]
    (ring,) = json.loads(report.read_text())["rings"]
    x, y = ring["site"]["centre_xy"]
    row, column = np.indices(coverage.shape)
    far = np.hypot(column - x, row - y) > 2 * ring["site"]["width_px"]
    np.testing.assert_array_equal(picture[far], hand[far])
    assert not coverage[far].any()
    assert np.abs(picture.astype(int) - hand)[coverage > 200].mean() > 10

    again = run_alone("try-on", HAND, RING, "-o", tmp_path / "again.png", "--finger", "3")
    assert again.returncode == 0
    assert (tmp_path / "again.png").read_bytes() == worn.read_bytes()


@needs_models
def test_the_report_has_its_fields(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    wear(tmp_path, RING, "--finger", "index", "--location", "0.5", "--report", report)
    said = json.loads(report.read_text())
    assert {"rings", "timings_ms", "engine_version"} <= said.keys()
    assert all(isinstance(spent, float) for spent in said["timings_ms"].values())
    (ring,) = said["rings"]
    assert {"finger", "location", "site", "ring", "light", "warnings"} <= ring.keys()
    assert (ring["finger"], ring["location"]) == (1, 0.5)
    site = ring["site"]
    assert site.keys() >= {"pitch_deg", "roll_deg", "confidence"}
    left, right, centre = (np.array(site[k]) for k in ("left_xy", "right_xy", "centre_xy"))
    assert np.hypot(*(right - left)) == pytest.approx(site["width_px"], rel=0.01)
    np.testing.assert_allclose((left + right) / 2, centre, atol=0.1)
    assert np.hypot(*site["axis_xy"]) == pytest.approx(1, abs=1e-3)
    assert np.shape(ring["ring"]["contact_xy"]) == (2, 2)
    assert ring["ring"].keys() >= {"elevation_deg", "rotation_deg", "view", "confidence"}


@needs_models
@pytest.mark.parametrize(
    ("words", "fingers", "locations"),
    [
        (["--finger", "1", "3"], [1, 3], [0.3, 0.3]),
        (["--finger", "index", "--finger", "ring", "--location", "0.6"], [1, 3], [0.6, 0.6]),
        (["--finger", "2", "--location", "0", "1"], [2, 2], [0.0, 1.0]),
    ],
)
def test_several_rings(
    tmp_path: Path, words: list[str], fingers: list[int], locations: list[float]
) -> None:
    report = tmp_path / "report.json"
    wear(tmp_path, RING, BAND, *words, "--report", report)
    rings = json.loads(report.read_text())["rings"]
    assert [ring["finger"] for ring in rings] == fingers
    assert [ring["location"] for ring in rings] == pytest.approx(locations, abs=0.2)


@needs_models
def test_the_format_follows_the_name_or_the_hand(tmp_path: Path, png_hand: Path) -> None:
    def magic(path: Path) -> bytes:
        return path.read_bytes()[:3]

    assert magic(wear(tmp_path, RING, out="a.png")) == b"\x89PN"
    assert magic(wear(tmp_path, RING, out="a.JPG")) == b"\xff\xd8\xff"
    assert magic(wear(tmp_path, RING, out="jpeg")) == b"\xff\xd8\xff"
    assert magic(wear(tmp_path, RING, hand=png_hand, out="png")) == b"\x89PN"


@needs_models
def test_debug_pictures(tmp_path: Path) -> None:
    wear(tmp_path, RING, BAND, "--finger", "1", "2", "--debug", tmp_path / "steps")
    pictures = sorted((tmp_path / "steps").iterdir())
    assert len(pictures) == 15
    assert all(cv2.imread(str(path)) is not None for path in pictures)


@needs_models
def test_masks_and_anchors(tmp_path: Path) -> None:
    whole = tmp_path / "white.png"
    cv2.imwrite(str(whole), np.full((1200, 960), 255, np.uint8))
    cutout = json.loads(run("cutout", RING, "--json").stdout)
    anchors = ",".join(str(v) for point in cutout["contact_xy"] for v in point)
    report = tmp_path / "report.json"
    wear(tmp_path, RING, "--hand-mask", whole, "--anchors", anchors, "--report", report)
    found = json.loads(report.read_text())["rings"][0]["ring"]
    np.testing.assert_allclose(found["contact_xy"], cutout["contact_xy"], atol=2)

    black = tmp_path / "black.png"
    cv2.imwrite(str(black), np.zeros((40, 40), np.uint8))
    for option in ("--hand-mask", "--ring-mask"):
        words = ("try-on", HAND, RING, option, black, "-o", tmp_path / "no.png")
        refused(run(*words), "error_decode_mask")
    words = ("--anchors", "0,0,9999,10", "-o", tmp_path / "no.png")
    refused(run("try-on", HAND, RING, *words), "invalid_parameter")
    assert not (tmp_path / "no.png").exists()


@needs_models
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "INPUT_MAIN_IMAGE_EMPTY"),
        (b"no picture", "INPUT_ERROR"),
        (b"GIF89a" + bytes(100), "INPUT_ERROR"),
        (HAND.read_bytes()[:5000], "INPUT_ERROR"),
        (None, "INPUT_ERROR"),
        (RING.read_bytes(), "PHOTO_DETECTION_FAIL"),
    ],
    ids=["empty", "text", "gif", "truncated", "missing", "no hand"],
)
def test_refused_hands(tmp_path: Path, data: bytes | None, code: str) -> None:
    hand = tmp_path / "hand.jpg"
    if data is not None:
        hand.write_bytes(data)
    out, mask, report = (tmp_path / name for name in ("out.jpg", "m.png", "r.json"))
    words = ("-o", out, "--mask-out", mask, "--report", report, "--debug", tmp_path / "steps")
    refused(run("try-on", hand, RING, *words), code)
    refused(run("inspect", hand), code)
    assert set(tmp_path.iterdir()) <= {hand}


@needs_models
def test_a_refusal_from_a_shell_is_one_line_and_its_remedy(tmp_path: Path) -> None:
    done = run_alone("try-on", RING, RING, "-o", tmp_path / "out.png")
    assert done.returncode == 1
    assert done.stdout == ""
    first, *rest = done.stderr.splitlines()
    assert first.startswith("PHOTO_DETECTION_FAIL: ")
    assert len(rest) <= 1


@needs_models
def test_inspect(tmp_path: Path) -> None:
    result = run("inspect", HAND, "--json", "-o", tmp_path / "seen.jpg")
    assert result.exit_code == 0, result.stderr
    said = json.loads(result.stdout)
    assert said["accepted"] is True
    assert said["side"] == "left"
    assert all(check["ok"] for check in said["checks"])
    assert cv2.imread(str(tmp_path / "seen.jpg")) is not None
    table = run("inspect", HAND, "--finger", "little")
    assert table.exit_code == 0
    assert "accepted" in table.stdout

    no = run("inspect", RING, "--json", "-o", tmp_path / "no.png")
    refused(no, "PHOTO_DETECTION_FAIL")
    assert json.loads(no.stdout)["code"] == "PHOTO_DETECTION_FAIL"
    assert (tmp_path / "no.png").exists()


@needs_models
def test_batch_goes_on_after_a_broken_file(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(HAND.read_bytes()[:9000])
    hands = (HAND, broken, SAMPLES / "hand-dark.jpg")
    out = tmp_path / "out"
    done = run_alone("batch", *hands, "--rings", RING, broken, "-o", out)
    assert done.returncode == 0, done.stderr
    with (out / "results.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["hand", "ring", "output", "code", "message", "ms"]
    assert [row["code"] for row in rows] == ["ok", *["INPUT_ERROR"] * 3, "ok", "INPUT_ERROR"]
    made = [Path(row["output"]) for row in rows if row["code"] == "ok"]
    assert sorted(path for path in out.iterdir() if path.suffix != ".csv") == sorted(made)
    alone = wear(tmp_path, RING, out="alone.jpg")
    assert made[0].read_bytes() == alone.read_bytes(), "the same as one by one"


@needs_models
def test_batch_of_nothing_but_broken_files_fails(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"broken")
    result = run("batch", "--rings", RING, "--rings", BAND, "-o", tmp_path / "out", "--", broken)
    assert result.exit_code == 1
    assert (tmp_path / "out" / "results.csv").exists()


@needs_models
def test_odd_names(tmp_path: Path) -> None:
    for name in ("-h.jpg", "ring [bold].jpg", "日本.jpg", "a b'c\".jpg"):
        hand = tmp_path / name
        shutil.copy(HAND, hand)
        result = run("try-on", "-o", tmp_path / f"{name}.png", "--", hand, RING)
        assert result.exit_code == 0, result.stderr
        assert (tmp_path / f"{name}.png").exists()
