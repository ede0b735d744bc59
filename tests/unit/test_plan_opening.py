"""What the installed system opens after its root: which layer where, by which unit, and in what order."""

from __future__ import annotations

from pathlib import Path

import pytest

from installer.plan.opening import escaped, in_initramfs, key_target, systemd_properties
from installer.plan.operation import Plan, WriteFile
from tests.unit.plans import MIRROR, layout, machine, operation, plan, recipe

ROOT = Path(__file__).parents[2]
VAULT = """
[[pool.rpool.dataset]]
name = "pvol"
size = "1G"

[crypt.vault]
over = "zvol.rpool/pvol"
secret = "vault-passphrase"

[pool.anna]
vdevs = [{ kind = "single", over = "crypt.vault" }]
"""
FILES = """
[[pool.rpool.dataset]]
name = "files"
mount = "/srv/files"

[file.sz]
folder = "/srv/files"
count = 3
size = "1G"

[crypt.sz]
over = "file.sz"
secret = "files-passphrase"

[pool.szpool]
vdevs = [{ kind = "raidz1", over = "crypt.sz" }]
"""
DATA = """
[pool.tank]
vdevs = [{ kind = "mirror", over = "crypt.data" }]

[[pool.tank.dataset]]
name = "my-data"
mount = "/srv"
encryption = { secret = "data-passphrase", services = ["smbd.service"], wait = 60 }
"""
TWO_PARTITIONS = MIRROR.replace(
    '[[partition]]\nname = "pool"\nsize = "rest"',
    '[[partition]]\nname = "data"\nsize = "1G"\ntype = "8309"\n[[partition]]\nname = "pool"\nsize = "rest"',
)


def body(*parts: str) -> str:
    """Return a recipe; pools' datasets belong behind their pool, so the root pool's come last in MIRROR."""
    system = MIRROR.index("[system.user]")
    return recipe(TWO_PARTITIONS[: TWO_PARTITIONS.index("[system.user]")] + "".join(parts) + MIRROR[system:])


def crypt(name: str = "passphrase") -> str:
    """Return a layer over the second partition, opened by the secret of that name."""
    return f'\n[crypt.data]\nover = "partition.data"\nsecret = "{name}"\n'


def written(made: Plan, path: str) -> str:
    action = operation(made, f"system/write{path}").action
    assert isinstance(action, WriteFile)
    return action.content


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("tank/data", "tank-data"),
        ("tank/my-data", r"tank-my\x2ddata"),
        ("sz-1", r"sz\x2d1"),
        (".hidden", r"\x2ehidden"),
        ("a:b_c.d", "a:b_c.d"),
    ],
)
def test_names_are_escaped_as_systemd_does(name: str, unit: str) -> None:
    assert escaped(name) == unit


def test_the_initramfs_opens_along_what_the_same_passphrase_opens() -> None:
    shared = layout(body(crypt(), DATA), machine())
    assert in_initramfs(shared) == {"pool", "data"}
    own = layout(body(crypt("data-disk"), DATA), machine())
    assert in_initramfs(own) == {"pool"}


def test_what_lies_on_a_pool_is_never_opened_in_the_initramfs() -> None:
    shared = VAULT.replace('secret = "vault-passphrase"', 'secret = "passphrase"')
    assert in_initramfs(layout(body(shared), machine())) == {"pool"}


def test_crypttab_asks_for_a_bounded_time_and_holds_up_nothing() -> None:
    table = written(plan(body(VAULT, FILES), machine()), "/etc/crypttab").splitlines()
    vault, *files = table[3:]
    assert vault.split()[:3] == ["vault", "UUID=@{luks.vault}", "none"]
    assert [line.split()[1] for line in files] == [f"/srv/files/sz-{number}" for number in (1, 2, 3)]
    for line in (vault, *files):
        assert {"noauto", "nofail", "timeout=90"} <= set(line.split()[3].split(","))
    assert "password-cache=no" in vault, "what is typed for the files is not tried on it"
    assert not any("password-cache" in line for line in files), "one passphrase opens all of them"
    assert not any("device-timeout" in line for line in files), "a file is no device"


def test_the_unit_of_a_pool_waits_for_what_it_lies_on_and_its_target_alone_opens_that() -> None:
    """What a login starts because the home lies on the pool must not end at a prompt."""
    made = plan(body(VAULT, FILES), machine())
    folder = "/etc/systemd/system/zroot-pool@{}.d/zroot.conf"
    vault = written(made, folder.format("anna.service"))
    assert "\nAfter=systemd-cryptsetup@vault.service\n" in vault
    assert "Wants=" not in vault
    assert written(made, folder.format("anna.target")) == "[Unit]\nWants=systemd-cryptsetup@vault.service\n"
    assert written(made, folder.format("szpool.target")).count("Wants=") == 3
    assert 'Environment="ZROOT_DEVICES=/dev/mapper/vault"' in vault
    files = written(made, folder.format("szpool.service"))
    assert r"After=systemd-cryptsetup@sz\x2d3.service" in files
    assert "RequiresMountsFor=/srv/files" in files
    assert "Requires=systemd-cryptsetup" not in files, "a damaged file is done without"


def test_a_pool_opened_in_the_initramfs_waits_for_no_prompt() -> None:
    made = plan(body(crypt(), DATA), machine())
    unit = written(made, "/etc/systemd/system/zroot-pool@tank.service.d/zroot.conf")
    assert "cryptsetup" not in unit
    assert "/dev/mapper/data-a /dev/mapper/data-b" in unit


def test_a_service_waits_for_the_key_and_the_key_for_the_pool() -> None:
    made = plan(body(crypt(), DATA), machine())
    key = r"zfs-load-key@tank-my\x2ddata.service"
    prompt = written(made, f"/etc/systemd/system/{key}.d/zroot.conf")
    assert "After=zroot-pool@tank.service" in prompt
    assert "ZROOT_WAIT=60" in prompt
    assert "smbd.service" in prompt
    service = written(made, r"/etc/systemd/system/smbd.service.d/zroot-tank-my\x2ddata.conf")
    assert service.splitlines()[1:] == [f"Requires={key}", f"After={key}", "RequiresMountsFor=/srv"]
    target = written(made, f"/etc/systemd/system/{key_target('tank/my-data')}.d/zroot.conf")
    assert target.splitlines()[1:] == ["Wants=smbd.service", "After=smbd.service"]


def test_no_mount_is_wanted_by_a_unit_that_it_comes_after() -> None:
    """The mount generator writes Before= for each of wanted-by: with After= it would be a cycle."""
    found = layout(body(crypt(), DATA, VAULT), machine())
    for dataset in ("tank", "tank/my-data", "anna"):
        properties = systemd_properties(found, dataset)
        wanted = properties["org.openzfs.systemd:wanted-by"].split()
        assert all(unit.endswith(".target") for unit in wanted)
        assert "local-fs.target" not in wanted, "every service would ask again for what stayed locked"
        assert properties["org.openzfs.systemd:nofail"] == "on"


def test_root_pool_and_storage_alone_have_no_such_properties() -> None:
    assert systemd_properties(layout(body(VAULT), machine()), "rpool") == {}
    alone = body(crypt(), DATA).replace(', services = ["smbd.service"]', "") + '[system]\nsource = "none"\n'
    assert (
        systemd_properties(
            layout(alone.replace('[system.user]\nname = "user"\npassword = "user-password"\n', ""), machine()), "tank"
        )
        == {}
    )


def test_no_drop_in_hides_one_of_its_template() -> None:
    """systemd takes one file of a name, whether it is meant for the instance or for the template."""
    units = ROOT / "iso/target/usr/lib/systemd/system"
    templates = {path.name for path in units.glob("*@.*.d/*.conf")}
    assert templates
    made = plan(body(crypt(), DATA, VAULT), machine())
    actions = [operation.action for operation in made.operations]
    written_here = {
        Path(action.path).name for action in actions if isinstance(action, WriteFile) and "@" in action.path
    }
    assert written_here
    assert not templates & written_here
