"""The encryption layers: what is typed, to which program, and how often."""

from __future__ import annotations

from installer.plan.operation import Effect, Plan, WriteFile
from tests.unit.plans import (
    MIRROR,
    RECIPES,
    argv,
    bound,
    commands,
    data,
    disk,
    machine,
    operation,
    plan,
    position,
    recipe,
)


def test_members_are_formatted_side_by_side_with_the_memory_they_need() -> None:
    made = plan(recipe(MIRROR), machine())
    formats = [operation(made, f"encryption/format/pool-{role}") for role in "ab"]
    assert len({one.together for one in formats}) == 1
    assert all(one.together and one.memory == 512 * 1024**2 for one in formats)
    assert all(one.secrets == ("passphrase",) for one in formats)


def test_opening_with_what_was_typed_proves_it_before_a_pool_depends_on_it() -> None:
    """Each derivation takes seconds: none is for a test alone of what the next step types anyway."""
    made = plan(recipe(MIRROR), machine())
    (opening,) = commands(made, "encryption/open/pool-b")
    assert opening.dialogue == commands(made, "encryption/format/pool-b")[0].dialogue
    assert "passphrase that was typed does not open pool-b, on disk b (" in opening.refused
    assert "serial SB" in opening.refused
    assert position(made, "encryption/open/pool-b") < position(made, "pools/create/rpool")
    typed = [one for one in made.operations if one.secrets == ("passphrase",)]
    assert len(typed) == 4


def test_a_recovery_passphrase_with_which_nothing_is_opened_is_tested_once() -> None:
    disks = (disk("sda", serial="SERIAL-A"), disk("sdb", serial="SERIAL-B"))
    made = plan(bound(RECIPES / "debian-key-device.toml"), machine(*disks))
    tests = [one for one in made.operations if "--test-passphrase" in str(one.action)]
    assert [one.id for one in tests] == ["encryption/test-recovery/pool-a", "encryption/test-recovery/pool-b"]
    assert {one.effect for one in tests} == {Effect.PROVE}
    assert commands(made, tests[0].id)[0].refused.startswith("The recovery passphrase that was typed does not open")


CRYPT = '[[partition]]\nname = "data"\nsize = "rest"\ntype = "8300"\n\n[crypt.data]\nover = "partition.data"\n'


def encrypted(more: str) -> Plan:
    return plan(recipe(CRYPT + more + data("mirror", "crypt.data")), machine())


def test_truecrypt_volumes_are_made_by_tcplay_and_tried_by_cryptsetup() -> None:
    """Each question of tcplay has its answer, and the last one is no secret."""
    made = encrypted('kind = "tcrypt"\n')
    (create,) = commands(made, "encryption/format/data-a")
    assert create.argv[:2] == ("tcplay", "--create")
    assert [(one.secret, one.answer) for one in create.dialogue] == [("passphrase", ""), ("passphrase", ""), ("", "y")]
    opening = argv(made, "encryption/open/data-a")
    assert {"--type=tcrypt", "--allow-discards"} <= set(opening)
    assert not any("luks" in fact.name for fact in made.facts)


def test_truecrypt_volumes_beside_a_root_are_named_by_their_links_and_opened_late() -> None:
    """With the root's passphrase too: the initramfs knows LUKS alone."""
    part = '[[partition]]\nname = "secret"\nsize = "1G"\ntype = "8300"\n'
    more = '\n[crypt.secret]\nover = "partition.secret"\nkind = "tcrypt"\ndiscard = false\n'
    pool = '\n[pool.tank]\nvdevs = [{ kind = "mirror", over = "crypt.secret" }]\n'
    made = plan(recipe(part + MIRROR + more + pool), machine())
    written = operation(made, "system/write/etc/crypttab").action
    assert isinstance(written, WriteFile)
    line = next(line for line in written.content.splitlines() if line.startswith("secret-a "))
    assert line.split()[:3] == ["secret-a", "/dev/disk/by-id/ata-SA-part1", "none"]
    options = line.split()[3].split(",")
    assert options[0] == "tcrypt"
    assert "nofail" in options
    assert "x-initrd.attach" not in options


def test_truecrypt_volumes_are_filled_only_where_discards_would_not_tell_anyway() -> None:
    (discarding,) = commands(encrypted('kind = "tcrypt"\n'), "encryption/format/data-a")
    (hiding,) = commands(encrypted('kind = "tcrypt"\ndiscard = false\n'), "encryption/format/data-a")
    assert "--insecure-erase" in discarding.argv
    assert "--insecure-erase" not in hiding.argv
    assert hiding.timeout > discarding.timeout + 1000, "it writes the whole device"


def test_integrity_is_a_keyed_sum_and_has_time_to_write_the_whole_device() -> None:
    (create,) = commands(encrypted('kind = "luks2-integrity"\ndiscard = false\n'), "encryption/format/data-a")
    assert "--integrity=hmac-sha256" in create.argv
    assert create.timeout > 2000
    plain = commands(encrypted(""), "encryption/format/data-a")[0]
    assert "--integrity=hmac-sha256" not in plain.argv
    assert plain.timeout == 600


def test_key_device_is_filled_before_it_is_the_key_of_others() -> None:
    body = """
[[partition]]
name = "key"
size = "64M"
type = "fd00"
[[partition]]
name = "pool"
size = "rest"
type = "8309"
[raid.key]
over = "partition.key"
[crypt.pool]
over = "partition.pool"
unlock = "key-device"
key = "crypt.zkey"
key-size = "4K"
[crypt.zkey]
over = "raid.key"
"""
    made = plan(recipe(body + data("mirror", "crypt.pool")), machine())
    assert position(made, "encryption/open/zkey") < position(made, "encryption/fill/zkey")
    assert position(made, "encryption/fill/zkey") < position(made, "encryption/format/pool-a")
    assert "--keyfile-size=4096" in argv(made, "encryption/open/pool-b")
    assert operation(made, "encryption/format/pool-a").secrets == ()
