# The squashfs and the medium around it.

make_image() {
    local root=$1/root medium=$1/medium kernel debian security
    cp --archive --reflink=auto "$boot/root" "$root"
    cp --archive --no-preserve=ownership iso/live/. "$root/"
    install_python "$root"
    kernel=$(basename "$root"/boot/vmlinuz-*)
    read -r debian security < "$base/mirrors"
    printf 'mirror = "%s"\nsecurity = "%s"\nimage = "/run/initramfs/live/LiveOS/squashfs.img"\n' "$debian" "$security" \
        > "$root/etc/zroot-image"
    echo zroot-live > "$root/etc/hostname"
    mkdir -p "$medium/LiveOS" "$medium/live" "$medium/boot/grub"
    mksquashfs "$root" "$medium/LiveOS/squashfs.img" -comp zstd -Xcompression-level 6 -noappend -no-progress -quiet
    listing "$root" > "$1/files"
    cp "$root/boot/$kernel" "$medium/live/vmlinuz"
    cp "$boot/live.img" "$medium/live/initrd.img"
    cp iso/medium/grub.cfg "$medium/boot/grub/grub.cfg"
    # From a CD the signed GRUB looks here, from a USB disk on the ESP.
    mkdir -p "$medium/EFI/debian"
    cp iso/medium/grub-esp.cfg "$medium/EFI/debian/grub.cfg"
    make_medium "$1" "$root" "$medium"
    rm -rf "$root" "$medium"
}

install_python() { # ROOT: zroot and its dependencies in an environment of their own, /opt/zroot
    local root=$1 source=$1/tmp/zroot
    mkdir "$source" # always the same: pip notes where a wheel came from
    cp --recursive pyproject.toml LICENSE README.md installer screens "$python/wheels" "$source/"
    find "$source" -name __pycache__ -exec rm -rf {} +
    in_chroot "$root" sh -euc '
        python3 -m venv --without-pip /opt/zroot
        pip="python3 $(ls /usr/share/python-wheels/pip-*.whl)/pip --python /opt/zroot/bin/python install --quiet --no-index --disable-pip-version-check --no-warn-script-location --root-user-action ignore"
        $pip --no-deps "$0"/wheels/*.whl
        cp -r "$0/installer" "$0/screens" "$(/opt/zroot/bin/python -c "import sysconfig; print(sysconfig.get_path(\"purelib\"))")/"
        /opt/zroot/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/zroot/lib
    ' "${source#"$root"}"
    rm -rf "$source"
    printf '#!/opt/zroot/bin/python\nfrom installer.cli import main\n\nraise SystemExit(main())\n' > "$root/opt/zroot/bin/zroot"
    chmod 755 "$root/opt/zroot/bin/zroot"
    cp --recursive recipes "$root/opt/zroot/recipes"
}

listing() { # ROOT: path, mode, owner and checksum of every file, to compare two builds
    (cd "$1" && find . -printf '%p %m %U:%G %y %l\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}

make_medium() { # FOLDER ROOT MEDIUM: one image that boots as CD and as USB disk, by BIOS and, through shim, by UEFI
    local folder=$1 root=$2 medium=$3 esp=$1/esp.img
    in_chroot "$root" grub-mkimage --format=i386-pc-eltorito --prefix=/boot/grub --output=/tmp/eltorito.img \
        biosdisk iso9660 part_gpt part_msdos search search_label normal linux serial terminal configfile echo test
    mv "$root/tmp/eltorito.img" "$medium/boot/grub/eltorito.img"
    truncate --size=8M "$esp"
    mkfs.fat -F 12 -n ZROOT_ESP -i 5A524F54 --invariant "$esp" > /dev/null
    mmd -i "$esp" ::EFI ::EFI/BOOT ::EFI/debian
    mcopy -i "$esp" "$root/usr/lib/shim/shimx64.efi.signed" ::EFI/BOOT/BOOTX64.EFI
    mcopy -i "$esp" "$root/usr/lib/shim/mmx64.efi.signed" ::EFI/BOOT/mmx64.efi
    mcopy -i "$esp" "$root/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed" ::EFI/BOOT/grubx64.efi
    mcopy -i "$esp" iso/medium/grub-esp.cfg ::EFI/debian/grub.cfg
    xorriso -as mkisofs -quiet -volid ZROOT_LIVE -rational-rock -joliet -iso-level 3 -output "$folder/zroot-amd64.iso" \
        --grub2-mbr "$root/usr/lib/grub/i386-pc/boot_hybrid.img" -partition_offset 16 --mbr-force-bootable \
        -append_partition 2 0xef "$esp" -appended_part_as_gpt \
        -eltorito-boot boot/grub/eltorito.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
        -eltorito-alt-boot -e '--interval:appended_partition_2:all::' -no-emul-boot "$medium"
    rm "$esp"
}
