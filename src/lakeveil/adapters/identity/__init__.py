"""Identity in our state: a directory of accounts and roles, keys and sessions, quick to look up."""

from lakeveil.adapters.identity.key_cipher import KeyCipher, open_key_cipher
from lakeveil.adapters.identity.key_ids import DoorKeys
from lakeveil.adapters.identity.store import IdentityStore, open_identity_store

__all__ = ["DoorKeys", "IdentityStore", "KeyCipher", "open_identity_store", "open_key_cipher"]
