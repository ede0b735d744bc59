# Debian with ZFS compiled in.

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
    # It makes all mounts that it sees private (1.5.7): not those of this machine.
    unshare --mount mmdebstrap --mode=root --variant=important --components=main,contrib,non-free-firmware \
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
