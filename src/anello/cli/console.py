"""What every command does alike: take several values after one option, and say what went wrong.

Exit codes: 0 done; 1 refused, with ``CODE: message`` on a line of stderr; 2 wrong usage.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import typer
from typer.core import TyperCommand

from anello.errors import AnelloError, RuntimeFailure

if TYPE_CHECKING:
    from anello.models import Models

TakesMore = Callable[[str, int], bool]
"""Whether a word that follows an option's values is one more of them, given how many positional
arguments were read before."""


class Command(TyperCommand):
    """A command that never ends in a traceback."""

    takes_more: ClassVar[Mapping[str, TakesMore]] = {}
    """Options with several values: ``--finger 1 2`` is read as ``--finger 1 --finger 2``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        single = {name for param in self.params if not _is_flag(param) for name in param.opts}
        return super().parse_args(ctx, spread_values(args, self.takes_more, single))

    def invoke(self, ctx: Any) -> Any:
        with errors_said():
            return super().invoke(ctx)


def _is_flag(param: Any) -> bool:
    return bool(getattr(param, "is_flag", False))


def spread_values(
    args: Sequence[str], takes_more: Mapping[str, TakesMore], valued: set[str]
) -> list[str]:
    """Repeat an option's name before each of its further values.

    valued : the names of all options that take a value, so that positional arguments can be told.
    """
    out: list[str] = []
    words = iter(range(len(args)))
    positionals = 0
    for at in words:
        word = args[at]
        out.append(word)
        if word == "--":
            return out + list(args[at + 1 :])
        if word in valued and at + 1 < len(args):
            out.append(args[next(words)])
            for value in _further(args[at + 2 :], takes_more.get(word), positionals):
                out += [word, value]
                next(words)
        elif not _is_option(word):
            positionals += 1
    return out


def _further(words: Sequence[str], takes: TakesMore | None, positionals: int) -> Iterator[str]:
    for word in words:
        if takes is None or _is_option(word) or not takes(word, positionals):
            return
        yield word


def _is_option(word: str) -> bool:
    return len(word) > 1 and word.startswith("-")


@contextmanager
def errors_said() -> Iterator[None]:
    """Turn an error into its line on stderr and exit code 1."""
    try:
        yield
    except (typer.BadParameter, typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except AnelloError as error:
        say_error(error)
        raise typer.Exit(1) from error
    except Exception as error:  # the last line of defence: never a traceback
        say_error(unexpected(error))
        raise typer.Exit(1) from error


def unexpected(error: Exception) -> RuntimeFailure:
    """An error that anello did not raise, as one that it did."""
    if isinstance(error, MemoryError):
        return RuntimeFailure("Out of memory", remedy="Use a smaller picture.")
    return RuntimeFailure(f"{type(error).__name__}: {error}" if str(error) else repr(error))


def load_models() -> Models:
    """The hand networks, fetched if need be, without their runtime's greeting on stderr."""
    from anello.models import ensure_models, load_models, quiet_stderr

    ensure_models()
    with quiet_stderr():
        return load_models()


def load_ring_network() -> None:
    """The ring network, which comes with the package, without its runtime's greeting on stderr."""
    from anello.models import load_ring_network, quiet_stderr

    with quiet_stderr():
        load_ring_network()


def say_error(error: AnelloError) -> None:
    """``CODE: message`` on one line of stderr, what would help on the next."""
    say(f"{error.code}: {one_line(error.message)}")
    if error.remedy:
        say(one_line(error.remedy))


def say(line: str) -> None:
    """A line for people, on stderr: stdout is for programs."""
    typer.echo(line, err=True)


def one_line(text: str) -> str:
    return " ".join(text.split())


def print_json(value: Any) -> None:
    typer.echo(to_json(value), nl=False)


def to_json(value: Any) -> str:
    """JSON that every reader takes: plain ASCII, no NaN."""
    return json.dumps(_finite(value), indent=2, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
