# The stages of iso/build. Each make_NAME fills the folder that it is given; stage() calls it unless it was done before.

export SOURCE_DATE_EPOCH=1767225600 LC_ALL=C.UTF-8
suite=trixie
cache=$PWD/.cache/iso

stage() { # NAME INPUT...: prints the folder of the stage
    local name=$1 key folder
    shift
    key=$(inputs "$@" | sha256sum | cut -c 1-16)
    folder=$cache/$name-$key
    if [[ ! -e $folder/key ]]; then
        echo "iso: making $name" >&2
        rm -rf "$folder"
        mkdir -p "$folder"
        "make_$name" "$folder" >&2
        echo "$key" > "$folder/key"
        # Older makes of the same stage are of no use to anybody.
        find "$cache" -maxdepth 1 -name "$name-*" ! -name "$name-$key" -exec rm -rf {} +
    fi
    echo "$folder"
}

inputs() { # FILE-OR-FOLDER...: name, mode and content of everything below
    find "$@" -name __pycache__ -prune -o \( -type f -o -type l \) -print | sort | while read -r path; do
        echo "${path##*/.cache/} $(stat --format=%a "$path") $(readlink "$path")"
        [[ -L $path ]] || sha256sum < "$path"
    done
}

packages() { sed 's/#.*//' iso/packages.list | grep . ; }

mirror() { # LABEL: where this machine gets such packages from, without credentials
    apt-get indextargets --format '$(LABEL)|$(REPO_URI)' "Created-By: Packages" | sed -n "s/^$1|//p" \
        | sed -E 's,//[^/@]*@,//,; s,/*$,,' | sort -u | head -1
}

make_base() {
    local debian security
    debian=$(mirror Debian)
    security=$(mirror Debian-Security)
    [[ $debian && $security ]] || { echo "iso: this machine's apt has no Debian and Debian-Security sources" >&2; exit 1; }
    echo "$debian $security" > "$1/mirrors"
    # Recommended packages would bring a mail server and a second initramfs generator. The modules are not signed:
    # a key made here would be a secret shared by every system installed from this image, and no build like another.
    mmdebstrap --mode=root --variant=important --components=main,contrib,non-free-firmware \
        --include="$(packages | paste --serial --delimiters=,)" \
        --aptopt='APT::Install-Recommends "false"' \
        --setup-hook='mkdir -p "$1/etc/dkms/framework.conf.d"' \
        --setup-hook='echo "mok_signing_key=/nonexistent/key; mok_certificate=/nonexistent/certificate" > "$1/etc/dkms/framework.conf.d/unsigned.conf"' \
        --customize-hook='rm "$1/etc/dkms/framework.conf.d/unsigned.conf"' \
        "$suite" "$1/root" \
        "deb $debian $suite main contrib non-free-firmware" \
        "deb $debian $suite-updates main contrib non-free-firmware" \
        "deb $security $suite-security main contrib non-free-firmware"
}

clean() { # ROOT: what belongs to one machine, or to the building of this one
    local root=$1
    rm -rf "$root"/etc/hostid "$root"/etc/ssh/ssh_host_* "$root"/var/lib/dkms/mok.* "$root"/etc/apt/apt.conf.d/99mmdebstrap \
        "$root"/var/lib/systemd/random-seed "$root"/var/lib/dbus/machine-id "$root"/etc/zfs/zpool.cache \
        "$root"/var/lib/dracut/* "$root"/root/.bash_history "$root"/etc/.pwd.lock "$root"/etc/*- \
        "$root"/var/cache/ldconfig/aux-cache "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old
    find "$root"/var/lib/apt/lists "$root"/var/cache/apt "$root"/var/log "$root"/var/lib/dkms -name '*.log' -o -path '*/lists/*' -type f -o -path '*/cache/apt/*' -type f | xargs --no-run-if-empty rm -f
    find "$root"/var/log -type f -delete
    : > "$root/etc/machine-id"
}

in_chroot() { # ROOT COMMAND...
    local root=$1
    shift
    unshare --mount bash -euc 'mount --bind /dev "$0/dev"; mount -t proc proc "$0/proc"; mount -t sysfs sysfs "$0/sys"; mount -t tmpfs tmpfs "$0/run"; exec chroot "$0" "$@"' "$root" "$@"
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
    in_chroot "$root" systemctl --quiet enable zroot-arrays.service systemd-networkd.service
    in_chroot "$root" systemctl --quiet disable networking.service cron.service
    in_chroot "$root" dracut --quiet --force "/boot/initrd.img-$kernel" "$kernel"
    # The live initramfs opens, assembles and imports nothing: it does not even have the programs.
    in_chroot "$root" dracut --quiet --force --no-hostonly --conf /dev/null --confdir /var/empty --compress zstd --reproducible \
        --add "dmsquash-live systemd" --omit "zfs zroot crypt systemd-cryptsetup mdraid dmraid multipath lvm btrfs plymouth network i18n console-setup drm resume qemu" \
        /boot/live.img "$kernel"
    mv "$root/boot/live.img" "$1/live.img"
    clean "$root"
}

make_python() { # wheels for the image's Python; the hashes of the lock are checked here
    local pip=(.venv/bin/python -m pip --quiet --disable-pip-version-check) sdist
    "${pip[@]}" download --no-deps --require-hashes --requirement requirements.lock --dest "$1/download" \
        --prefer-binary --implementation cp --python-version 3.13 --abi cp313 --abi abi3 --abi none \
        --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --platform any
    mkdir "$1/wheels"
    mv "$1"/download/*.whl "$1/wheels/"
    for sdist in "$1"/download/*; do
        [[ -e $sdist ]] && "${pip[@]}" wheel --no-deps --wheel-dir "$1/wheels" "$sdist"
    done
    rm -r "$1/download"
}

install_python() { # ROOT: zroot and its dependencies in an environment of their own, /opt/zroot
    local root=$1 source
    source=$(mktemp --directory "$root/tmp/zroot.XXXXXX")
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

make_image() {
    local root=$1/root medium=$1/medium kernel
    cp --archive --reflink=auto "$boot/root" "$root"
    cp --archive --no-preserve=ownership iso/live/. "$root/"
    install_python "$root"
    kernel=$(basename "$root"/boot/vmlinuz-*)
    printf 'mirror = "%s"\nsecurity = "%s"\nimage = "/run/initramfs/live/LiveOS/squashfs.img"\nkernel = "%s"\n' $(cat "$base/mirrors") "${kernel#vmlinuz-}" > "$root/etc/zroot-image"
    echo zroot-live > "$root/etc/hostname"
    mkdir -p "$medium/LiveOS" "$medium/live" "$medium/boot/grub"
    find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} + || true
    mksquashfs "$root" "$medium/LiveOS/squashfs.img" -comp zstd -Xcompression-level 6 -noappend -no-progress -quiet -mkfs-time "$SOURCE_DATE_EPOCH"
    listing "$root" > "$1/files"
    cp "$root/boot/$kernel" "$medium/live/vmlinuz"
    cp "$boot/live.img" "$medium/live/initrd.img"
    cp iso/medium/grub.cfg "$medium/boot/grub/grub.cfg"
    make_medium "$1" "$root" "$medium"
    rm -rf "$root" "$medium"
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
