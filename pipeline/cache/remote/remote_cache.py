"""A remote cache shared with other machines; its failures never fail a build."""

from __future__ import annotations

import hmac
import sys
import threading
from collections.abc import Iterator

import msgspec

from pipeline.cache.action_records import Record
from pipeline.cache.digest import Digest, canonical_json
from pipeline.cache.json_decoding import decode_json
from pipeline.cache.objects import Objects
from pipeline.cache.remote.remote_store import RemoteError, RemoteStore
from pipeline.errors import printable

_MOST_FAULTS = 3
MOST_OBJECT_BYTES = 64 << 30
_LONGEST_NAME, _LONGEST_PATH = 255, 1024


class _Envelope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record in the remote cache, with its key and the HMAC of both."""

    key: str
    record: Record
    mac: str


class RemoteCache:
    """An untrusted remote cache, disabled for the rest of the run after a few failures.

    Objects are checked against their digest. A record is bound to its key, and with a ``secret``
    only records with a valid HMAC-SHA256 are accepted.
    """

    def __init__(self, remote: RemoteStore, *, write: bool, secret: bytes = b"") -> None:
        self._remote = remote
        self._write = write
        self._secret = secret
        self._faults = 0
        self._guard = threading.Lock()

    def record(self, key: str) -> Record | None:
        """Return the record of a key from the remote cache, if there is a valid one."""
        if not self._enabled():
            return None
        try:
            data = self._remote.get_record(key)
            if data is None:
                return None
            envelope = decode_json(data, _Envelope)
            self._check(key, envelope)
        except RemoteError as fault:
            self._failed(fault)
            return None
        except (msgspec.MsgspecError, ValueError):
            self._failed(RemoteError("a record is malformed"))
            return None
        return envelope.record

    def fetch_object(self, digest: Digest, objects: Objects) -> bool:
        """Download an object into the store; False if it is missing or does not match."""
        if not self._enabled():
            return False
        try:
            with objects.receive(digest) as part:
                if not self._remote.get_object(digest, part):
                    raise _NotFound
                if Digest.of_file(part) != digest:
                    raise RemoteError("an object does not match its digest")
        except _NotFound:
            return False
        except RemoteError as fault:
            self._failed(fault)
            return False
        return True

    def upload(self, key: str, record: Record, objects: Objects) -> None:
        """Upload the outputs of a key: objects first, since a record refers to them."""
        if not self._write or not self._enabled():
            return
        try:
            for members in record.outputs.values():
                for digest in members.values():
                    self._remote.put_object(digest, objects.path(digest))
            envelope = _Envelope(key=key, record=record, mac=self._mac(key, record))
            self._remote.put_record(key, msgspec.json.encode(envelope))
        except RemoteError as fault:
            self._failed(fault)
        except OSError:
            return  # Another run's collection removed an object.

    def _check(self, key: str, envelope: _Envelope) -> None:
        if envelope.key != key:
            raise RemoteError("a record belongs to another key")
        # A comparison of str raises TypeError for other letters than ASCII.
        mac = self._mac(key, envelope.record).encode()
        if self._secret and not hmac.compare_digest(envelope.mac.encode(), mac):
            raise RemoteError("a record's signature is invalid")
        if envelope.record.seconds < 0:
            raise RemoteError("a record is malformed")
        for members in envelope.record.outputs.values():
            if any(digest.size > MOST_OBJECT_BYTES for digest in members.values()):
                raise RemoteError("a record has an object that is too large")
            if not all(name == "" or is_confined(name) for name in members):
                raise RemoteError("a record has a path outside of its output")
            if any(parent in members for name in members for parent in _parents(name)):
                raise RemoteError("a record has a path that is both a file and a folder")

    def _mac(self, key: str, record: Record) -> str:
        if not self._secret:
            return ""
        payload = canonical_json({"key": key, "record": msgspec.to_builtins(record)})
        return hmac.new(self._secret, payload, "sha256").hexdigest()

    def _enabled(self) -> bool:
        return self._faults < _MOST_FAULTS

    def _failed(self, fault: RemoteError) -> None:
        with self._guard:
            first, given_up = self._faults == 0, not self._enabled()
            self._faults = _MOST_FAULTS if fault.final else self._faults + 1
            if given_up or not (first or not self._enabled()):
                return
        rest = "" if self._enabled() else "; disabled for the rest of this run"
        print(
            f"warning: the remote cache {self._remote.describe()}: {printable(str(fault))}{rest}.",
            file=sys.stderr,
        )


class _NotFound(Exception):
    """The remote cache does not have the object."""


def is_confined(name: str) -> bool:
    r"""Return whether a relative path stays inside its folder on every operating system.

    Longer paths than file systems take are not.

    >>> [is_confined(each) for each in ("a/b", "../a", "/a", "a/../b", "c:a", "a\\b", "")]
    [True, False, False, False, False, False, False]
    >>> is_confined("a" * 256)
    False
    """
    parts = name.split("/")
    if len(name.encode()) > _LONGEST_PATH or any(len(p.encode()) > _LONGEST_NAME for p in parts):
        return False
    return all(part not in ("", ".", "..") for part in parts) and not set(name) & set("\\:\0")


def _parents(name: str) -> Iterator[str]:
    """Yield the folders of a path; of a file's own name, the file.

    >>> list(_parents("a/b/c"))
    ['', 'a', 'a/b']
    """
    parts = name.split("/") if name else []
    return ("/".join(parts[:count]) for count in range(len(parts)))
