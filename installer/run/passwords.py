"""Hashes of passwords, as /etc/shadow has them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from installer.errors import ZrootError
from installer.masking import SECRETS
from installer.recipe.secrets import is_hash


def hashed(secret: Callable[[str], str]) -> Callable[[str], str]:
    """Return a source of secrets in which every password is a hash; one that is a hash already stays as it is."""

    def value(name: str) -> str:
        text = secret(name)
        return text if is_hash(text) else hash_password(text)

    return value


def hash_password(password: str) -> str:
    """Return the yescrypt hash of a password, with a fresh salt; raises ZrootError.

    By the C library's own function: Python 3.13 has none, and programs that hash differ in what they are told how.
    """
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    library.crypt_gensalt.argtypes = (ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_int)
    library.crypt_gensalt.restype = ctypes.c_char_p
    salt = library.crypt_gensalt(b"$y$", 0, None, 0)
    result = library.crypt(password.encode(), salt) if salt else None
    if not result or result.startswith(b"*"):
        raise ZrootError("The C library cannot hash a password (yescrypt).")
    text = str(result.decode())
    SECRETS.register(text)
    return text
