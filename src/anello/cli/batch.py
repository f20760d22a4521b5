"""``anello batch``: every hand with every ring, each analysed once."""

from __future__ import annotations

import csv
import io
import pickle
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, ParamSpec, TypeVar

import typer

from anello.cli import arguments, outputs
from anello.cli.console import Command, load_models, one_line, say, unexpected

if TYPE_CHECKING:
    from anello.errors import AnelloError
    from anello.library import Result
    from anello.models import Models
    from anello.options import Options
    from anello.pipeline import HandAnalysis, RingAnalysis

P = ParamSpec("P")
T = TypeVar("T")

RESULTS = "results.csv"


class _Batch(Command):
    takes_more = {"--rings": lambda word, positionals: True}  # noqa: RUF012 - see the base


@dataclass(frozen=True, slots=True)
class Row:
    """One line of results.csv: ``code`` is ``ok`` or the error's."""

    hand: str
    ring: str
    output: str
    code: str
    message: str
    ms: float


@dataclass(frozen=True, slots=True)
class _Kept:
    """A ring's analysis on disk (hundreds would fill the memory), or why there is none."""

    path: Path
    file: Path
    error: AnelloError | None

    def load(self) -> RingAnalysis:
        if self.error:
            raise self.error
        analysis: RingAnalysis = pickle.loads(self.file.read_bytes())
        return analysis


def register(app: typer.Typer) -> None:
    app.command("batch", cls=_Batch)(batch)


def batch(
    hands: Annotated[list[Path], typer.Argument(metavar="HANDS", help="Photos of hands.")],
    rings: Annotated[
        list[Path],
        typer.Option("--rings", metavar="RINGS…", help="Shop photos of rings, all that follow."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", metavar="DIR", help="Folder for the pictures; made if need be."
        ),
    ],
    finger: Annotated[
        str | None,
        typer.Option("--finger", metavar=arguments.FINGER_METAVAR, help="Which finger."),
    ] = None,
    location: Annotated[
        float | None, typer.Option("--location", metavar="0..1", help="Where on the finger.")
    ] = None,
    shadow: Annotated[
        float | None, typer.Option("--shadow", metavar="0..1", help="The ring's shadow.")
    ] = None,
    ambient: Annotated[
        float | None,
        typer.Option(
            "--ambient", metavar="0..1", help="How far the ring takes on the hand's light."
        ),
    ] = None,
    keep_background: arguments.KeepBackground = False,
) -> None:
    """Put every ring on every hand; results.csv says what happened.

    A picture that fails does not stop the rest. Exit code 1 only when not one picture was made.
    """
    chosen = arguments.to_fingers([finger])[0] if finger is not None else None
    options = arguments.to_options(
        finger=chosen,
        location=location,
        shadow=shadow,
        ambient=ambient,
        remove_background=not keep_background,
    )
    outputs.check_folder(out, "-o")
    if out.is_dir():
        outputs.check_file(out / RESULTS, "-o")

    rows: list[Row] = []
    try:
        with _progress(len(hands) * len(rings)) as advance:
            for row in _run(hands, rings, out, options, load_models()):
                rows.append(row)
                advance()
                if row.code != "ok":
                    say(f"{row.hand} + {row.ring}: {row.code}: {row.message}")
    finally:
        if rows:
            outputs.write_all({out / RESULTS: _to_csv(rows)})
    made = sum(row.code == "ok" for row in rows)
    typer.echo(f"{made} of {len(rows)} pictures in {out}; see {out / RESULTS}")
    if not made:
        raise typer.Exit(1)


def _run(
    hands: list[Path], rings: list[Path], out: Path, options: Options, models: Models
) -> Iterator[Row]:
    """A row for each pair, hand by hand; its picture is written before it is given."""
    import anello

    names = _names(hands, rings)
    with tempfile.TemporaryDirectory(prefix="anello-") as scratch:
        kept = [
            _keep(ring, Path(scratch) / f"{at}.pickle", options.remove_background)
            for at, ring in enumerate(rings)
        ]
        for hand, stems in zip(hands, names, strict=True):
            analysis, hand_error = _attempt(anello.analyse_hand, hand, models=models)
            for ring, stem in zip(kept, stems, strict=True):
                started = perf_counter()
                output, error = _attempt(_wear, analysis, hand_error, ring, options, out / stem)
                yield Row(
                    hand=str(hand),
                    ring=str(ring.path),
                    output=str(output or ""),
                    code=error.code if error else "ok",
                    message=one_line(error.message) if error else "",
                    ms=round((perf_counter() - started) * 1000, 1),
                )


def _keep(ring: Path, file: Path, remove_background: bool) -> _Kept:
    import anello

    analysis, error = _attempt(anello.analyse_ring, ring, remove_background=remove_background)
    if analysis is not None:
        file.write_bytes(pickle.dumps(analysis))
    return _Kept(ring, file, error)


def _wear(
    hand: HandAnalysis | None,
    hand_error: AnelloError | None,
    ring: _Kept,
    options: Options,
    stem: Path,
) -> Path:
    """Write one picture; its path."""
    import anello

    if hand is None:
        assert hand_error is not None
        raise hand_error
    result: Result = anello.try_on(hand, ring.load(), options)
    ending = ".png" if result.picture.format == "png" else ".jpg"
    target = stem.with_name(stem.name + ending)
    outputs.write_all({target: result.encode()})
    return target


def _attempt(
    work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> tuple[T | None, AnelloError | None]:
    """What the work gives, or the error it ends in."""
    from anello.errors import AnelloError

    try:
        return work(*args, **kwargs), None
    except AnelloError as error:
        return None, error
    except Exception as error:  # one bad picture never stops the rest
        return None, unexpected(error)


def _names(hands: list[Path], rings: list[Path]) -> list[list[str]]:
    """``hand--ring`` for each pair; files of one name from two folders are numbered."""
    hand_names, ring_names = _distinct(hands), _distinct(rings)
    return [[f"{hand}--{ring}" for ring in ring_names] for hand in hand_names]


def _distinct(paths: list[Path]) -> list[str]:
    names: list[str] = []
    for path in paths:
        name, count = path.stem, 1
        while name.casefold() in (known.casefold() for known in names):
            count += 1
            name = f"{path.stem}-{count}"
        names.append(name)
    return names


def _to_csv(rows: list[Row]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([field.name for field in fields(Row)])
    writer.writerows(astuple(row) for row in rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr; the function given moves it by one."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("pictures", total=total)
        yield lambda: bar.advance(task)
