#!/bin/bash
# A pool for data, with a log, and no system
# Made by zroot 0.1.0. Run by hand it cannot be resumed.
#
# ERASES disk a: Virtual disk, 8.6 GB, virtio, serial S1
#     /dev/disk/by-id/virtio-S1
#
# ERASES disk b: Virtual disk, 8.6 GB, virtio, serial S2
#     /dev/disk/by-id/virtio-S2
#
# ERASES disk c: Virtual disk, 8.6 GB, virtio, serial S3
#     /dev/disk/by-id/virtio-S3
#
# Any 1 of the 2 members of the pool secretpool may fail without loss.
# The log of pool secretpool is not mirrored: if it fails in the moment in which the machine stops, the last seconds of what databases and others had written for certain are lost.
# crypt.pool passes discards on to the disks: it keeps SSDs fast, and lets whoever has the disk see how much of it is in use, and where, but nothing of what it says.
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
fact_disk_guid_b=$(cat /proc/sys/kernel/random/uuid) # names the partition table of a disk
fact_luks_pool_a=$(cat /proc/sys/kernel/random/uuid) # names an encrypted member
fact_luks_pool_b=$(cat /proc/sys/kernel/random/uuid) # names an encrypted member
fact_hostid=$(od -An -N4 -tx4 /dev/urandom | tr -d ' ') # tells ZFS which system has a pool in use
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

# Erase all labels and signatures on disk b
status '0 1 255' zpool labelclear -f /dev/disk/by-id/virtio-S2
udevadm settle --timeout=60
again 10 mdadm --zero-superblock /dev/disk/by-id/virtio-S2
again 10 wipefs --all /dev/disk/by-id/virtio-S2
sgdisk --zap-all /dev/disk/by-id/virtio-S2
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/virtio-S2
again 10 blkdiscard --zeroout --offset=8588886016 --length=1048576 /dev/disk/by-id/virtio-S2
again 20 blockdev --rereadpt /dev/disk/by-id/virtio-S2

# Erase all labels and signatures on disk c
status '0 1 255' zpool labelclear -f /dev/disk/by-id/virtio-S3
udevadm settle --timeout=60
again 10 mdadm --zero-superblock /dev/disk/by-id/virtio-S3
again 10 wipefs --all /dev/disk/by-id/virtio-S3
sgdisk --zap-all /dev/disk/by-id/virtio-S3
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/virtio-S3
again 10 blkdiscard --zeroout --offset=8588886016 --length=1048576 /dev/disk/by-id/virtio-S3
again 20 blockdev --rereadpt /dev/disk/by-id/virtio-S3

# Wait until udev has seen that the disks are empty
udevadm settle --timeout=60

# Prove that nothing is recognised on disk a any more
test -b /dev/disk/by-id/virtio-S1
status 2 blkid --probe --no-part-details /dev/disk/by-id/virtio-S1

# Prove that nothing is recognised on disk b any more
test -b /dev/disk/by-id/virtio-S2
status 2 blkid --probe --no-part-details /dev/disk/by-id/virtio-S2

# Prove that nothing is recognised on disk c any more
test -b /dev/disk/by-id/virtio-S3
status 2 blkid --probe --no-part-details /dev/disk/by-id/virtio-S3

### partitions

# Make the partition table of disk a
status '0 4' sgdisk --clear --set-alignment=2048 --disk-guid="${fact_disk_guid_a}" --new=1:0:+8190M --typecode=1:8309 --change-name=1:pool /dev/disk/by-id/virtio-S1
again 20 blockdev --rereadpt /dev/disk/by-id/virtio-S1

# Save the partition table of disk a for the others
test -e /run/zroot/table-"${fact_disk_guid_a}" >/dev/null 2>&1 || {
sgdisk --backup=/run/zroot/table-"${fact_disk_guid_a}" /dev/disk/by-id/virtio-S1
}

# Clone the partition table to disk b, with GUIDs of its own
status '0 4' sgdisk --load-backup=/run/zroot/table-"${fact_disk_guid_a}" --randomize-guids --disk-guid="${fact_disk_guid_b}" /dev/disk/by-id/virtio-S2
again 20 blockdev --rereadpt /dev/disk/by-id/virtio-S2

# Wait until udev has seen the new partition tables
udevadm settle --timeout=60

# Wait for the partitions to appear
again 60 test -e /dev/disk/by-id/virtio-S1-part1
again 60 test -e /dev/disk/by-id/virtio-S2-part1

# Remove what earlier contents of disk a left inside its new partitions
again 10 wipefs --all /dev/disk/by-id/virtio-S1-part1
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/virtio-S1-part1
again 10 blkdiscard --zeroout --offset=8586788864 --length=1048576 /dev/disk/by-id/virtio-S1-part1

# Remove what earlier contents of disk b left inside its new partitions
again 10 wipefs --all /dev/disk/by-id/virtio-S2-part1
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/virtio-S2-part1
again 10 blkdiscard --zeroout --offset=8586788864 --length=1048576 /dev/disk/by-id/virtio-S2-part1

# Prove that the new partitions of disk a are empty
test -b /dev/disk/by-id/virtio-S1-part1
status 2 blkid --probe --no-part-details /dev/disk/by-id/virtio-S1-part1

# Prove that the new partitions of disk b are empty
test -b /dev/disk/by-id/virtio-S2-part1
status 2 blkid --probe --no-part-details /dev/disk/by-id/virtio-S2-part1

### encryption

# Encrypt pool-a with LUKS2
printf '%s\n' "${secret_passphrase}" | cryptsetup luksFormat --type=luks2 --cipher=aes-xts-plain64 --key-size=512 --hash=sha256 --pbkdf=argon2id --pbkdf-memory=524288 --pbkdf-parallel=4 --pbkdf-force-iterations=4 --sector-size=4096 --uuid="${fact_luks_pool_a}" --label=pool-a --batch-mode /dev/disk/by-id/virtio-S1-part1

# Encrypt pool-b with LUKS2
printf '%s\n' "${secret_passphrase}" | cryptsetup luksFormat --type=luks2 --cipher=aes-xts-plain64 --key-size=512 --hash=sha256 --pbkdf=argon2id --pbkdf-memory=524288 --pbkdf-parallel=4 --pbkdf-force-iterations=4 --sector-size=4096 --uuid="${fact_luks_pool_b}" --label=pool-b --batch-mode /dev/disk/by-id/virtio-S2-part1

# Wait until udev has seen what was encrypted for pool
udevadm settle --timeout=60

# Open pool-a with its passphrase
test -b /dev/mapper/pool-a >/dev/null 2>&1 || {
printf '%s\n' "${secret_passphrase}" | cryptsetup open --type=luks2 --allow-discards /dev/disk/by-id/virtio-S1-part1 pool-a
}

# Open pool-b with its passphrase
test -b /dev/mapper/pool-b >/dev/null 2>&1 || {
printf '%s\n' "${secret_passphrase}" | cryptsetup open --type=luks2 --allow-discards /dev/disk/by-id/virtio-S2-part1 pool-b
}

# Wait until udev has seen what was opened for pool
udevadm settle --timeout=60

### pools

# Take the host id that the new system will have
zgenhostid -f "${fact_hostid}"

# Create the pool secretpool
zpool create -f -o ashift=12 -O mountpoint=none -O compression=off -O checksum=sha256 -O acltype=posixacl -O xattr=sa -O aclinherit=passthrough -R /mnt/zroot secretpool mirror /dev/mapper/pool-a /dev/mapper/pool-b log /dev/disk/by-id/virtio-S3

# Import the pool secretpool
zpool list -H -o name secretpool >/dev/null 2>&1 || {
zpool import -N -R /mnt/zroot -d /dev/mapper/pool-a -d /dev/mapper/pool-b -d /dev/disk/by-id/virtio-S3-part1 secretpool
}

# Say where the top dataset of secretpool is mounted
zfs set -u mountpoint=/secretpool secretpool

### datasets

# Create the dataset secretpool/data
zfs create -u secretpool/data

# Take the snapshot secretpool/data@empty
zfs snapshot secretpool/data@empty

# Mount secretpool as /secretpool of the new system
mountpoint --quiet /mnt/zroot/secretpool >/dev/null 2>&1 || {
mkdir --parents /mnt/zroot/secretpool
zfs mount secretpool
}

# Mount secretpool/data as /secretpool/data of the new system
mountpoint --quiet /mnt/zroot/secretpool/data >/dev/null 2>&1 || {
mkdir --parents /mnt/zroot/secretpool/data
zfs mount secretpool/data
}

### finish

# Export the pool secretpool
test '!' -e /proc/spl/kstat/zfs/secretpool >/dev/null 2>&1 || {
again 10 zpool export secretpool
}

# Close pool-a
test '!' -e /dev/mapper/pool-a >/dev/null 2>&1 || {
again 10 cryptsetup close pool-a
}

# Close pool-b
test '!' -e /dev/mapper/pool-b >/dev/null 2>&1 || {
again 10 cryptsetup close pool-b
}
