#!/bin/bash
# dracut module of zroot: one prompt for all members, a bounded wait, then the import of the root pool by name.

check() {
    require_binaries cryptsetup zpool systemd-ask-password || return 1
    return 0
}

depends() {
    echo bash systemd systemd-ask-password crypt zfs
}

# What is to be opened here: the entries of crypttab with x-initrd.attach. An array under one of them is named by its
# UUID, which mdadm.conf knows, for the initramfs has no other list of arrays.
members() { # CRYPTTAB MDADM.CONF
    local name device key options
    while read -r name device key options; do
        [[ $name && $name != \#* && ,$options, == *,x-initrd.attach,* ]] || continue
        [[ $device == /dev/md/* ]] && device=$(array "$device" "$2")
        echo "$name $device $key $options"
    done < "$1"
}

array() { # DEVICE MDADM.CONF: MD-UUID=..., or the device where the file does not name it
    local keyword device words
    while read -r keyword device words; do
        [[ $keyword == ARRAY && $device == "$1" && $words =~ (^| )UUID=([^ ]+) ]] || continue
        echo "MD-UUID=${BASH_REMATCH[2]}"
        return
    done < "$2"
    echo "$1"
}

installkernel() {
    # A key device lies over a mirror; every other array is the real system's business.
    instmods raid1
    # All of the initramfs is compressed, by something that unpacks many times faster.
    if type -P xz > /dev/null; then
        find "$initdir/usr/lib/modules/$kernel/" -name zfs.ko.xz -exec xz --decompress --force {} +
    fi
}

install() {
    inst_multiple cryptsetup systemd-ask-password zpool zfs udevadm mdadm modprobe cat tr sleep sed loadkeys
    inst_script "$moddir/zroot-root" /usr/lib/zroot/zroot-root
    inst_simple "$moddir/zroot-root.service" "$systemdsystemunitdir/zroot-root.service"
    systemctl -q --root "$initdir" add-requires zfs-import.target zroot-root.service

    # These import whatever the cache file of the day names, or import before the members are open.
    rm -f "$initdir$systemdsystemunitdir/zfs-import.target.wants/zfs-import-scan.service" \
        "$initdir$systemdsystemunitdir/zfs-import.target.wants/zfs-import-cache.service" \
        "$initdir$systemdsystemconfdir/zfs-import.target.wants/zfs-import-scan.service" \
        "$initdir$systemdsystemconfdir/zfs-import.target.wants/zfs-import-cache.service"

    # A dozen scripts of dracut and ZFS run before the root is there, and bash takes its time to start.
    if [[ -x $dracutsysrootdir/usr/bin/dash ]]; then
        inst /bin/dash
        ln -sf dash "$initdir/bin/sh"
    fi

    # zroot-root loads ZFS itself while the passphrase is typed; this does so before, after all of udev's work. Swap in RAM
    # is the real system's.
    rm -f "$initdir$systemdsystemunitdir/zfs-import.target.wants/zfs-load-module.service" \
        "$initdir/etc/systemd/system/zfs-import.target.wants/zfs-load-module.service" \
        "$initdir/usr/lib/modules-load.d/20-zram-generator.conf"

    # Starts a script for every disk and partition, to find names that the root pool does not go by.
    rm -f "$initdir/usr/lib/udev/rules.d/69-vdev.rules" "$initdir/etc/udev/rules.d/69-vdev.rules"

    # The zfs module bakes in the cache file of the day, and a host id made from the builder's address if there is none.
    rm -f "$initdir/etc/zfs/zpool.cache" "$initdir/etc/hostid" "$initdir/etc/crypttab"

    # What makes this initramfs the one of this machine. The image is built without /etc/hostid, so that its initramfs
    # fits every target: there the installer appends an archive with the same files.
    if [[ -s $dracutsysrootdir/etc/hostid ]]; then
        inst_multiple /etc/hostid /etc/hostname
        mkdir -p "$initdir/etc/zroot"
        members "$dracutsysrootdir/etc/crypttab" "$dracutsysrootdir/etc/mdadm/mdadm.conf" > "$initdir/etc/zroot/members"
        /usr/lib/zroot/keymap > "$initdir/etc/zroot/keymap"
    fi
    return 0
}
