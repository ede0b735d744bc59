# What belongs to zroot in every target, and the two initramfs images.

clean() { # ROOT: what belongs to one machine, or to the building of this one
    local root=$1
    rm -rf "$root"/etc/hostid "$root"/etc/ssh/ssh_host_* "$root"/var/lib/dkms/mok.* "$root"/etc/apt/apt.conf.d/99mmdebstrap \
        "$root"/var/lib/systemd/random-seed "$root"/var/lib/dbus/machine-id "$root"/etc/zfs/zpool.cache \
        "$root"/var/lib/dracut/* "$root"/root/.bash_history "$root"/etc/.pwd.lock "$root"/etc/*- \
        "$root"/var/cache/ldconfig/aux-cache "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old
    find "$root"/var/lib/apt/lists "$root"/var/cache/apt -type f -delete
    find "$root"/var/lib/dkms -name '*.log' -delete
    find "$root"/var/log -type f -delete
    : > "$root/etc/machine-id"
}

make_boot() {
    local root=$1/root kernel
    cp --archive --reflink=auto "$base/root" "$root"
    cp --archive --no-preserve=ownership iso/target/. "$root/"
    rm -f "$root"/boot/initrd.img-*
    clean "$root"
    kernel=$(basename "$root"/boot/vmlinuz-*)
    kernel=${kernel#vmlinuz-}
    echo "en_US.UTF-8 UTF-8" > "$root/etc/locale.gen"
    in_chroot "$root" locale-gen
    # What the installer lays over a system that does not come from this image.
    mkdir -p "$root/usr/share/zroot"
    (cd iso/target && find . -mindepth 1 | sort) > "$root/usr/share/zroot/target.list"
    in_chroot "$root" /usr/lib/zroot/family services
    in_chroot "$root" dracut --quiet --force "/boot/initrd.img-$kernel" "$kernel"
    # The live initramfs opens, assembles and imports nothing: it does not even have the programs.
    in_chroot "$root" dracut --quiet --force --no-hostonly --conf /dev/null --confdir /mnt --compress zstd --reproducible \
        --add "dmsquash-live systemd" --omit "zfs zroot crypt systemd-cryptsetup mdraid dmraid multipath lvm btrfs plymouth network i18n console-setup drm resume qemu" \
        /boot/live.img "$kernel"
    mv "$root/boot/live.img" "$1/live.img"
    clean "$root"
}
