"""Short ways to write the operations that many layers need."""

from __future__ import annotations

from installer.plan.names import TARGET
from installer.plan.operation import Command, Commands, Effect, Layer, Operation, WriteFile


def command(*argv: str, stdin: str | None = None, output: str = "", timeout: int = 600) -> Command:
    """Return one program with its arguments."""
    return Command(argv=argv, stdin=stdin, output=output, timeout=timeout)


def password(user: str, secret: str) -> Command:
    """Return what gives a user of the target a password."""
    return Command(argv=("chpasswd", "--encrypted", "--root", TARGET), stdin=f"{user}:%{{{secret}}}\n", hashed=True)


def programs(layer: Layer, name: str, title: str, *commands: Command, **more: object) -> Operation:
    """Return an operation that carries out programs one after another; `more` are fields of Operation."""
    return Operation.model_validate(
        {"id": f"{layer}/{name}", "layer": layer, "title": title, "action": Commands(commands=commands), **more}
    )


def mounted(layer: Layer, name: str, title: str, *argv: str, point: str) -> Operation:
    """Return an operation that mounts something at `point`, unless it is mounted already."""
    return programs(layer, name, title, command(*argv), effect=Effect.OPEN, done=("mountpoint", "-q", point))


def target_file(layer: Layer, path: str, title: str, content: str, *, mode: int = 0o644) -> Operation:
    """Return an operation that writes a file of the target, named by its path there."""
    return Operation(
        id=f"{layer}/write{path}",
        layer=layer,
        title=title,
        action=WriteFile(path=TARGET + path, mode=mode, content=content),
    )


def in_target(*argv: str, stdin: str | None = None, timeout: int = 600) -> Command:
    """Return a program that runs inside the target."""
    return command("chroot", TARGET, *argv, stdin=stdin, timeout=timeout)
