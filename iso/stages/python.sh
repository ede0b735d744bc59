# The locked dependencies of zroot, as wheels.

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
