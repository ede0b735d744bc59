#!/bin/bash
# dracut module of zroot: one prompt for all members, a bounded wait, then the import of the root pool by name.

check() {
    require_binaries cryptsetup zpool systemd-ask-password || return 1
    return 0
}

depends() {
    echo bash systemd systemd-ask-password crypt zfs
}

# Members of the root pool: the entries of crypttab that are to be opened here, as NAME UUID OPTIONS.
members() {
    local name device key options
    while read -r name device key options; do
        [[ $name && $name != \#* && ,$options, == *,x-initrd.attach,* ]] || continue
        echo "$name ${device#UUID=} $options"
    done
}

install() {
    inst_multiple cryptsetup systemd-ask-password zpool udevadm cat tr sleep sed loadkeys
    inst_script "$moddir/zroot-root" /usr/lib/zroot/zroot-root
    inst_simple "$moddir/zroot-root.service" "$systemdsystemunitdir/zroot-root.service"
    systemctl -q --root "$initdir" add-requires zfs-import.target zroot-root.service

    # These import whatever the cache file of the day names, or import before the members are open.
    rm -f "$initdir$systemdsystemunitdir/zfs-import.target.wants/zfs-import-scan.service" \
        "$initdir$systemdsystemunitdir/zfs-import.target.wants/zfs-import-cache.service" \
        "$initdir$systemdsystemconfdir/zfs-import.target.wants/zfs-import-scan.service" \
        "$initdir$systemdsystemconfdir/zfs-import.target.wants/zfs-import-cache.service"

    # The zfs module bakes in the cache file of the day, and a host id made from the builder's address if there is none.
    rm -f "$initdir/etc/zfs/zpool.cache" "$initdir/etc/hostid" "$initdir/etc/crypttab"

    # What makes this initramfs the one of this machine. The image is built without /etc/hostid, so that its initramfs
    # fits every target: there the installer appends an archive with the same files.
    if [[ -s $dracutsysrootdir/etc/hostid ]]; then
        inst_multiple /etc/hostid /etc/hostname
        mkdir -p "$initdir/etc/zroot"
        members < "${dracutsysrootdir}/etc/crypttab" > "$initdir/etc/zroot/members"
        /usr/lib/zroot/keymap > "$initdir/etc/zroot/keymap"
    fi
    return 0
}
