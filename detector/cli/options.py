"""Settings as options: a command names the groups it takes and receives one `Settings`."""

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from detector.config import FILE, Setting, Settings, all_settings
from detector.kit.logging import LogFormat, configure_logging

_Default = str | None
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
    options = [parameter for setting in chosen for parameter in _parameters(setting)]
    names = [parameter.name for parameter in options]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**arguments: Any) -> None:
            given = {name: arguments.pop(name) for name in names}
            settings = Settings.load(given, defaults=defaults)
            configure_logging(settings.log_level, LogFormat(settings.log_format))
            command(settings=settings, **arguments)

        own = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hint)
            for parameter, hint in _own(command)
        ]
        run.__signature__ = inspect.Signature([*own, *options])  # type: ignore[attr-defined]
        run.__annotations__ = {item.name: item.annotation for item in (*own, *options)}
        return run

    return decorate


def _own(command: Callable[..., None]) -> Iterator[tuple[inspect.Parameter, Any]]:
    hints = get_type_hints(command, include_extras=True)
    for name, parameter in inspect.signature(command).parameters.items():
        if name != "settings":
            yield parameter, hints[name]


def _parameters(setting: Setting) -> Iterator[inspect.Parameter]:
    help_text = f"{setting.help}. [{setting.variable}]"
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
