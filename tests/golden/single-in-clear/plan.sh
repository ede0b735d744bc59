#!/bin/bash
# One disk, not encrypted, /boot in the pool
# Made by zroot 0.1.0. Run by hand it cannot be resumed.
#
# ERASES disk a: Disk of unknown model, 250.0 GB, SATA, serial W1
#     /dev/disk/by-id/ata-W1
#
# The pool rpool has no redundancy: if its disk fails, all of it is lost. Keep a copy elsewhere.
# Swap on a ZFS volume can deadlock when memory runs out (openzfs issue 7734) and cannot hold a hibernated system. Compressed memory (zram) or a partition with a random key is safer.
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
fact_machine_id=$(tr -d - </proc/sys/kernel/random/uuid) # tells the installed system from every other
IFS= read -rsp 'user-password (its crypt(3) hash: mkpasswd): ' secret_user_password; echo

### teardown

# Erase all labels and signatures on disk a
status '0 1 255' zpool labelclear -f /dev/disk/by-id/ata-W1
udevadm settle --timeout=60
again 10 mdadm --zero-superblock /dev/disk/by-id/ata-W1
again 10 wipefs --all /dev/disk/by-id/ata-W1
sgdisk --zap-all /dev/disk/by-id/ata-W1
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/ata-W1
again 10 blkdiscard --zeroout --offset=249998951424 --length=1048576 /dev/disk/by-id/ata-W1
again 20 blockdev --rereadpt /dev/disk/by-id/ata-W1

# Wait until udev has seen that the disks are empty
udevadm settle --timeout=60

# Prove that nothing is recognised on disk a any more
test -b /dev/disk/by-id/ata-W1
status 2 blkid --probe --no-part-details /dev/disk/by-id/ata-W1

### partitions

# Make the partition table of disk a
status '0 4' sgdisk --clear --set-alignment=2048 --disk-guid="${fact_disk_guid_a}" --new=1:0:+1M --typecode=1:ef02 --change-name=1:bios --new=2:0:+238415M --typecode=2:bf00 --change-name=2:pool /dev/disk/by-id/ata-W1
again 20 blockdev --rereadpt /dev/disk/by-id/ata-W1

# Wait until udev has seen the new partition tables
udevadm settle --timeout=60

# Wait for the partitions to appear
again 60 test -e /dev/disk/by-id/ata-W1-part1
again 60 test -e /dev/disk/by-id/ata-W1-part2

# Remove what earlier contents of disk a left inside its new partitions
again 10 wipefs --all /dev/disk/by-id/ata-W1-part1 /dev/disk/by-id/ata-W1-part2
again 10 blkdiscard --zeroout /dev/disk/by-id/ata-W1-part1
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/ata-W1-part2
again 10 blkdiscard --zeroout --offset=249995198464 --length=1048576 /dev/disk/by-id/ata-W1-part2

# Prove that the new partitions of disk a are empty
test -b /dev/disk/by-id/ata-W1-part1
status 2 blkid --probe --no-part-details /dev/disk/by-id/ata-W1-part1
test -b /dev/disk/by-id/ata-W1-part2
status 2 blkid --probe --no-part-details /dev/disk/by-id/ata-W1-part2

### pools

# Take the host id that the new system will have
zgenhostid -f "${fact_hostid}"

# Create the pool rpool
zpool create -f -o ashift=12 -o autotrim=on -o compatibility=grub2 -O mountpoint=none -O canmount=off -R /mnt/zroot rpool /dev/disk/by-id/ata-W1-part2

# Import the pool rpool
zpool list -H -o name rpool >/dev/null 2>&1 || {
zpool import -N -R /mnt/zroot -d /dev/disk/by-id/ata-W1-part2 rpool
}

### datasets

# Create the dataset rpool/ROOT
zfs create -u -o canmount=off rpool/ROOT

# Create the dataset rpool/ROOT/debian
zfs create -u -o canmount=noauto -o mountpoint=/ rpool/ROOT/debian

# Create the dataset rpool/home
zfs create -u -o mountpoint=/home rpool/home

# Name rpool/ROOT/debian as the root file system
zpool set bootfs=rpool/ROOT/debian rpool

# Mount rpool/ROOT/debian as / of the new system
mountpoint --quiet /mnt/zroot >/dev/null 2>&1 || {
mkdir --parents /mnt/zroot
zfs mount rpool/ROOT/debian
}

# Mount rpool/home as /home of the new system
mountpoint --quiet /mnt/zroot/home >/dev/null 2>&1 || {
mkdir --parents /mnt/zroot/home
zfs mount rpool/home
}

# Create the volume rpool/swap
zfs create -o volblocksize=4K -o compression=zle -o logbias=throughput -o sync=always -o primarycache=metadata -o secondarycache=none -o com.sun:auto-snapshot=false -V 2G rpool/swap
udevadm settle --timeout=60

# Make swap space on rpool/swap
mkswap --force /dev/zvol/rpool/swap

### system

# Copy the live system to the new root
unsquashfs -force -quiet -exclude-file /dev/stdin -dest /mnt/zroot /run/initramfs/live/LiveOS/squashfs.img <<'END'
opt/zroot
usr/local/bin/zroot
etc/zroot-image
etc/profile.d/zroot-live.sh
etc/systemd/system.control
etc/udev/rules.d/64-md-raid-assembly.rules
etc/udev/rules.d/69-lvm.rules
etc/hostid
etc/hostname
etc/machine-id
var/lib/dbus/machine-id
etc/ssh/ssh_host_*
var/lib/systemd/random-seed
var/lib/systemd/credential.secret
var/lib/dkms/mok.*
var/lib/shim-signed/mok
etc/zfs/zpool.cache
etc/apt/sources.list
etc/apt/sources.list.d/*
etc/apt/apt.conf.d/*proxy*
var/lib/apt/lists/*_*
var/cache/apt/*.bin
root/.bash_history
boot/initrd.img-*
END

# Mount /mnt/zroot/proc for programs that run in the target
mountpoint -q /mnt/zroot/proc >/dev/null 2>&1 || {
mount --types proc proc /mnt/zroot/proc
}

# Mount /mnt/zroot/sys for programs that run in the target
mountpoint -q /mnt/zroot/sys >/dev/null 2>&1 || {
mount --types sysfs sysfs /mnt/zroot/sys
}

# Mount /mnt/zroot/dev for programs that run in the target
mountpoint -q /mnt/zroot/dev >/dev/null 2>&1 || {
mount --bind /dev /mnt/zroot/dev
}

# Mount /mnt/zroot/run for programs that run in the target
mountpoint -q /mnt/zroot/run >/dev/null 2>&1 || {
mount --types tmpfs --options mode=0755,nosuid,nodev tmpfs /mnt/zroot/run
}

# Give the system the host id under which its pool is made
zgenhostid -f -o /mnt/zroot/etc/hostid "${fact_hostid}"

# Give the system its machine id
mkdir -p /mnt/zroot/etc
cat >/mnt/zroot/etc/machine-id <<END
${fact_machine_id}
END
chmod 0444 /mnt/zroot/etc/machine-id

# Name the machine
mkdir -p /mnt/zroot/etc
cat >/mnt/zroot/etc/hostname <<'END'
example
END
chmod 0644 /mnt/zroot/etc/hostname

# Name the machine to itself
mkdir -p /mnt/zroot/etc
cat >/mnt/zroot/etc/hosts <<'END'
127.0.0.1	localhost
127.0.1.1	example
::1	localhost ip6-localhost ip6-loopback
END
chmod 0644 /mnt/zroot/etc/hosts

# Make the ssh host keys
ssh-keygen -A -f /mnt/zroot

# Set the language
mkdir -p /mnt/zroot/etc/default
cat >/mnt/zroot/etc/default/locale <<'END'
LANG=en_US.UTF-8
END
chmod 0644 /mnt/zroot/etc/default/locale

# Set the time zone Etc/UTC
ln --symbolic --force --no-dereference /usr/share/zoneinfo/Etc/UTC /mnt/zroot/etc/localtime

# Name the time zone
mkdir -p /mnt/zroot/etc
cat >/mnt/zroot/etc/timezone <<'END'
Etc/UTC
END
chmod 0644 /mnt/zroot/etc/timezone

# Name the package sources, security updates too
mkdir -p /mnt/zroot/etc/apt/sources.list.d
cat >/mnt/zroot/etc/apt/sources.list.d/debian.sources <<'END'
Types: deb
URIs: http://deb.example.org/debian
Suites: trixie trixie-updates
Components: main contrib non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: 
Suites: trixie-security
Components: main contrib non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
chmod 0644 /mnt/zroot/etc/apt/sources.list.d/debian.sources

# Configure wired network interfaces by DHCP
mkdir -p /mnt/zroot/etc/systemd/network
cat >/mnt/zroot/etc/systemd/network/20-wired.network <<'END'
[Match]
Name=en* eth*

[Network]
DHCP=yes

[Link]
RequiredForOnline=no
END
chmod 0644 /mnt/zroot/etc/systemd/network/20-wired.network

# Write fstab
mkdir -p /mnt/zroot/etc
cat >/mnt/zroot/etc/fstab <<'END'
# <file system> <mount point> <type> <options> <dump> <pass>
/dev/zvol/rpool/swap none swap sw,nofail 0 0
END
chmod 0644 /mnt/zroot/etc/fstab

# Write crypttab
mkdir -p /mnt/zroot/etc
cat >/mnt/zroot/etc/crypttab <<'END'
# <name> <device> <key> <options>
END
chmod 0644 /mnt/zroot/etc/crypttab

# List the datasets of rpool for the ZFS mount generator
mkdir --parents /mnt/zroot/etc/zfs/zfs-list.cache
zfs list -H -t filesystem -o name,mountpoint,canmount,atime,relatime,devices,exec,readonly,setuid,nbmand,encroot,keylocation,org.openzfs.systemd:requires,org.openzfs.systemd:requires-mounts-for,org.openzfs.systemd:before,org.openzfs.systemd:after,org.openzfs.systemd:wanted-by,org.openzfs.systemd:required-by,org.openzfs.systemd:nofail,org.openzfs.systemd:ignore -r rpool >/mnt/zroot/etc/zfs/zfs-list.cache/rpool
sed --in-place --regexp-extended 's,^([^\t]+\t)/mnt/zroot(\t),\1/\2,;s,^([^\t]+\t)/mnt/zroot/,\1/,' /mnt/zroot/etc/zfs/zfs-list.cache/rpool
test -s /mnt/zroot/etc/zfs/zfs-list.cache/rpool

# Say how much compressed swap in RAM
mkdir -p /mnt/zroot/etc/systemd
cat >/mnt/zroot/etc/systemd/zram-generator.conf <<'END'
# no zram: the recipe says so
END
chmod 0644 /mnt/zroot/etc/systemd/zram-generator.conf

# Create the user user, who may use sudo
status '0 6' userdel --root /mnt/zroot user
useradd --root /mnt/zroot --uid 1000 --user-group --create-home --shell /bin/bash --groups adm,sudo --comment '' user

# Set the password of user
printf '%s' user:"${secret_user_password}"'
' | chpasswd --encrypted --root /mnt/zroot

### boot

# List the members that the initramfs opens
test -e /run/zroot/early/etc/zroot/members >/dev/null 2>&1 || {
mkdir -p /run/zroot/early/etc/zroot
cat >/run/zroot/early/etc/zroot/members <<'END'

END
chmod 0644 /run/zroot/early/etc/zroot/members
}

# Complete the initramfs with this machine's host id, members and keyboard
cp /mnt/zroot/etc/hostid /mnt/zroot/etc/hostname /run/zroot/early/etc/
chroot /mnt/zroot /usr/lib/zroot/keymap >/run/zroot/early/etc/zroot/keymap
cp /boot/initrd.img-6.12.0-zroot-amd64 /mnt/zroot/boot/initrd.img-6.12.0-zroot-amd64.new
truncate --size=%4 /mnt/zroot/boot/initrd.img-6.12.0-zroot-amd64.new
printf '%s' 'etc
etc/hostid
etc/hostname
etc/zroot
etc/zroot/members
etc/zroot/keymap
' | cpio --create --format=newc --owner=0:0 --quiet --file=/run/zroot/early.cpio --directory=/run/zroot/early
dd if=/run/zroot/early.cpio of=/mnt/zroot/boot/initrd.img-6.12.0-zroot-amd64.new oflag=append conv=notrunc,fsync status=none
mv /mnt/zroot/boot/initrd.img-6.12.0-zroot-amd64.new /mnt/zroot/boot/initrd.img-6.12.0-zroot-amd64

# Configure GRUB
mkdir -p /mnt/zroot/etc/default
cat >/mnt/zroot/etc/default/grub <<'END'
GRUB_DEFAULT=0
GRUB_TIMEOUT=3
GRUB_DISTRIBUTOR=Debian
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX="root=zfs:rpool/ROOT/debian zroot.wait=20"
GRUB_DISABLE_OS_PROBER=true
END
chmod 0644 /mnt/zroot/etc/default/grub

# List the boot loaders to keep up to date
mkdir -p /mnt/zroot/etc/zroot
cat >/mnt/zroot/etc/zroot/boot <<'END'
bios /dev/disk/by-id/ata-W1
END
chmod 0644 /mnt/zroot/etc/zroot/boot

# Write GRUB's menu
mkdir --parents /mnt/zroot/boot/grub
chroot /mnt/zroot update-grub

# Install GRUB for BIOS on every disk
chroot /mnt/zroot /usr/lib/zroot/boot-refresh

# Check that /boot holds a kernel, its initramfs and a menu that starts this root
test -s /mnt/zroot/boot/vmlinuz-6.12.0-zroot-amd64
test -s /mnt/zroot/boot/initrd.img-6.12.0-zroot-amd64
grep --quiet --fixed-strings root=zfs:rpool/ROOT/debian /mnt/zroot/boot/grub/grub.cfg

### finish

# Keep recipe, plan, journal and log in the new system
: # zroot would save its recipe, plan, journal and log to /mnt/zroot/var/log/zroot here

# Take the snapshot of the fresh system
zfs snapshot rpool/ROOT/debian@install

# Unmount /mnt/zroot/run
again 10 umount /mnt/zroot/run

# Unmount /mnt/zroot/dev
again 10 umount /mnt/zroot/dev

# Unmount /mnt/zroot/sys
again 10 umount /mnt/zroot/sys

# Unmount /mnt/zroot/proc
again 10 umount /mnt/zroot/proc

# Export the pool rpool
test '!' -e /proc/spl/kstat/zfs/rpool >/dev/null 2>&1 || {
again 10 zpool export rpool
}
