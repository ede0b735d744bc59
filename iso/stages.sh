# What the stages of iso/build have in common. iso/stages/NAME.sh defines make_NAME, which fills the folder it is given.

export SOURCE_DATE_EPOCH=1767225600 LC_ALL=C.UTF-8
suite=trixie
cache=${ZROOT_ISO_CACHE:-$PWD/.cache/iso}

stage() { # NAME INPUT...: prints the folder of the stage, made now or before
    local name=$1 key folder
    shift
    key=$(inputs "iso/stages/$name.sh" "$@" | sha256sum | cut -c 1-16)
    folder=$cache/$name-$key
    if [[ ! -e $folder/key ]]; then
        echo "iso: making $name" >&2
        rm -rf "$cache/$name"-*
        mkdir -p "$folder"
        source "iso/stages/$name.sh"
        "make_$name" "$folder" >&2
        echo "$key" > "$folder/key"
    fi
    echo "$folder"
}

inputs() { # FILE-OR-FOLDER...: name, mode and content of everything below
    find "$@" -name __pycache__ -prune -o \( -type f -o -type l \) -print | LC_ALL=C sort | while read -r path; do
        echo "${path#"$cache"/} $(stat --format=%a "$path") $(readlink "$path")"
        [[ -L $path ]] || sha256sum < "$path"
    done
}

in_chroot() { # ROOT COMMAND...
    local root=$1
    shift
    unshare --mount bash -euc 'mount --bind /dev "$0/dev"; mount -t proc proc "$0/proc"; mount -t sysfs sysfs "$0/sys"
        mount -t tmpfs tmpfs "$0/run"; exec chroot "$0" "$@"' "$root" "$@"
}
