#!/bin/bash
# Data on a RAID-Z1 with special, log, cache and spare devices
# Made by zroot 0.1.0. Run by hand it cannot be resumed.
#
# ERASES disk a: Virtual disk, 4.0 TB, virtio, serial S1
#     /dev/disk/by-id/virtio-S1
#
# ERASES disk b: Virtual disk, 4.0 TB, virtio, serial S2
#     /dev/disk/by-id/virtio-S2
#
# ERASES disk c: Virtual disk, 4.0 TB, virtio, serial S3
#     /dev/disk/by-id/virtio-S3
#
# ERASES disk d: Virtual disk, 4.0 TB, virtio, serial S4
#     /dev/disk/by-id/virtio-S4
#
# ERASES disk x: Virtual disk, 256.0 GB, virtio, serial S5
#     /dev/disk/by-id/virtio-S5
#
# ERASES disk y: Virtual disk, 256.0 GB, virtio, serial S6
#     /dev/disk/by-id/virtio-S6
#
# Any 1 of the 5 members of the pool tank may fail without loss.
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
fact_disk_guid_x=$(cat /proc/sys/kernel/random/uuid) # names the partition table of a disk
fact_disk_guid_y=$(cat /proc/sys/kernel/random/uuid) # names the partition table of a disk
fact_hostid=$(od -An -N4 -tx4 /dev/urandom | tr -d ' ') # tells ZFS which system has a pool in use

### teardown

# Erase all labels and signatures on disk a
status '0 1 255' zpool labelclear -f /dev/disk/by-id/virtio-S1
udevadm settle --timeout=60
again 10 mdadm --zero-superblock /dev/disk/by-id/virtio-S1
again 10 wipefs --all /dev/disk/by-id/virtio-S1
sgdisk --zap-all /dev/disk/by-id/virtio-S1
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/virtio-S1
again 10 blkdiscard --zeroout --offset=3999998951424 --length=1048576 /dev/disk/by-id/virtio-S1
again 20 blockdev --rereadpt /dev/disk/by-id/virtio-S1

# Erase all labels and signatures on disk b
status '0 1 255' zpool labelclear -f /dev/disk/by-id/virtio-S2
udevadm settle --timeout=60
again 10 mdadm --zero-superblock /dev/disk/by-id/virtio-S2
again 10 wipefs --all /dev/disk/by-id/virtio-S2
sgdisk --zap-all /dev/disk/by-id/virtio-S2
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/virtio-S2
again 10 blkdiscard --zeroout --offset=3999998951424 --length=1048576 /dev/disk/by-id/virtio-S2
again 20 blockdev --rereadpt /dev/disk/by-id/virtio-S2

# Erase all labels and signatures on disk c
status '0 1 255' zpool labelclear -f /dev/disk/by-id/virtio-S3
udevadm settle --timeout=60
again 10 mdadm --zero-superblock /dev/disk/by-id/virtio-S3
again 10 wipefs --all /dev/disk/by-id/virtio-S3
sgdisk --zap-all /dev/disk/by-id/virtio-S3
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/virtio-S3
again 10 blkdiscard --zeroout --offset=3999998951424 --length=1048576 /dev/disk/by-id/virtio-S3
again 20 blockdev --rereadpt /dev/disk/by-id/virtio-S3

# Erase all labels and signatures on disk d
status '0 1 255' zpool labelclear -f /dev/disk/by-id/virtio-S4
udevadm settle --timeout=60
again 10 mdadm --zero-superblock /dev/disk/by-id/virtio-S4
again 10 wipefs --all /dev/disk/by-id/virtio-S4
sgdisk --zap-all /dev/disk/by-id/virtio-S4
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/virtio-S4
again 10 blkdiscard --zeroout --offset=3999998951424 --length=1048576 /dev/disk/by-id/virtio-S4
again 20 blockdev --rereadpt /dev/disk/by-id/virtio-S4

# Erase all labels and signatures on disk x
status '0 1 255' zpool labelclear -f /dev/disk/by-id/virtio-S5
udevadm settle --timeout=60
again 10 mdadm --zero-superblock /dev/disk/by-id/virtio-S5
again 10 wipefs --all /dev/disk/by-id/virtio-S5
sgdisk --zap-all /dev/disk/by-id/virtio-S5
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/virtio-S5
again 10 blkdiscard --zeroout --offset=255998951424 --length=1048576 /dev/disk/by-id/virtio-S5
again 20 blockdev --rereadpt /dev/disk/by-id/virtio-S5

# Erase all labels and signatures on disk y
status '0 1 255' zpool labelclear -f /dev/disk/by-id/virtio-S6
udevadm settle --timeout=60
again 10 mdadm --zero-superblock /dev/disk/by-id/virtio-S6
again 10 wipefs --all /dev/disk/by-id/virtio-S6
sgdisk --zap-all /dev/disk/by-id/virtio-S6
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/virtio-S6
again 10 blkdiscard --zeroout --offset=255998951424 --length=1048576 /dev/disk/by-id/virtio-S6
again 20 blockdev --rereadpt /dev/disk/by-id/virtio-S6

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

# Prove that nothing is recognised on disk d any more
test -b /dev/disk/by-id/virtio-S4
status 2 blkid --probe --no-part-details /dev/disk/by-id/virtio-S4

# Prove that nothing is recognised on disk x any more
test -b /dev/disk/by-id/virtio-S5
status 2 blkid --probe --no-part-details /dev/disk/by-id/virtio-S5

# Prove that nothing is recognised on disk y any more
test -b /dev/disk/by-id/virtio-S6
status 2 blkid --probe --no-part-details /dev/disk/by-id/virtio-S6

### partitions

# Make the partition table of disk x
status '0 4' sgdisk --clear --set-alignment=2048 --disk-guid="${fact_disk_guid_x}" --new=1:0:+8192M --typecode=1:bf00 --change-name=1:log --new=2:0:+32768M --typecode=2:bf00 --change-name=2:cache --new=3:0:+203178M --typecode=3:bf00 --change-name=3:special /dev/disk/by-id/virtio-S5
again 20 blockdev --rereadpt /dev/disk/by-id/virtio-S5

# Save the partition table of disk x for the others
test -e /run/zroot/table-"${fact_disk_guid_x}" >/dev/null 2>&1 || {
sgdisk --backup=/run/zroot/table-"${fact_disk_guid_x}" /dev/disk/by-id/virtio-S5
}

# Clone the partition table to disk y, with GUIDs of its own
status '0 4' sgdisk --load-backup=/run/zroot/table-"${fact_disk_guid_x}" --randomize-guids --disk-guid="${fact_disk_guid_y}" /dev/disk/by-id/virtio-S6
again 20 blockdev --rereadpt /dev/disk/by-id/virtio-S6

# Wait until udev has seen the new partition tables
udevadm settle --timeout=60

# Wait for the partitions to appear
again 60 test -e /dev/disk/by-id/virtio-S5-part1
again 60 test -e /dev/disk/by-id/virtio-S5-part2
again 60 test -e /dev/disk/by-id/virtio-S5-part3
again 60 test -e /dev/disk/by-id/virtio-S6-part1
again 60 test -e /dev/disk/by-id/virtio-S6-part2
again 60 test -e /dev/disk/by-id/virtio-S6-part3

# Remove what earlier contents of disk x left inside its new partitions
again 10 wipefs --all /dev/disk/by-id/virtio-S5-part1 /dev/disk/by-id/virtio-S5-part2 /dev/disk/by-id/virtio-S5-part3
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/virtio-S5-part1
again 10 blkdiscard --zeroout --offset=8588886016 --length=1048576 /dev/disk/by-id/virtio-S5-part1
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/virtio-S5-part2
again 10 blkdiscard --zeroout --offset=34358689792 --length=1048576 /dev/disk/by-id/virtio-S5-part2
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/virtio-S5-part3
again 10 blkdiscard --zeroout --offset=213046525952 --length=1048576 /dev/disk/by-id/virtio-S5-part3

# Remove what earlier contents of disk y left inside its new partitions
again 10 wipefs --all /dev/disk/by-id/virtio-S6-part1 /dev/disk/by-id/virtio-S6-part2 /dev/disk/by-id/virtio-S6-part3
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/virtio-S6-part1
again 10 blkdiscard --zeroout --offset=8588886016 --length=1048576 /dev/disk/by-id/virtio-S6-part1
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/virtio-S6-part2
again 10 blkdiscard --zeroout --offset=34358689792 --length=1048576 /dev/disk/by-id/virtio-S6-part2
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/virtio-S6-part3
again 10 blkdiscard --zeroout --offset=213046525952 --length=1048576 /dev/disk/by-id/virtio-S6-part3

# Prove that the new partitions of disk x are empty
test -b /dev/disk/by-id/virtio-S5-part1
status 2 blkid --probe --no-part-details /dev/disk/by-id/virtio-S5-part1
test -b /dev/disk/by-id/virtio-S5-part2
status 2 blkid --probe --no-part-details /dev/disk/by-id/virtio-S5-part2
test -b /dev/disk/by-id/virtio-S5-part3
status 2 blkid --probe --no-part-details /dev/disk/by-id/virtio-S5-part3

# Prove that the new partitions of disk y are empty
test -b /dev/disk/by-id/virtio-S6-part1
status 2 blkid --probe --no-part-details /dev/disk/by-id/virtio-S6-part1
test -b /dev/disk/by-id/virtio-S6-part2
status 2 blkid --probe --no-part-details /dev/disk/by-id/virtio-S6-part2
test -b /dev/disk/by-id/virtio-S6-part3
status 2 blkid --probe --no-part-details /dev/disk/by-id/virtio-S6-part3

### pools

# Take the host id that the new system will have
zgenhostid -f "${fact_hostid}"

# Create the pool tank
zpool create -f -o ashift=12 -O mountpoint=none -O compression=zstd -O acltype=posixacl -O xattr=sa -O relatime=on -O special_small_blocks=16K -R /mnt/zroot tank raidz1 /dev/disk/by-id/virtio-S1 /dev/disk/by-id/virtio-S2 /dev/disk/by-id/virtio-S3 special mirror /dev/disk/by-id/virtio-S5-part3 /dev/disk/by-id/virtio-S6-part3 log mirror /dev/disk/by-id/virtio-S5-part1 /dev/disk/by-id/virtio-S6-part1 cache /dev/disk/by-id/virtio-S5-part2 /dev/disk/by-id/virtio-S6-part2 spare /dev/disk/by-id/virtio-S4

# Import the pool tank
zpool list -H -o name tank >/dev/null 2>&1 || {
zpool import -N -R /mnt/zroot -d /dev/disk/by-id/virtio-S1-part1 -d /dev/disk/by-id/virtio-S2-part1 -d /dev/disk/by-id/virtio-S3-part1 -d /dev/disk/by-id/virtio-S5-part3 -d /dev/disk/by-id/virtio-S6-part3 -d /dev/disk/by-id/virtio-S5-part1 -d /dev/disk/by-id/virtio-S6-part1 -d /dev/disk/by-id/virtio-S5-part2 -d /dev/disk/by-id/virtio-S6-part2 -d /dev/disk/by-id/virtio-S4-part1 tank
}

# Say where the top dataset of tank is mounted
zfs set -u mountpoint=/tank tank

### datasets

# Create the dataset tank/data
zfs create -u tank/data

# Mount tank as /tank of the new system
mountpoint --quiet /mnt/zroot/tank >/dev/null 2>&1 || {
mkdir --parents /mnt/zroot/tank
zfs mount tank
}

# Mount tank/data as /tank/data of the new system
mountpoint --quiet /mnt/zroot/tank/data >/dev/null 2>&1 || {
mkdir --parents /mnt/zroot/tank/data
zfs mount tank/data
}

### finish

# Export the pool tank
test '!' -e /proc/spl/kstat/zfs/tank >/dev/null 2>&1 || {
again 10 zpool export tank
}
