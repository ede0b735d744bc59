"""Virtual machines: any disks, BIOS or UEFI, serial console, QMP."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from installer.recipe.model import Firmware
from tests import times
from tests.vm.emulator import qemu
from tests.vm.kvm import TCG
from tests.vm.places import ROOT, extracted
from tests.vm.serial import Console

OVMF = Path("/usr/share/OVMF")
MENU = ROOT / "iso/medium/grub.cfg"
START = 30.0
"""Seconds for QEMU itself to start, on a machine that may be busy."""
SAME_ADDRESSES = "type=11,value=io.systemd.credential:sysctl.extra=kernel.randomize_va_space=0"
"""For systemd in the machine, live or installed: every program at the same addresses each time. QEMU 7.2 translates a
page of code once for each address, and writes to a page that was code byte by byte past all of these translations. When
the libraries of a thousand programs leave the memory, as at the end of an installation, the machine stands still for up
to 90 seconds."""
HELD = 0.5
"""Seconds after a key: QEMU holds it for a tenth of one, and says nothing when it has let go."""


class Bus(StrEnum):
    VIRTIO = "virtio"
    NVME = "nvme"
    SCSI = "scsi"
    USB = "usb"


class Medium(StrEnum):
    """How the ISO is attached."""

    CD = "cd"
    USB = "usb"
    DIRECT = "direct"
    """Not booted from: QEMU loads its kernel, and the ISO is a disk that is fast to read."""


class MachineError(Exception):
    """QEMU itself failed."""


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A disk of a machine; one that is left out of a later machine leaves its slot empty."""

    image: Path
    slot: int
    bus: Bus = Bus.VIRTIO
    serial: str | None = None
    sector: int = 512

    def overlay(self, folder: Path) -> Disk:
        """Return this disk with its writes going to a new file in the folder: the image below stays as it is."""
        over = self.over(folder)
        over.image.unlink(missing_ok=True)
        _qemu_img("create", "-f", "qcow2", "-b", str(self.image.resolve()), "-F", _format(self.image), str(over.image))
        return over

    def over(self, folder: Path) -> Disk:
        """Return this disk as overlay() has made it."""
        return replace(self, image=folder / f"disk{self.slot}.qcow2")

    def drive(self) -> list[str]:
        """Return QEMU's arguments for what backs this disk, whether it is plugged in or not."""
        image = f"file={self.image},format={_format(self.image)}"
        return ["-drive", f"if=none,id=drive{self.slot},{image},cache=unsafe,discard=unmap"]

    def device(self) -> dict[str, str]:
        """Return QEMU's properties of the disk itself, for the command line and for plugging it in."""
        common = {"id": f"disk{self.slot}", "drive": f"drive{self.slot}"}
        if self.sector != 512:
            common |= {"logical_block_size": str(self.sector), "physical_block_size": str(self.sector)}
        if self.serial or self.bus is Bus.NVME:
            common["serial"] = self.serial or common["id"]
        pci = {"addr": f"{0x10 + self.slot:#x}"}
        return {
            Bus.VIRTIO: {"driver": "virtio-blk-pci", **common, **pci},
            Bus.NVME: {"driver": "nvme", **common, **pci},
            Bus.SCSI: {"driver": "scsi-hd", **common, "bus": "scsi.0", "scsi-id": str(self.slot)},
            Bus.USB: {"driver": "usb-storage", **common, "bus": "usb.0", "port": str(self.slot + 2), "removable": "on"},
        }[self.bus]

    def arguments(self) -> list[str]:
        """Return QEMU's arguments for this disk, plugged in."""
        return [*self.drive(), "-device", ",".join(f"{name}={value}" for name, value in self.device().items())]


def blank(image: Path, *, gib: float, slot: int, **more: Any) -> Disk:
    """Make an empty disk, qcow2 or raw by the name of the image; it takes no room until it is written."""
    image.parent.mkdir(parents=True, exist_ok=True)
    image.unlink(missing_ok=True)
    _qemu_img("create", "-f", _format(image), str(image), str(int(gib * 1024**3)))
    return Disk(image=image, slot=slot, **more)


@dataclass(kw_only=True)
class Machine:
    """A machine that runs inside a `with`; when it reboots or powers off, QEMU ends, so one machine is one boot."""

    folder: Path
    disks: Sequence[Disk] = ()
    late: Sequence[Disk] = ()
    """Not there at the start: plug_in() attaches them."""
    firmware: Firmware = Firmware.BIOS
    secure_boot: bool = False
    """With UEFI: the firmware trusts what Microsoft has signed, and nothing else."""
    nvram: Path | None = None
    """UEFI variables, made if missing and written by the machine."""
    iso: Path | None = None
    medium: Medium = Medium.DIRECT
    accelerator: Sequence[str] = TCG
    memory: int = 2048
    """MiB"""
    processors: int = 1
    """Two machines side by side are faster than one with two processors, and QEMU 7.2 loses races only between two."""
    network: bool = False
    extra: Sequence[str] = ()
    console: Console = field(init=False)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log.unlink(missing_ok=True)
        self._began = time.time()
        # Not in the folder: the path of a UNIX socket has 107 characters at most.
        self._sockets = Path(tempfile.mkdtemp(prefix="zroot-vm-"))
        console = f"socket,id=con,path={self._sockets}/console,server=on,wait=on,logfile={self.log}"
        argv = [*self._argv(console), "-qmp", f"unix:{self._sockets}/qmp,server=on,wait=off"]
        with (self.folder / "qemu.log").open("wb") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.console = Console(self._connect("console"), log=self.log)
            self._qmp = Qmp(self._connect("qmp"))
        except OSError:  # devices are made after the sockets, so QEMU can still end over one of them
            self._kill()
            raise self._no_start() from None
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._picture()
        self._kill()
        times.note(times.Lap("machine", self.name, self._began, round(time.time() - self._began, 1)))

    def worked(self) -> float:
        """Return the processor's seconds that QEMU has had since the machine was started.

        What else runs beside it changes them little, and what the machine waits for is not in them.
        """
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def on_this_terminal(self) -> int:
        """Run the machine with its serial line on this terminal, Ctrl-a for QEMU; return QEMU's status at its end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        console = f"stdio,id=con,mux=on,signal=off,logfile={self.log}"
        # A monitor on the same terminal is what Ctrl-a belongs to.
        return subprocess.run([*self._argv(console), "-mon", "chardev=con,mode=readline"], check=False).returncode

    @property
    def name(self) -> str:
        """What it is called in the table of times."""
        return " ".join(self.folder.parts[-2:])

    @property
    def log(self) -> Path:
        """The whole console, as QEMU writes it."""
        return self.folder / "console.log"

    def qmp(self, command: str, **arguments: Any) -> Any:
        """Send a command to QEMU itself: system_reset, device_del, screendump, send-key, query-status, ..."""
        return self._qmp.command(command, **arguments)

    def press(self, *keys: str) -> None:
        """Press keys together on the keyboard, by QEMU's names: press("alt", "f2")."""
        self.qmp("send-key", keys=[{"type": "qcode", "data": key} for key in keys])
        time.sleep(HELD)

    def plug_in(self, disk: Disk) -> None:
        """Attach one of the late disks to the running machine."""
        self.qmp("device_add", **disk.device())

    def pull_plug(self) -> None:
        """Switch the machine off at once, as a power cut or the reset button does it."""
        self._kill()

    def power_off(self, *, within: float = 180) -> None:
        """Power off from the root shell on the console and wait until the machine is off."""
        self.console.line("systemctl poweroff")
        self.wait_off(within=within)

    def wait_off(self, *, within: float) -> None:
        """Wait until the guest has powered off or rebooted; within is in seconds."""
        self.console.wait_for_end(within=within)
        self._process.wait(START)

    def _argv(self, console: str) -> list[str]:
        # Firmware that keeps its keys from the system needs a chipset with system management mode.
        chipset = "q35,smm=on" if self.secure_boot else "pc"
        argv = [*qemu(), "-machine", chipset, *self.accelerator, "-m", str(self.memory)]
        argv += [
            "-smp",
            str(self.processors),
            "-no-reboot",
            "-no-user-config",
            "-nodefaults",
            "-display",
            "none",
            "-vga",
            "std",
        ]
        argv += ["-chardev", console, "-serial", "chardev:con"]
        argv += ["-nic", "user,model=virtio-net-pci" if self.network else "none"]
        argv += ["-device", "virtio-rng-pci", "-smbios", SAME_ADDRESSES]
        if self.firmware is Firmware.UEFI:
            argv += self._uefi()
        if any(disk.bus is Bus.SCSI for disk in self.disks):
            argv += ["-device", "virtio-scsi-pci,id=scsi,addr=0xf"]
        if any(disk.bus is Bus.USB for disk in self.disks) or (self.iso and self.medium is Medium.USB):
            argv += ["-device", "qemu-xhci,id=usb,addr=0xe,p2=15,p3=15"]
        if self.iso:
            argv += self._medium(self.iso)
        for disk in self.disks:
            argv += disk.arguments()
        for disk in self.late:
            argv += disk.drive()
        return [*argv, *self.extra]

    def _medium(self, iso: Path) -> list[str]:
        device = {
            Medium.CD: "ide-cd,bus=ide.1,bootindex=0",
            Medium.USB: "usb-storage,bus=usb.0,port=1,bootindex=0",
            Medium.DIRECT: "virtio-blk-pci",
        }[self.medium]
        argv = ["-drive", f"if=none,id=iso,file={iso},format=raw,readonly=on", "-device", f"{device},drive=iso,id=iso"]
        if self.medium is Medium.DIRECT:
            kernel, initrd = (str(extracted(iso, f"live/{name}")) for name in ("vmlinuz", "initrd.img"))
            argv += ["-kernel", kernel, "-initrd", initrd, "-append", _arguments(MENU.read_text())]
        return argv

    def _uefi(self) -> list[str]:
        nvram = self.nvram or self.folder / "nvram.fd"
        code, variables = ("CODE_4M.secboot", "VARS_4M.ms") if self.secure_boot else ("CODE_4M", "VARS_4M")
        if not nvram.exists():
            shutil.copyfile(OVMF / f"OVMF_{variables}.fd", nvram)
        secure = ["-global", "driver=cfi.pflash01,property=secure,value=on"] if self.secure_boot else []
        return [
            *secure,
            *("-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={OVMF}/OVMF_{code}.fd"),
            *("-drive", f"if=pflash,unit=1,format=raw,file={nvram}"),
        ]

    def _connect(self, name: str) -> socket.socket:
        deadline = time.monotonic() + START
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(self._sockets / name))
            except OSError:
                connection.close()
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise self._no_start() from None
                time.sleep(0.05)
            else:
                return connection

    def _no_start(self) -> MachineError:
        return MachineError(f"QEMU did not start:\n{(self.folder / 'qemu.log').read_text(errors='replace')}")

    def _picture(self) -> None:
        """Keep what the screen shows when a test fails: not everything goes to the serial line."""
        try:
            self.qmp("screendump", filename=str(self.folder / "screen.png"), format="png")
        except (OSError, ValueError, MachineError):
            return  # the machine is off already

    def _kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._sockets, ignore_errors=True)


class Qmp:
    """QEMU's own control socket: one JSON object a line, events in between."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(START)
        self._lines = connection.makefile("rw", encoding="utf-8")
        self._lines.readline()  # the greeting
        self.command("qmp_capabilities")

    def command(self, name: str, **arguments: Any) -> Any:
        """Carry out a command and return its answer. Raises MachineError."""
        self._lines.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self._lines.flush()
        while answer := self._lines.readline():
            said = json.loads(answer)
            if "error" in said:
                raise MachineError(f"{name}: {said['error']['desc']}")
            if "return" in said:
                return said["return"]
        raise MachineError(f"{name}: QEMU has ended")


def _arguments(menu: str) -> str:
    """Return the kernel's arguments in the first entry of the medium's menu."""
    (line, *_) = (line for line in menu.splitlines() if line.split()[:1] == ["linux"])
    return " ".join(line.split()[2:])


def _format(image: Path) -> str:
    return "qcow2" if image.suffix == ".qcow2" else "raw"


def _qemu_img(*arguments: str) -> None:
    subprocess.run(["qemu-img", arguments[0], "-q", *arguments[1:]], check=True)
