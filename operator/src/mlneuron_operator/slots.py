"""Which variant has which of 10,000 slots of subjects; the primary has the rest. Pure, the standard library only.

Rendezvous hashing (D. Thaler, C. Ravishankar: Using name-based mappings to increase hit rates, IEEE/ACM Transactions on
Networking 6(1), 1998): each variant bids for each slot by a hash of both names, and the highest bid that still wants
slots has it. The weighted form (C. Schindelhauer, G. Schomaker: Weighted distributed hash tables, SPAA 2005; J. Resch:
New hashing algorithms for data storage, SDC 2015) compares -weight / ln(hash) instead. It moves only what it must when
one weight changes, and here two always do: what a variant gains, the primary loses. With a at 10 and b at 10 %, raising
a to 20 % makes the primary's weight 70, by which b wins subjects of the primary, and loses as many to a.

No function of the weights alone does better. Let b's subjects stay when only a's weight moves, as they must: then the
set S_b(w) depends on b's own weight, as S_a does on a's. At w_a + w_b = 1 they are disjoint and fill everything, so
S_b(w) is the complement of S_a(1 - w); with a third variant, so is S_c(w). Then S_b(w) = S_c(w), and for w <= 1/2 these
must be disjoint. So the table of who has what is itself the memory, and a change of weights is applied to it:

- a variant whose weight falls gives back those of its slots on which it bids lowest;
- a variant whose weight rises takes those of the primary's slots on which it bids highest.

Hence nothing moves between two variants, nothing between the primary and a variant of constant weight, and what moves
is exactly the change of the weight. With a single variant the outcome depends on its weight alone, whatever came
before; with several, a table made from nothing differs only where two variants want the same slot.
"""

import base64
import binascii
import hashlib
import struct
from collections.abc import Collection, Mapping
from functools import lru_cache

SLOTS = 10_000
"""A slot is the hundredth of a percent, the smallest share that can be said."""

BYTES = SLOTS // 8

Slots = frozenset[int]


def allocated(shares: Mapping[str, int], before: Mapping[str, Collection[int]] | None = None) -> dict[str, Slots]:
    """The slots of each variant, by its share in hundredths of a percent. `before` are the slots that variants had;
    those of variants without a share are free. Raises ValueError where shares are negative, or add up to too many.
    """
    if any(share < 0 for share in shares.values()) or sum(shares.values()) > SLOTS:
        raise ValueError(f"the shares {dict(shares)} must be from 0 and add up to {SLOTS} at most")
    held: dict[str, Slots] = {}
    for name in sorted(shares):
        mine = (before or {}).get(name, ())
        held[name] = frozenset(liked(name, mine)[: shares[name]])
    free = set(range(SLOTS)).difference(*held.values())
    for name in sorted(shares):
        taken = liked(name, free)[: shares[name] - len(held[name])]
        held[name] |= frozenset(taken)
        free.difference_update(taken)
    return held


def liked(name: str, slots: Collection[int]) -> list[int]:
    """The slots in the order of a variant's bids, highest first; never two the same in practice, and then the lower."""
    bid = bids(name)
    return sorted(slots, key=lambda slot: (-bid[slot], slot))


@lru_cache(maxsize=64)
def bids(name: str) -> tuple[int, ...]:
    """A variant's for each slot. The eight 64-bit words of a BLAKE2b digest are as independent as digests are."""
    rounds = (hashlib.blake2b(f"{name}\n{turn}".encode()).digest() for turn in range(SLOTS // 8))
    return tuple(word for digest in rounds for word in struct.unpack("<8Q", digest))


def encoded(slots: Collection[int]) -> str:
    """As the table holds them: base64 of a bit a slot, the lowest bit of a byte first."""
    bits = sum(1 << slot for slot in slots)
    return base64.b64encode(bits.to_bytes(BYTES, "little")).decode()


def decoded(text: str) -> Slots:
    """Raises ValueError for what is none."""
    try:
        packed = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"slots must be base64 ({error})") from error
    if len(packed) != BYTES:
        raise ValueError(f"slots must be {BYTES} bytes, not {len(packed)}")
    bits = int.from_bytes(packed, "little")
    return frozenset(slot for slot in range(SLOTS) if bits >> slot & 1)
