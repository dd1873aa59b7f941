"""Settings as options: a command names the groups it takes and receives one `Settings`."""

import inspect
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache, wraps
from typing import Annotated, Any, get_type_hints

import typer

from detector.cli.console import errors
from detector.config import FILE, Setting, Settings, all_settings, misspelt, shown_default
from detector.kit.compiled import CACHE_PROBLEM, on_first_compilation
from detector.kit.logging import LogFormat, configure_logging

_log = logging.getLogger(__name__)
COMPILING = "Compiling kernels, once: this takes up to a minute …"
_Default = str | None
MOST_NUMBER = 2**31 - 1
"""The largest number of a partition or a version."""
QUIET: Mapping[str, object] = {"log_level": "WARNING"}
"""Defaults of commands that end by themselves: what they print is enough."""


def with_settings(
    *groups: str, defaults: Mapping[str, object] | None = None, without: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of these groups (and of logging) and, from them, `settings`.

    The options stay text: `Settings.load` reads them, and an option that was not given leaves the
    word to the environment, and the environment to `defaults` before the general ones. Settings
    named in `without` are no options of the command. Typer sees them through the command's
    signature.
    """
    chosen = [item for item in all_settings() if item.group in (*groups, "logging")]
    chosen = [item for item in chosen if item.name not in without]
    options = [
        parameter for setting in chosen for parameter in _parameters(setting, defaults or {})
    ]
    names = [parameter.name for parameter in options]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**arguments: Any) -> None:
            given = {name: arguments.pop(name) for name in names}
            settings = Settings.load(given, defaults=defaults)
            configure_logging(settings.log_level, LogFormat(settings.log_format))
            _warn()
            command(settings=settings, **arguments)

        own = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hint)
            for parameter, hint in _own(command)
        ]
        run.__signature__ = inspect.Signature([*own, *options])  # type: ignore[attr-defined]
        run.__annotations__ = {item.name: item.annotation for item in (*own, *options)}
        return run

    return decorate


def storable(text: str | None) -> str | None:
    """Refuse, as the callback of an option, what came as other bytes than UTF-8."""
    if text is not None and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise typer.BadParameter("must be UTF-8")
    return text


def _own(command: Callable[..., None]) -> Iterator[tuple[inspect.Parameter, Any]]:
    hints = get_type_hints(command, include_extras=True)
    for name, parameter in inspect.signature(command).parameters.items():
        if name != "settings":
            yield parameter, hints[name]


def _warn() -> None:
    """Say what is set and cannot mean anything, and what the user may wonder at later."""
    for name, meant in misspelt():
        _log.warning("%s is no setting%s", name, f"; is {meant} meant?" if meant else "")
    if CACHE_PROBLEM:
        _log.warning("%s", CACHE_PROBLEM)
    _listen()


@cache
def _listen() -> None:
    """Once, however many commands this process runs."""
    on_first_compilation(_announce)


def _announce() -> None:
    if _log.isEnabledFor(logging.INFO):
        _log.info(COMPILING)
    else:
        errors().print(COMPILING, style="dim")


def _parameters(setting: Setting, defaults: Mapping[str, object]) -> Iterator[inspect.Parameter]:
    default = shown_default(defaults.get(setting.name, setting.default))
    origin = f"{setting.variable}; default {default}" if default else setting.variable
    help_text = f"{setting.help}. [{origin}]"
    yield _parameter(setting.name, setting.option, help_text, setting.group)
    if setting.secret:
        file_help = f"File that holds what {setting.option} would."
        yield _parameter(setting.name + FILE, f"{setting.option}-file", file_help, setting.group)


def _parameter(name: str, option: str, help_text: str, group: str) -> inspect.Parameter:
    declaration = typer.Option(
        option, help=help_text, metavar="TEXT", rich_help_panel=f"Settings: {group}"
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[_Default, declaration],
    )
