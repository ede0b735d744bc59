#!/bin/bash
# One would guess: `-cpu max`, the emulated processor with every feature that QEMU can emulate, is the best choice for
# speed too; at worst a feature that the programs do not use costs nothing.
# What is so: it promises ERMS ("enhanced rep movsb/stosb"), in newer versions FSRM as well. Programs believe that: glibc's
# memcpy and memset then use rep movsb and rep stosb for blocks beyond a few kilobytes. QEMU emulates those byte by byte,
# and the vector moves that glibc uses otherwise many bytes at a time. Taking the promise away (-erms, and -fsrm where
# there is one) makes copying about four to six times as fast, and filling more than twenty. It is not so for every size: copies of
# 32 MiB, for which glibc uses other instructions in any case, took the same with 7.2, filling 32 MiB was five times as fast.
# Versions: QEMU 7.2 (Debian 12) and 10.0 (Debian 13), user emulation; a program linked with glibc 2.36.
# Needs: mmdebstrap, gcc, a C library to link statically, an apt with a Debian source.
set -euo pipefail

versions=(
    "bookworm qemu-user=1:7.2+dfsg-7+deb12u18+b3"
    "trixie qemu-user=1:10.0.13+ds-0+deb13u1"
)
pairs=3
at_least=2 # times; seen are 3.9 and more

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

unpack() { # SUITE FOLDER PACKAGE=VERSION...: unpacks them with what they depend on; nothing of it is installed or run
    local suite=$1 folder=$2 mirror include
    shift 2
    # shellcheck disable=SC2016 # apt replaces them
    mirror=$(apt-get indextargets --format '$(LABEL)|$(REPO_URI)' "Created-By: Packages" \
        | sed -nE 's/^Debian\|//p' | sed -E 's,//[^/@]*@,//,' | sort -u | head -1)
    [[ $mirror ]] || { echo "This machine's apt has no Debian source." >&2; exit 2; }
    include=$(IFS=,; echo "$*")
    mkdir "$folder"
    if ! mmdebstrap --variant=extract --include="$include" "$suite" - "deb $mirror $suite main" 2> "$work/log" \
        | tar --extract --no-same-owner --exclude=./dev --directory="$folder"; then
        tail -n 20 "$work/log" >&2
        echo "Not to be had from $suite as pinned (see above for which): $*" >&2
        exit 2
    fi
}

cat > "$work/program.c" <<'END'
#include <cpuid.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *(*volatile copy)(void *, const void *, size_t) = memcpy;
static void *(*volatile fill)(void *, int, size_t) = memset;

static long now(void) { /* microseconds of the processor that this program, so its emulator, has taken */
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1000000L + time.tv_nsec / 1000;
}

int main(void) {
    enum { SIZE = 256 << 10, TIMES = 400 };
    char *from = malloc(SIZE), *to = malloc(SIZE);
    unsigned a, b, c, d;
    long start, copied, filled;
    memset(from, 1, SIZE);
    memset(to, 2, SIZE);
    start = now();
    for (int i = 0; i < TIMES; i++) copy(to, from, SIZE);
    copied = now() - start;
    start = now();
    for (int i = 0; i < TIMES; i++) fill(to, i, SIZE);
    filled = now() - start;
    __cpuid_count(7, 0, a, b, c, d);
    printf("%ld %ld erms=%u,fsrm=%u glibc %s\n", copied, filled, b >> 9 & 1, d >> 4 & 1, gnu_get_libc_version());
    return 0;
}
END
gcc -O2 -static -o "$work/program" "$work/program.c"

different=0
for version in "${versions[@]}"; do
    read -r suite package <<< "$version"
    unpack "$suite" "$work/$suite" "$package"
    qemu=("$work/$suite/usr/bin/qemu-x86_64")
    # Debian 12's is linked with shared libraries, which are its own (the C library's still unpack to /lib); 13's with none.
    root=$work/$suite
    loader=$root/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
    [[ ! -e $loader ]] \
        || qemu=("$loader" --library-path "$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu" "${qemu[@]}")
    echo "== $("${qemu[@]}" --version | head -1)"
    promised=(0 0) not_promised=(0 0)
    for ((pair = 0; pair < pairs; pair++)); do
        for processor in max max,-erms,-fsrm; do
            read -r copied filled words < <("${qemu[@]}" -cpu "$processor" "$work/program")
            echo "-cpu $processor: copying 100 MiB $((copied / 1000)) ms, filling $((filled / 1000)) ms ($words)"
            if [[ $processor == max ]]; then
                [[ $words == erms=1,* ]] || { echo "max does not promise ERMS any more." >&2; different=1; }
                promised=($((promised[0] + copied)) $((promised[1] + filled)))
            else
                [[ $words == erms=0,fsrm=0* ]] || { echo "The promise could not be taken away." >&2; different=1; }
                not_promised=($((not_promised[0] + copied)) $((not_promised[1] + filled)))
            fi
        done
    done
    for which in 0 1; do
        times=$((promised[which] * 10 / not_promised[which]))
        what=(copying filling)
        echo "${what[which]}: $((times / 10)).$((times % 10)) times as long with the promise as without"
        if ((times < at_least * 10)); then
            echo "Less than $at_least times." >&2
            different=1
        fi
    done
done
if ((different)); then
    echo "DIFFERENT from what was found."
    exit 1
fi
echo "As found: the processor that promises fast string moves is the slow one."
