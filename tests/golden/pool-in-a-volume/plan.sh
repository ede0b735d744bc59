#!/bin/bash
# An encrypted pool in a volume of another
# Made by zroot 0.1.0. Run by hand it cannot be resumed.
#
# ERASES disk a: Virtual disk, 8.6 GB, virtio, serial S1
#     /dev/disk/by-id/virtio-S1
#
# The pool tank has no redundancy: if its disk fails, all of it is lost. Keep a copy elsewhere.
# crypt.vault passes discards on to the disks: it keeps SSDs fast, and lets whoever has the disk see how much of it is in use, and where, but nothing of what it says.
set -eu
again() { # COUNT COMMAND...: once more after a second, at most COUNT times
    left=$1; shift
    until "$@"; do
        [ "$left" -gt 0 ] || return 1
        left=$((left - 1)); sleep 1
    done
}
status() { # "STATUSES" COMMAND...: succeeds if the command ends with one of them
    good=$1; shift; ended=0
    "$@" || ended=$?
    case " $good " in *" $ended "*) ;; *) return 1 ;; esac
}
mkdir -p -m 0700 /run/zroot

fact_install_id=$(cat /proc/sys/kernel/random/uuid) # tells this installation from every other when it is resumed
fact_disk_guid_a=$(cat /proc/sys/kernel/random/uuid) # names the partition table of a disk
fact_hostid=$(od -An -N4 -tx4 /dev/urandom | tr -d ' ') # tells ZFS which system has a pool in use
fact_luks_vault=$(cat /proc/sys/kernel/random/uuid) # names an encrypted member
IFS= read -rsp 'passphrase: ' secret_passphrase; echo

### teardown

# Erase all labels and signatures on disk a
status '0 1 255' zpool labelclear -f /dev/disk/by-id/virtio-S1
udevadm settle --timeout=60
again 10 mdadm --zero-superblock /dev/disk/by-id/virtio-S1
again 10 wipefs --all /dev/disk/by-id/virtio-S1
sgdisk --zap-all /dev/disk/by-id/virtio-S1
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/virtio-S1
again 10 blkdiscard --zeroout --offset=8588886016 --length=1048576 /dev/disk/by-id/virtio-S1
again 20 blockdev --rereadpt /dev/disk/by-id/virtio-S1

# Wait until udev has seen that the disks are empty
udevadm settle --timeout=60

# Prove that nothing is recognised on disk a any more
test -b /dev/disk/by-id/virtio-S1
status 2 blkid --probe --no-part-details /dev/disk/by-id/virtio-S1

### partitions

# Make the partition table of disk a
status '0 4' sgdisk --clear --set-alignment=2048 --disk-guid="${fact_disk_guid_a}" --new=1:0:+8190M --typecode=1:bf00 --change-name=1:pool /dev/disk/by-id/virtio-S1
again 20 blockdev --rereadpt /dev/disk/by-id/virtio-S1

# Wait until udev has seen the new partition tables
udevadm settle --timeout=60

# Wait for the partitions to appear
again 60 test -e /dev/disk/by-id/virtio-S1-part1

# Remove what earlier contents of disk a left inside its new partitions
again 10 wipefs --all /dev/disk/by-id/virtio-S1-part1
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/virtio-S1-part1
again 10 blkdiscard --zeroout --offset=8586788864 --length=1048576 /dev/disk/by-id/virtio-S1-part1

# Prove that the new partitions of disk a are empty
test -b /dev/disk/by-id/virtio-S1-part1
status 2 blkid --probe --no-part-details /dev/disk/by-id/virtio-S1-part1

### pools

# Take the host id that the new system will have
zgenhostid -f "${fact_hostid}"

# Create the pool tank
zpool create -f -o ashift=12 -O mountpoint=none -R /mnt/zroot tank /dev/disk/by-id/virtio-S1-part1

# Import the pool tank
zpool list -H -o name tank >/dev/null 2>&1 || {
zpool import -N -R /mnt/zroot -d /dev/disk/by-id/virtio-S1-part1 tank
}

# Say where the top dataset of tank is mounted
zfs set -u mountpoint=/tank tank

### datasets

# Create the volume tank/vault
zfs create -V 1G tank/vault
udevadm settle --timeout=60

### encryption

# Encrypt vault with LUKS2
printf '%s\n' "${secret_passphrase}" | cryptsetup luksFormat --type=luks2 --cipher=aes-xts-plain64 --key-size=512 --hash=sha256 --pbkdf=argon2id --pbkdf-memory=524288 --pbkdf-parallel=4 --pbkdf-force-iterations=4 --sector-size=4096 --uuid="${fact_luks_vault}" --label=vault --batch-mode /dev/zvol/tank/vault

# Wait until udev has seen what was encrypted for vault
udevadm settle --timeout=60

# Open vault with its passphrase
test -b /dev/mapper/vault >/dev/null 2>&1 || {
printf '%s\n' "${secret_passphrase}" | cryptsetup open --type=luks2 --allow-discards /dev/zvol/tank/vault vault
}

# Wait until udev has seen what was opened for vault
udevadm settle --timeout=60

### pools

# Create the pool home
zpool create -f -o ashift=12 -O mountpoint=/export/home -O canmount=off -R /mnt/zroot home /dev/mapper/vault

# Import the pool home
zpool list -H -o name home >/dev/null 2>&1 || {
zpool import -N -R /mnt/zroot -d /dev/mapper/vault home
}

### datasets

# Create the dataset home/documents
zfs create -u home/documents

# Mount tank as /tank of the new system
mountpoint --quiet /mnt/zroot/tank >/dev/null 2>&1 || {
mkdir --parents /mnt/zroot/tank
zfs mount tank
}

# Mount home/documents as /export/home/documents of the new system
mountpoint --quiet /mnt/zroot/export/home/documents >/dev/null 2>&1 || {
mkdir --parents /mnt/zroot/export/home/documents
zfs mount home/documents
}

### finish

# Export the pool home
test '!' -e /proc/spl/kstat/zfs/home >/dev/null 2>&1 || {
again 10 zpool export home
}

# Close vault
test '!' -e /dev/mapper/vault >/dev/null 2>&1 || {
again 10 cryptsetup close vault
}

# Export the pool tank
test '!' -e /proc/spl/kstat/zfs/tank >/dev/null 2>&1 || {
again 10 zpool export tank
}
