#!/bin/bash
# One would guess: firmware that has started a disk by \EFI\BOOT\BOOTX64.EFI and remembers that starts it again when
# another disk has been plugged in or a mirror's other half has been taken out, or starts the other disk: both hold that
# file, and the firmware's own shell is for machines that have nothing to start.
# What is so: OVMF gives virtio-blk disks no names but numbers, in the order of their PCI addresses: "UEFI Misc Device",
# "UEFI Misc Device 2". It remembers name and address together. What changes either makes it a new disk:
# the old entry is deleted, the new one goes to the end of the boot order, and that is behind "EFI Internal Shell",
# which OVMF put last when it had first seen the disks. So a disk that was started before is passed over for the shell
#   - when a second one appears at a lower address (and the second one is as new, so neither starts),
#   - when the one at the lower address is taken away: the half of a mirror that is left does not start,
# and it stays so at the next start with both. A second disk at a higher address does no harm, and with new variables the
# disks come before the shell. Seen once with QEMU 7.2 and not repeated here: a disk moved to another address is passed
# over too, and bootindex= on both disks starts the first of them again.
# Versions: OVMF 2022.11 with QEMU 7.2 (Debian 12), OVMF 2025.02 with QEMU 10.0 (Debian 13), -machine pc, emulated.
# Needs: mmdebstrap, an apt with a Debian source. No KVM.
set -euo pipefail

versions=(
    "bookworm qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3 ovmf=2022.11-6+deb12u2 systemd-boot-efi=252.39-1~deb12u2 gdisk=1.0.9-2.1 mtools=4.0.33-1+really4.0.32-1"
    "trixie qemu-system-x86=1:10.0.13+ds-0+deb13u1 ovmf=2025.02-8+deb13u1 systemd-boot-efi=257.13-1~deb13u1 gdisk=1.0.10-2 mtools=4.0.48-1"
)
within=300 # seconds a start may take; five to ten on a quiet machine

work=$(mktemp -d)
pid=""
finish() {
    [[ ! $pid ]] || kill "$pid" 2> /dev/null || true
    rm -rf "$work"
}
trap finish EXIT
chmod 755 "$work"

unpack() { # SUITE FOLDER PACKAGE=VERSION...: unpacks them with what they depend on; nothing of it is installed
    local suite=$1 folder=$2 mirror include
    shift 2
    # shellcheck disable=SC2016 # apt replaces them
    mirror=$(apt-get indextargets --format '$(LABEL)|$(REPO_URI)' "Created-By: Packages" \
        | sed -nE 's/^Debian\|//p' | sed -E 's,//[^/@]*@,//,' | sort -u | head -1)
    [[ $mirror ]] || { echo "This machine's apt has no Debian source." >&2; exit 2; }
    include=$(IFS=,; echo "$*")
    mkdir "$folder"
    if ! mmdebstrap --variant=extract --include="$include" "$suite" - "deb $mirror $suite main" 2> "$work/log" \
        | tar --extract --no-same-owner --exclude=./dev --directory="$folder"; then
        tail -n 20 "$work/log" >&2
        echo "Not to be had from $suite as pinned (see above for which): $*" >&2
        exit 2
    fi
}

locate() { # PROGRAM: sets $program to what runs that of $root with its own libraries
    local folder loader
    # Debian 12's C library still unpacks to /lib.
    for folder in lib usr/lib; do
        loader=$root/$folder/x86_64-linux-gnu/ld-linux-x86-64.so.2
        [[ ! -e $loader ]] || break
    done
    for folder in usr/bin usr/sbin sbin; do
        [[ ! -e $root/$folder/$1 ]] || break
    done
    program=("$loader" --library-path "$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu" "$root/$folder/$1")
}

unpacked() { # PROGRAM ARGUMENT...
    locate "$1"
    "${program[@]}" "${@:2}"
}

disk() { # NAME: a GPT with an ESP that holds the removable path; should the shell be reached, it shows the boot order
    local esp=$work/$1.img@@1M
    truncate --size=48M "$work/$1.img"
    unpacked sgdisk --new=1:2048:+40M --typecode=1:ef00 "$work/$1.img" > "$work/log"
    unpacked mformat -i "$esp" -T 81920 -h 16 -s 32 ::
    unpacked mmd -i "$esp" ::/EFI ::/EFI/BOOT
    unpacked mcopy -i "$esp" "$root/usr/lib/systemd/boot/efi/systemd-bootx64.efi" ::/EFI/BOOT/BOOTX64.EFI
    printf '@echo -off\r\nbcfg boot dump\r\necho "That is all."\r\n' > "$work/startup.nsh"
    unpacked mcopy -i "$esp" "$work/startup.nsh" ::/startup.nsh
}

first_of() { # VARIABLES NAME=ADDRESS...: says what the firmware starts first with these disks
    local variables=$1 one options=() second
    shift
    for one; do
        options+=(-drive "if=none,id=${one%=*},format=raw,cache=unsafe,file=$work/${one%=*}.img"
            -device "virtio-blk-pci,drive=${one%=*},addr=${one#*=},serial=DISK-${one%=*}")
    done
    : > "$work/serial"
    locate qemu-system-x86_64
    QEMU_MODULE_DIR=$root/usr/lib/x86_64-linux-gnu/qemu "${program[@]}" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" \
        -accel tcg -machine pc -m 256 -nodefaults -display none -vga none -net none -no-reboot -serial "file:$work/serial" \
        -drive "if=pflash,format=raw,readonly=on,file=$root/usr/share/OVMF/OVMF_CODE_4M.fd" \
        -drive "if=pflash,format=raw,file=$variables" "${options[@]}" 2> "$work/log" &
    pid=$!
    for ((second = 0; second < within; second++)); do
        sleep 1
        grep --quiet --text -E 'BdsDxe: starting .*UEFI Misc Device|That is all' "$work/serial" && break
        kill -0 "$pid" 2> /dev/null || break
    done
    { kill "$pid" && wait "$pid"; } 2> /dev/null || true
    pid=""
    tr -d '\r' < "$work/serial" | sed -nE 's/.*BdsDxe: starting (Boot[0-9A-F]{4} "[^"]*" from .*)/\1/p' | head -1 > "$work/first"
    printf '   disks %s: ' "$*"
    [[ -s $work/first ]] || { echo "nothing was started, or not within $within seconds"; cat "$work/log"; return; }
    cut -c -90 "$work/first"
    if grep --quiet Shell "$work/first"; then
        echo "      boot order: $(tr -d '\r' < "$work/serial" | sed -nE 's/.*Desc +- (.*)/\1/p' | paste --serial --delimiters=,)"
    fi
}

different=0
expect() { # PATTERN: holds against what was started first
    grep --quiet -E "$1" "$work/first" || { echo "   DIFFERENT: that is not /$1/"; different=1; }
}

for version in "${versions[@]}"; do
    read -r suite packages <<< "$version"
    root=$work/$suite
    # shellcheck disable=SC2086 # several
    unpack "$suite" "$root" $packages
    echo "== $suite: $packages"
    for name in a b c; do
        rm -f "$work/$name.img"
        disk "$name"
    done
    new() { cp "$root/usr/share/OVMF/OVMF_VARS_4M.fd" "$work/$1"; }

    echo "b alone, new variables, and then with a at a lower address:"
    new variables
    first_of "$work/variables" b=0x11
    expect '"UEFI Misc Device" from PciRoot\(0x0\)/Pci\(0x11,0x0\)'
    cp "$work/variables" "$work/variables-of-b"
    first_of "$work/variables" a=0x10 b=0x11
    expect '"EFI Internal Shell"'

    echo "The same history, but the second disk is c at a higher address:"
    first_of "$work/variables-of-b" b=0x11 c=0x12
    expect '"UEFI Misc Device" from PciRoot\(0x0\)/Pci\(0x11,0x0\)'

    echo "a and b, new variables, then b alone, then both again:"
    new variables
    first_of "$work/variables" a=0x10 b=0x11
    expect '"UEFI Misc Device" from PciRoot\(0x0\)/Pci\(0x10,0x0\)'
    first_of "$work/variables" b=0x11
    expect '"EFI Internal Shell"'
    first_of "$work/variables" a=0x10 b=0x11
    expect '"EFI Internal Shell"'

    rm -rf "$root"
done
if ((different)); then
    echo "DIFFERENT from what was found."
    exit 1
fi
echo "As found: a disk whose number changes is forgotten, and the shell is started in its place."
