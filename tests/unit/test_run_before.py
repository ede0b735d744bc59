"""What is found before the first write, because it would only be noticed at the first start."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_plans import operation, plan

from installer import process
from installer.errors import Refusals
from installer.plan.operation import CopyImage
from installer.recipe.load import load
from installer.recipe.model import Recipe
from installer.recipe.secrets import Secret
from installer.run import before, keyboard

HERE = Path(__file__).parent
KEYMAPS = HERE / "recipes" / "keymaps"
MAIN = HERE.parents[1] / "recipes" / "debian-luks-mirror.toml"


def test_without_the_medium_nothing_is_erased_for_a_system_that_cannot_be_copied(tmp_path: Path) -> None:
    copy = operation("system/copy/image").model_copy(update={"action": CopyImage(image="", target="/t", without=())})
    with pytest.raises(Refusals) as refused:
        before.require_ready(with_keymap("us"), plan(copy), {}, notice=print)
    assert "Start this machine from zroot's medium" in str(refused.value)


class Prompt:
    """What `require_ready` says to a passphrase, where ckbcomp is a script of the test's."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.program = folder / "ckbcomp"
        self.notices: list[str] = []
        monkeypatch.setattr(process, "PATH", f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin")

    def prints(self, script: str) -> None:
        self.program.write_text(f"#!/bin/sh\n{script}\n")
        self.program.chmod(0o755)

    def words(self, passphrase: str, *, recipe: Recipe) -> str:
        secrets = {"passphrase": Secret(passphrase), "user-password": Secret("\u00e9t\u00e9 2026")}
        try:
            before.require_ready(recipe, plan(), secrets, notice=self.notices.append)
        except Refusals as refusals:
            return str(refusals)
        return ""


@pytest.fixture
def prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prompt:
    return Prompt(tmp_path, monkeypatch)


def with_keymap(keymap: str) -> Recipe:
    recipe = load(MAIN)
    return recipe.model_copy(update={"system": recipe.system.model_copy(update={"keymap": keymap})})


def test_passphrase_that_the_keymap_cannot_type_is_refused(prompt: Prompt) -> None:
    """fault 46: the layout and its variant are what is compiled; login passwords have a keyboard of their own."""
    prompt.prints(f'[ "$*" = "-compact fr oss" ] && cat {KEYMAPS}/fr-oss.kmap')
    assert "no key for character 1." in prompt.words("\u0444 and so on", recipe=with_keymap("fr:oss"))
    assert prompt.words("\u00e9t\u00e9 2026", recipe=with_keymap("fr:oss")) == ""


def test_keymap_without_latin_letters_is_told(prompt: Prompt) -> None:
    """fault 47"""
    prompt.prints(f"cat {KEYMAPS}/ru.kmap")
    assert "no Latin letters" in prompt.words("correct horse", recipe=with_keymap("ru"))


@pytest.mark.parametrize(
    "script",
    [
        """echo 'ckbcomp: Can not find file "symbols/xx" in any known directory' >&2; exit 2""",
        f"""echo 'WARNING: Can not find "nosuchvariant" in "de".' >&2; cat {KEYMAPS}/de.kmap""",
    ],
)
def test_keymap_that_does_not_exist_is_refused(prompt: Prompt, script: str) -> None:
    """fault 46: ckbcomp prints the plain layout where the variant is not known."""
    prompt.prints(script)
    words = prompt.words("correct horse", recipe=with_keymap("de:nosuchvariant"))
    assert 'no keyboard layout "de:nosuchvariant"' in words
    assert "Can not find" in words


def test_without_ckbcomp_the_check_is_said_to_be_missing(prompt: Prompt, monkeypatch: pytest.MonkeyPatch) -> None:
    """fault 46: another live system than ours need not have it."""
    found = process.which
    monkeypatch.setattr(keyboard, "which", lambda name: found("no-such-program" if name == "ckbcomp" else name))
    assert prompt.words("correct horse", recipe=with_keymap("de")) == ""
    assert any("was not checked" in notice and "ckbcomp" in notice for notice in prompt.notices)


def test_storage_alone_has_no_prompt_at_boot(prompt: Prompt) -> None:
    prompt.prints("exit 1")
    recipe = with_keymap("de")
    alone = recipe.model_copy(update={"system": recipe.system.model_copy(update={"source": "none", "user": None})})
    words = prompt.words("correct horse", recipe=alone)
    assert "keyboard" not in words
    assert prompt.notices == []
