"""The traffic table that the operator writes: which variants there are, where, and whose subjects are whose. Pure.

{"revision": "abc", "subject": {"header": "X-User-Id", "field": "user_id"},
 "variants": [{"name": "candidate", "mode": "Split", "percent": 10.0, "slots": "…", "url": "http://churn-candidate.ml.svc",
               "grpc": "churn-candidate.ml.svc:8081", "version": "2.0.0"}]}
"""

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from mlneuron_runtime.traffic.slots import SLOTS, Slots, allocated, decoded

PRIMARY = "primary"

MOST_VARIANTS = 8
"""As many as the counters have room for."""

DIGEST_BYTES = 8
SPACE: int = 2 ** (8 * DIGEST_BYTES)


class BadTable(ValueError):
    """The table cannot be used; the message names the field and the mend."""


class Subject(msgspec.Struct, frozen=True):
    """Where a request tells whom it is about."""

    header: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9-]{1,128}$")] = "X-User-Id"
    field: Annotated[str, msgspec.Meta(min_length=1)] = "user_id"


@dataclass(frozen=True, slots=True)
class Where:
    """The same, as it is looked for in each request. `quoted` is how a field's name stands in JSON."""

    header: bytes
    field: str
    plural: str
    quoted: bytes
    quoted_plural: bytes

    @classmethod
    def of(cls, subject: Subject) -> "Where":
        field, plural = subject.field, f"{subject.field}s"
        quoted, quoted_plural = (msgspec.json.encode(name) for name in (field, plural))
        return cls(subject.header.lower().encode(), field, plural, quoted, quoted_plural)


class Variant(msgspec.Struct, frozen=True):
    """One competitor of the primary. `percent` of the subjects (Split), or of the primary's requests (Shadow)."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$")]
    url: Annotated[str, msgspec.Meta(pattern="^http://[^/?#]+/?$")]
    mode: Literal["Split", "Shadow"] = "Split"
    percent: Annotated[float, msgspec.Meta(ge=0, le=100)] = 0.0
    slots: str | None = None
    grpc: Annotated[str, msgspec.Meta(pattern="^[^/]+:[0-9]+$")] | None = None
    version: str | None = None

    @property
    def share(self) -> int:
        """In slots."""
        return round(self.percent * SLOTS / 100)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of its Service."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 80


class Document(msgspec.Struct, frozen=True):
    """The file. Unknown keys are ignored: a newer operator may write more."""

    revision: str
    variants: list[Variant]
    subject: Subject = Subject()


@dataclass(frozen=True, slots=True)
class Table:
    """One revision, in force. `names` begins with the primary; `owners` holds for each slot the place of a name."""

    revision: str
    where: Where
    names: tuple[str, ...]
    variants: Mapping[str, Variant]
    owners: bytes
    person: bytes
    """Sets the neuron's subjects apart from other neurons': who meets the new version here need not there."""
    shadows: tuple[Variant, ...] = ()

    def assigned(self, subject: bytes) -> str:
        """The variant that answers a subject, always the same while its slot is not moved."""
        digest = hashlib.blake2b(subject, digest_size=DIGEST_BYTES, person=self.person).digest()
        slot: int = int.from_bytes(digest, "little") * SLOTS // SPACE
        return self.names[self.owners[slot]]

    def anyone(self, draw: random.Random) -> str:
        """The variant for a request without a subject."""
        return self.names[self.owners[int(draw.random() * SLOTS)]]

    def pinned(self, pin: str) -> str | None:
        """The variant that a name or version means; None where it is neither. Versions of the primary are not here."""
        if pin == PRIMARY or pin in self.variants:
            return pin
        for name, variant in self.variants.items():
            if variant.version == pin:
                return name
        return None


NOBODY = Table("", Where.of(Subject()), (PRIMARY,), {}, bytes(SLOTS), b"")
"""A table without variants."""


def parsed(content: bytes, namespace: str, neuron: str) -> Table:
    """The table of a neuron; raises BadTable."""
    try:
        document = msgspec.json.decode(content, type=Document)
    except msgspec.DecodeError as error:
        raise BadTable(f"traffic.json: {error}") from error
    variants = {variant.name: variant for variant in document.variants}
    check_names(document, variants)
    splits = [variant for variant in document.variants if variant.mode == "Split"]
    owned = slots_of(splits)
    names = (PRIMARY, *variants)
    owners = bytearray(SLOTS)
    for name, slots in owned.items():
        place = names.index(name)
        for slot in slots:
            if owners[slot]:
                raise BadTable(f"slot {slot} is of {names[owners[slot]]} and of {name}; give it to one of them")
            owners[slot] = place
    person = hashlib.blake2b(f"{namespace}/{neuron}".encode(), digest_size=hashlib.blake2b.PERSON_SIZE).digest()
    shadows = tuple(variant for variant in document.variants if variant.mode == "Shadow")
    return Table(document.revision, Where.of(document.subject), names, variants, bytes(owners), person, shadows)


def check_names(document: Document, variants: Mapping[str, Variant]) -> None:
    """Raise unless there are few enough, each with a name of its own."""
    if len(document.variants) > MOST_VARIANTS:
        raise BadTable(f"there are {len(document.variants)} variants; a neuron takes at most {MOST_VARIANTS}")
    if len(variants) != len(document.variants) or PRIMARY in variants:
        raise BadTable(f"the variants' names must differ, and none may be {PRIMARY}")


def slots_of(splits: list[Variant]) -> dict[str, Slots]:
    """Each variant's slots: as the table says, else made from nothing for all of them."""
    total = sum(variant.share for variant in splits)
    if total > SLOTS:
        shares = ", ".join(f"{variant.name} {variant.percent:g}" for variant in splits)
        raise BadTable(f"the shares add up to {total / 100:g} % ({shares}); they must not exceed 100")
    if any(variant.slots is None and variant.share for variant in splits):
        return allocated({variant.name: variant.share for variant in splits})
    owned = {}
    for variant in splits:
        try:
            owned[variant.name] = decoded(variant.slots) if variant.slots else Slots()
        except ValueError as error:
            raise BadTable(f"{variant.name}: {error}") from error
        if len(owned[variant.name]) != variant.share:
            raise BadTable(
                f"{variant.name} has {len(owned[variant.name])} slots, and {variant.percent:g} % are {variant.share}"
            )
    return owned
