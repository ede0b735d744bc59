"""What zroot writes for NixOS: configuration.nix, and hardware-configuration.nix for what it says of the storage."""

from __future__ import annotations

from collections.abc import Iterator

from installer.plan.layout import Layout
from installer.plan.names import fact
from installer.recipe.model import Persist, SwapKind, User

STATE_VERSION = "25.11"
"""Release whose defaults for stateful data count from the first start on; it is never raised by an update."""
MODULES = (
    *("ahci", "nvme", "sd_mod", "sr_mod", "usb_storage", "usbhid"),
    *("virtio_blk", "virtio_pci", "virtio_scsi", "xhci_pci"),
)
"""Drivers of disks and keyboards: what nixos-generate-config would look up, for any machine."""


def persisted(layout: Layout) -> Persist:
    """Return the table that every recipe for NixOS has."""
    if layout.recipe.persist is None:
        raise ValueError("the rule nixos-unfit lets no such recipe through")
    return layout.recipe.persist


def kept_folders(persist: Persist) -> list[str]:
    """Return the folders that are kept, the configuration's among them, in the order of mounting."""
    return sorted({"/etc/nixos", *(path.rstrip("/") for path in persist.keep if path.endswith("/"))})


def password_file(layout: Layout, user: str) -> str:
    """Return where the hash of a password is kept."""
    return f"{persisted(layout).folder}/etc/nixos-secrets/{user}"


def device_folders(layout: Layout) -> tuple[str, ...]:
    """Return where the pool's members appear in whichever system looks for them."""
    members = layout.pool_members(layout.root_pool)
    found = ("/dev/mapper" if one.path.startswith("/dev/mapper/") else "/dev/disk/by-partuuid" for one in members)
    return tuple(dict.fromkeys(found))


def string(text: str) -> str:
    """Quote a text for Nix."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${") + '"'


def listed(words: tuple[str, ...] | list[str]) -> str:
    """Write a list of texts."""
    return f"[ {' '.join(map(string, words))} ]" if words else "[ ]"


def _file(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def configuration(layout: Layout) -> str:
    """Return configuration.nix."""
    boot = layout.recipe.boot
    return _file(
        "# Written by zroot. Change it in /etc/nixos, then: nixos-rebuild switch",
        "{ config, lib, pkgs, ... }:",
        "",
        "{",
        "  imports = [ ./hardware-configuration.nix ];",
        "",
        "  # UEFI only. Kernels lie on the ESP, which is /boot; nobody edits their arguments at the menu.",
        "  boot.loader.systemd-boot.enable = true;",
        '  boot.loader.systemd-boot.consoleMode = "max";',
        "  boot.loader.systemd-boot.editor = false;",
        "  boot.loader.efi.canTouchEfiVariables = true;",
        '  boot.loader.efi.efiSysMountPoint = "/boot";',
        f"  boot.loader.timeout = {boot.timeout};",
        f"  boot.kernelParams = {listed(boot.arguments)};",
        "",
        *_zfs(layout),
        "",
        *_rollback(layout),
        "",
        *_place(layout),
        "",
        *_users(layout),
        "",
        "  services.openssh.enable = true;",
        *_swap(layout),
        "",
        f"  # {STATE_VERSION} is what data of services begins with; it stays as it is when NixOS is updated.",
        f"  system.stateVersion = {string(STATE_VERSION)};",
        "}",
    )


def _zfs(layout: Layout) -> Iterator[str]:
    (folder, *_) = device_folders(layout)
    yield '  boot.supportedFilesystems = [ "zfs" ];'
    yield "  # The host id under which the pool was made; with it, nothing has to be forced."
    yield '  networking.hostId = "@{hostid}";'
    yield "  boot.zfs.forceImportRoot = false;"
    yield f"  boot.zfs.devNodes = {string(folder)};"
    yield "  boot.zfs.requestEncryptionCredentials = false;"
    yield "  # systemd mounts the datasets, as hardware-configuration.nix lists them."
    yield "  systemd.services.zfs-mount.enable = false;"
    yield "  services.zfs.autoScrub.enable = true;"
    yield "  services.zfs.trim.enable = true;"


def _rollback(layout: Layout) -> Iterator[str]:
    pool = layout.root_pool
    blank = f"{layout.root_dataset}@{persisted(layout).snapshot}"
    yield "  # The root file system is emptied before it is mounted, from the first start on: all that must stay is in"
    yield f"  # {persisted(layout).folder}. A service, because systemd's initramfs has no postMountCommands."
    yield "  boot.initrd.systemd.enable = true;"
    yield "  boot.initrd.systemd.services.rollback = {"
    yield f"    description = {string(f'Roll the root file system back to {blank}')};"
    yield '    wantedBy = [ "initrd.target" ];'
    yield f"    requires = [ {string(f'zfs-import-{pool}.service')} ];"
    yield f"    after = [ {string(f'zfs-import-{pool}.service')} ];"
    yield '    before = [ "sysroot.mount" ];'
    yield '    unitConfig.DefaultDependencies = "no";'
    yield '    unitConfig.ConditionKernelCommandLine = "!zroot.keep";'
    yield '    serviceConfig.Type = "oneshot";'
    yield "    path = [ config.boot.zfs.package ];"
    yield f"    script = {string(f'zfs rollback -r {blank}')};"
    yield "  };"
    yield "  # The escape: a second entry of the boot menu, which keeps what changed in the root file system."
    yield '  specialisation.keep-what-changed.configuration.boot.kernelParams = [ "zroot.keep" ];'


def _place(layout: Layout) -> Iterator[str]:
    system, network = layout.recipe.system, layout.recipe.system.network
    keyboard, _, variant = system.keymap.partition(":")
    yield f"  networking.hostName = {string(system.hostname)};"
    yield "  networking.useDHCP = false;"
    yield "  systemd.network.enable = true;"
    yield '  systemd.network.networks."20-wired" = {'
    yield f"    matchConfig.Name = {string(network.interface)};"
    if network.address:
        yield f"    address = {listed([network.address])};"
        if network.gateway:
            yield f"    gateway = {listed([network.gateway])};"
    else:
        yield '    networkConfig.DHCP = "yes";'
    if network.dns:
        yield f"    dns = {listed(network.dns)};"
    yield '    linkConfig.RequiredForOnline = "no";'
    yield "  };"
    yield f"  time.timeZone = {string(system.timezone)};"
    yield f"  i18n.defaultLocale = {string(system.locale)};"
    yield "  # The passphrase is typed on the same keyboard."
    yield f"  services.xserver.xkb.layout = {string(keyboard)};"
    if variant:
        yield f"  services.xserver.xkb.variant = {string(variant)};"
    yield "  console.useXkbConfig = true;"
    yield "  console.earlySetup = true;"


def _users(layout: Layout) -> Iterator[str]:
    system = layout.recipe.system
    yield "  # Made anew at every start from what stands here. Hashes of passwords lie where only root reads them, for"
    yield "  # this file becomes part of the Nix store, which everybody reads. A new password: mkpasswd > the file."
    yield "  users.mutableUsers = false;"
    if system.root_password:
        yield f"  users.users.root.hashedPasswordFile = {string(password_file(layout, 'root'))};"
    if system.user:
        yield from _user(layout, system.user)


def _user(layout: Layout, user: User) -> Iterator[str]:
    yield f"  users.users.{string(user.name)} = {{"
    yield "    isNormalUser = true;"
    yield "    uid = 1000;"
    yield f"    group = {string(user.name)};"
    yield '    extraGroups = [ "wheel" ];'
    if user.full_name:
        yield f"    description = {string(user.full_name)};"
    if user.password:
        yield f"    hashedPasswordFile = {string(password_file(layout, user.name))};"
    if user.ssh_keys:
        yield f"    openssh.authorizedKeys.keys = {listed(user.ssh_keys)};"
    yield "  };"
    yield f"  users.groups.{string(user.name)}.gid = 1000;"
    if not user.password:
        yield "  security.sudo.wheelNeedsPassword = false;"


def _swap(layout: Layout) -> Iterator[str]:
    swap = layout.recipe.swap
    if swap.kind is SwapKind.ZRAM:
        yield "  zramSwap.enable = true;"
        if swap.size:
            yield f"  zramSwap.memoryMax = {int(swap.size)};"


def hardware(layout: Layout) -> str:
    """Return hardware-configuration.nix."""
    return _file(
        "# Written by zroot in the place of nixos-generate-config.",
        "{ config, lib, modulesPath, ... }:",
        "",
        "{",
        '  imports = [ (modulesPath + "/installer/scan/not-detected.nix") ];',
        "",
        f"  boot.initrd.availableKernelModules = {listed(MODULES)};",
        *_luks(layout),
        "",
        *_file_systems(layout),
        "",
        '  nixpkgs.hostPlatform = "x86_64-linux";',
        "  hardware.cpu.amd.updateMicrocode = lib.mkDefault config.hardware.enableRedistributableFirmware;",
        "  hardware.cpu.intel.updateMicrocode = lib.mkDefault config.hardware.enableRedistributableFirmware;",
        "}",
    )


def _luks(layout: Layout) -> Iterator[str]:
    """Members that one passphrase opens; systemd asks once."""
    for name, crypt in layout.recipe.crypt.items():
        for device in layout.members(f"crypt.{name}"):
            yield f"  boot.initrd.luks.devices.{string(device.name)} = {{"
            yield f'    device = "/dev/disk/by-uuid/{fact("luks", device.name)}";'
            if crypt.discard:
                yield "    allowDiscards = true;"
            yield "  };"


def _file_systems(layout: Layout) -> Iterator[str]:
    persist = persisted(layout)
    for mount in layout.mounts:
        early = " neededForBoot = true;" if mount.point == persist.folder else ""
        yield f'  fileSystems.{string(mount.point)} = {{ device = {string(mount.source)}; fsType = "zfs";{early} }};'
    yield '  fileSystems."/boot" = {'
    yield f'    device = "/dev/disk/by-uuid/{fact("esp", layout.esps[0].role)}";'
    yield '    fsType = "vfat";'
    yield '    options = [ "umask=0077" ];'
    yield "  };"
    yield ""
    yield f"  # Kept in {persist.folder}: everything else in the root file system is gone with the next start."
    for path in kept_folders(persist):
        yield f"  fileSystems.{string(path)} = {{"
        yield f"    device = {string(persist.folder + path)};"
        yield '    fsType = "none";'
        yield '    options = [ "bind" ];'
        yield f"    depends = [ {string(persist.folder)} ];"
        yield "  };"
    for path in persist.keep:
        if not path.endswith("/"):
            yield f"  environment.etc.{string(path.removeprefix('/etc/'))}.source = {string(persist.folder + path)};"
