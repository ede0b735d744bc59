"""What a plan looks like."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from installer.errors import Refusal
from installer.plan.operation import Layer, Operation, Plan, WriteFile
from installer.plan.render import as_json, as_sh, as_text, from_json
from tests.unit.plans import MIRROR, disk, machine, plan, recipe

HOSTILE = "Evil\u001b[2J\nrm -rf / \u202e"


def hostile() -> Plan:
    made = plan(recipe(MIRROR), machine())
    disks = tuple(one.model_copy(update={"description": HOSTILE, "before": HOSTILE}) for one in made.disks)
    return made.model_copy(update={"title": HOSTILE, "disks": disks, "notes": (HOSTILE,)})


@pytest.mark.parametrize("write", [as_text, as_sh])
def test_nothing_that_a_device_says_acts_on_terminal_or_shell(write: object) -> None:
    text = write(hostile())  # type: ignore[operator]
    assert all(char.isprintable() or char == "\n" for char in text.replace("\t", " "))
    assert not any(line.startswith("rm -rf") for line in text.splitlines())


def test_destroying_steps_are_marked_with_their_disks() -> None:
    text = as_text(plan(recipe(MIRROR), machine()))
    assert "Create the pool rpool  [DESTROYS a, b]" in text
    assert "Make the partition table of disk a  [DESTROYS a]" in text


def test_each_disk_is_shown_before_and_after() -> None:
    text = as_text(plan(recipe(MIRROR), machine(disk("sda", fstype="ext4"), disk("sdb"))))
    assert "now:    Linux (ext4)" in text
    assert "now:    empty" in text
    assert "encrypted (LUKS2), mirror of pool rpool" in text


def test_unreadable_plan_is_refused() -> None:
    with pytest.raises(Refusal):
        from_json('{"zroot": 1}')


def test_json_is_canonical() -> None:
    made = plan(recipe(MIRROR), machine())
    assert as_json(from_json(as_json(made))) == as_json(made)


@pytest.mark.parametrize(
    "content", ["plain\n", "$HOME `id` \\n\n", "UUID=@{fs.boot} $HOME \\ `id`\n", "END\n@{fs.boot}\nEND\n"]
)
def test_script_writes_files_as_they_are(tmp_path: Path, content: str) -> None:
    write = Operation(
        id="system/write/x",
        layer=Layer.SYSTEM,
        title="Write",
        action=WriteFile(path=f"{tmp_path}/a b/file", mode=0o600, content=content),
    )
    made = plan(recipe(MIRROR), machine()).model_copy(update={"operations": (write,), "secrets": ()})
    lines = as_sh(made).splitlines()
    body = "\n".join(lines[lines.index("### system") :])
    subprocess.run(["sh", "-euc", f"fact_fs_boot=FACT\n{body}"], check=True)
    file = tmp_path / "a b" / "file"
    assert file.read_text() == content.replace("@{fs.boot}", "FACT")
    assert file.stat().st_mode & 0o777 == 0o600
