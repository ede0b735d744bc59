#!/bin/bash
# Six encrypted files, RAID-Z2 over them
# Made by zroot 0.1.0. Run by hand it cannot be resumed.
#
# ERASES disk a: Virtual disk, 12.9 GB, virtio, serial S1
#     /dev/disk/by-id/virtio-S1
#
# The pool tank has no redundancy: if its disk fails, all of it is lost. Keep a copy elsewhere.
# crypt.sz passes discards on to the disks: it keeps SSDs fast, and lets whoever has the disk see how much of it is in use, and where, but nothing of what it says.
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
fact_luks_sz_1=$(cat /proc/sys/kernel/random/uuid) # names an encrypted member
fact_luks_sz_2=$(cat /proc/sys/kernel/random/uuid) # names an encrypted member
fact_luks_sz_3=$(cat /proc/sys/kernel/random/uuid) # names an encrypted member
fact_luks_sz_4=$(cat /proc/sys/kernel/random/uuid) # names an encrypted member
fact_luks_sz_5=$(cat /proc/sys/kernel/random/uuid) # names an encrypted member
fact_luks_sz_6=$(cat /proc/sys/kernel/random/uuid) # names an encrypted member
IFS= read -rsp 'passphrase: ' secret_passphrase; echo

### teardown

# Erase all labels and signatures on disk a
status '0 1 255' zpool labelclear -f /dev/disk/by-id/virtio-S1
udevadm settle --timeout=60
again 10 mdadm --zero-superblock /dev/disk/by-id/virtio-S1
again 10 wipefs --all /dev/disk/by-id/virtio-S1
sgdisk --zap-all /dev/disk/by-id/virtio-S1
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/virtio-S1
again 10 blkdiscard --zeroout --offset=12883853312 --length=1048576 /dev/disk/by-id/virtio-S1
again 20 blockdev --rereadpt /dev/disk/by-id/virtio-S1

# Wait until udev has seen that the disks are empty
udevadm settle --timeout=60

# Prove that nothing is recognised on disk a any more
test -b /dev/disk/by-id/virtio-S1
status 2 blkid --probe --no-part-details /dev/disk/by-id/virtio-S1

### partitions

# Make the partition table of disk a
status '0 4' sgdisk --clear --set-alignment=2048 --disk-guid="${fact_disk_guid_a}" --new=1:0:+12286M --typecode=1:bf00 --change-name=1:pool /dev/disk/by-id/virtio-S1
again 20 blockdev --rereadpt /dev/disk/by-id/virtio-S1

# Wait until udev has seen the new partition tables
udevadm settle --timeout=60

# Wait for the partitions to appear
again 60 test -e /dev/disk/by-id/virtio-S1-part1

# Remove what earlier contents of disk a left inside its new partitions
again 10 wipefs --all /dev/disk/by-id/virtio-S1-part1
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/virtio-S1-part1
again 10 blkdiscard --zeroout --offset=12881756160 --length=1048576 /dev/disk/by-id/virtio-S1-part1

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

# Create the dataset tank/export
zfs create -u -o mountpoint=/export tank/export

# Mount tank/export as /export of the new system
mountpoint --quiet /mnt/zroot/export >/dev/null 2>&1 || {
mkdir --parents /mnt/zroot/export
zfs mount tank/export
}

# Mount tank as /tank of the new system
mountpoint --quiet /mnt/zroot/tank >/dev/null 2>&1 || {
mkdir --parents /mnt/zroot/tank
zfs mount tank
}

# Make the files of szpool
mkdir --parents /mnt/zroot/export/szpools
truncate --size=1073741824 /mnt/zroot/export/szpools/szpool-1 /mnt/zroot/export/szpools/szpool-2 /mnt/zroot/export/szpools/szpool-3 /mnt/zroot/export/szpools/szpool-4 /mnt/zroot/export/szpools/szpool-5 /mnt/zroot/export/szpools/szpool-6

### encryption

# Encrypt sz-1 with LUKS2
printf '%s\n' "${secret_passphrase}" | cryptsetup luksFormat --type=luks2 --cipher=aes-xts-plain64 --key-size=512 --hash=sha256 --pbkdf=argon2id --pbkdf-memory=524288 --pbkdf-parallel=4 --pbkdf-force-iterations=4 --sector-size=4096 --uuid="${fact_luks_sz_1}" --label=sz-1 --batch-mode /mnt/zroot/export/szpools/szpool-1

# Encrypt sz-2 with LUKS2
printf '%s\n' "${secret_passphrase}" | cryptsetup luksFormat --type=luks2 --cipher=aes-xts-plain64 --key-size=512 --hash=sha256 --pbkdf=argon2id --pbkdf-memory=524288 --pbkdf-parallel=4 --pbkdf-force-iterations=4 --sector-size=4096 --uuid="${fact_luks_sz_2}" --label=sz-2 --batch-mode /mnt/zroot/export/szpools/szpool-2

# Encrypt sz-3 with LUKS2
printf '%s\n' "${secret_passphrase}" | cryptsetup luksFormat --type=luks2 --cipher=aes-xts-plain64 --key-size=512 --hash=sha256 --pbkdf=argon2id --pbkdf-memory=524288 --pbkdf-parallel=4 --pbkdf-force-iterations=4 --sector-size=4096 --uuid="${fact_luks_sz_3}" --label=sz-3 --batch-mode /mnt/zroot/export/szpools/szpool-3

# Encrypt sz-4 with LUKS2
printf '%s\n' "${secret_passphrase}" | cryptsetup luksFormat --type=luks2 --cipher=aes-xts-plain64 --key-size=512 --hash=sha256 --pbkdf=argon2id --pbkdf-memory=524288 --pbkdf-parallel=4 --pbkdf-force-iterations=4 --sector-size=4096 --uuid="${fact_luks_sz_4}" --label=sz-4 --batch-mode /mnt/zroot/export/szpools/szpool-4

# Encrypt sz-5 with LUKS2
printf '%s\n' "${secret_passphrase}" | cryptsetup luksFormat --type=luks2 --cipher=aes-xts-plain64 --key-size=512 --hash=sha256 --pbkdf=argon2id --pbkdf-memory=524288 --pbkdf-parallel=4 --pbkdf-force-iterations=4 --sector-size=4096 --uuid="${fact_luks_sz_5}" --label=sz-5 --batch-mode /mnt/zroot/export/szpools/szpool-5

# Encrypt sz-6 with LUKS2
printf '%s\n' "${secret_passphrase}" | cryptsetup luksFormat --type=luks2 --cipher=aes-xts-plain64 --key-size=512 --hash=sha256 --pbkdf=argon2id --pbkdf-memory=524288 --pbkdf-parallel=4 --pbkdf-force-iterations=4 --sector-size=4096 --uuid="${fact_luks_sz_6}" --label=sz-6 --batch-mode /mnt/zroot/export/szpools/szpool-6

# Wait until udev has seen what was encrypted for sz
udevadm settle --timeout=60

# Open sz-1 with its passphrase
test -b /dev/mapper/sz-1 >/dev/null 2>&1 || {
printf '%s\n' "${secret_passphrase}" | cryptsetup open --type=luks2 --allow-discards /mnt/zroot/export/szpools/szpool-1 sz-1
}

# Open sz-2 with its passphrase
test -b /dev/mapper/sz-2 >/dev/null 2>&1 || {
printf '%s\n' "${secret_passphrase}" | cryptsetup open --type=luks2 --allow-discards /mnt/zroot/export/szpools/szpool-2 sz-2
}

# Open sz-3 with its passphrase
test -b /dev/mapper/sz-3 >/dev/null 2>&1 || {
printf '%s\n' "${secret_passphrase}" | cryptsetup open --type=luks2 --allow-discards /mnt/zroot/export/szpools/szpool-3 sz-3
}

# Open sz-4 with its passphrase
test -b /dev/mapper/sz-4 >/dev/null 2>&1 || {
printf '%s\n' "${secret_passphrase}" | cryptsetup open --type=luks2 --allow-discards /mnt/zroot/export/szpools/szpool-4 sz-4
}

# Open sz-5 with its passphrase
test -b /dev/mapper/sz-5 >/dev/null 2>&1 || {
printf '%s\n' "${secret_passphrase}" | cryptsetup open --type=luks2 --allow-discards /mnt/zroot/export/szpools/szpool-5 sz-5
}

# Open sz-6 with its passphrase
test -b /dev/mapper/sz-6 >/dev/null 2>&1 || {
printf '%s\n' "${secret_passphrase}" | cryptsetup open --type=luks2 --allow-discards /mnt/zroot/export/szpools/szpool-6 sz-6
}

# Wait until udev has seen what was opened for sz
udevadm settle --timeout=60

### pools

# Create the pool szpool
zpool create -f -o ashift=12 -O mountpoint=none -R /mnt/zroot szpool raidz2 /dev/mapper/sz-1 /dev/mapper/sz-2 /dev/mapper/sz-3 /dev/mapper/sz-4 /dev/mapper/sz-5 /dev/mapper/sz-6

# Import the pool szpool
zpool list -H -o name szpool >/dev/null 2>&1 || {
zpool import -N -R /mnt/zroot -d /dev/mapper/sz-1 -d /dev/mapper/sz-2 -d /dev/mapper/sz-3 -d /dev/mapper/sz-4 -d /dev/mapper/sz-5 -d /dev/mapper/sz-6 szpool
}

# Say where the top dataset of szpool is mounted
zfs set -u mountpoint=/szpool szpool

### datasets

# Mount szpool as /szpool of the new system
mountpoint --quiet /mnt/zroot/szpool >/dev/null 2>&1 || {
mkdir --parents /mnt/zroot/szpool
zfs mount szpool
}

### finish

# Export the pool szpool
test '!' -e /proc/spl/kstat/zfs/szpool >/dev/null 2>&1 || {
again 10 zpool export szpool
}

# Close sz-1
test '!' -e /dev/mapper/sz-1 >/dev/null 2>&1 || {
again 10 cryptsetup close sz-1
}

# Close sz-2
test '!' -e /dev/mapper/sz-2 >/dev/null 2>&1 || {
again 10 cryptsetup close sz-2
}

# Close sz-3
test '!' -e /dev/mapper/sz-3 >/dev/null 2>&1 || {
again 10 cryptsetup close sz-3
}

# Close sz-4
test '!' -e /dev/mapper/sz-4 >/dev/null 2>&1 || {
again 10 cryptsetup close sz-4
}

# Close sz-5
test '!' -e /dev/mapper/sz-5 >/dev/null 2>&1 || {
again 10 cryptsetup close sz-5
}

# Close sz-6
test '!' -e /dev/mapper/sz-6 >/dev/null 2>&1 || {
again 10 cryptsetup close sz-6
}

# Export the pool tank
test '!' -e /proc/spl/kstat/zfs/tank >/dev/null 2>&1 || {
again 10 zpool export tank
}
