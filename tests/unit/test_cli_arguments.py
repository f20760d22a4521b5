"""Words of the command line to values."""

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from anello.cli import arguments
from anello.cli.console import spread_values
from anello.cli.try_on import _TryOn
from anello.imaging.hand import Finger

VALUED = {"--finger", "--location", "--ring-mask", "--rings", "--anchors", "-o"}


def spread(line: str) -> str:
    return " ".join(spread_values(line.split(), _TryOn.takes_more, VALUED))


@pytest.mark.parametrize(
    ("given_words", "read_as"),
    [
        ("h r -o out.png", "h r -o out.png"),
        ("h r s --finger 1 ring -o o", "h r s --finger 1 --finger ring -o o"),
        ("--finger 2 h r -o o", "--finger 2 h r -o o"),
        ("--finger thumb 3 h r s", "--finger thumb --finger 3 h r s"),
        ("h r --location .2 0.9 1e-1", "h r --location .2 --location 0.9 --location 1e-1"),
        ("h r --anchors 1,2,3,4 5,6,7,8", "h r --anchors 1,2,3,4 --anchors 5,6,7,8"),
        ("--ring-mask m h r", "--ring-mask m h r"),
        ("h r s --ring-mask m n -o o", "h r s --ring-mask m --ring-mask n -o o"),
        ("h r --finger=1 2", "h r --finger=1 2"),
        ("h -- --finger 1 2", "h -- --finger 1 2"),
        ("h r --finger", "h r --finger"),
        ("h r -o o --finger 1 --finger 2", "h r -o o --finger 1 --finger 2"),
    ],
)
def test_values_after_one_option(given_words: str, read_as: str) -> None:
    assert spread(given_words) == read_as


def test_a_file_called_like_a_finger_is_a_file(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    with open("2", "w"):
        assert spread("--finger 1 2 r -o o") == "--finger 1 2 r -o o"


@given(st.lists(st.sampled_from(["--", "-o", "--finger", "1", "x", "-", "", "--finger=2", "-1"])))
def test_no_word_is_lost(words: list[str]) -> None:
    out = spread_values(words, _TryOn.takes_more, VALUED)
    added = len(out) - len(words)
    assert added >= 0
    rest = iter(out)
    assert all(word in rest for word in words)


def test_one_value_serves_all() -> None:
    assert arguments.one_each(None, 3, "--x") == [None, None, None]
    assert arguments.one_each([0.5], 3, "--x") == [0.5, 0.5, 0.5]
    assert arguments.one_each([1, 2, 3], 3, "--x") == [1, 2, 3]
    with pytest.raises(typer.BadParameter, match="2 values for 3 rings"):
        arguments.one_each([1, 2], 3, "--x")
    with pytest.raises(typer.BadParameter, match="2 values for 1 ring;"):
        arguments.one_each([1, 2], 1, "--x")


def test_fingers() -> None:
    assert arguments.to_fingers(["0", "RING", "little"]) == [
        Finger.THUMB,
        Finger.RING,
        Finger.LITTLE,
    ]
    for word in ("5", "-1", "pinky", "", "1.0", "٣"):
        with pytest.raises(typer.BadParameter):
            arguments.to_fingers([word])


def test_anchors() -> None:
    assert arguments.to_anchors(["1,2,3.5,4"]) == [((1.0, 2.0), (3.5, 4.0))]
    for word in ("", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1 2 3 4"):
        with pytest.raises(typer.BadParameter):
            arguments.to_anchors([word])


def test_options_keep_their_defaults_and_name_what_is_wrong() -> None:
    from anello.options import Options

    assert arguments.to_options(location=None, shadow=None) == Options()
    assert arguments.to_options(location=0.7) == Options(location=0.7)
    for field in ("location", "shadow", "ambient"):
        for value in (-0.1, 1.1, float("nan"), float("inf")):
            with pytest.raises(typer.BadParameter) as caught:
                arguments.to_options(**{field: value})
            assert caught.value.param_hint == f"'--{field}'"
