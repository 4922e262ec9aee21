"""Recovery shares: 256 bits in n parts on paper, any k of which open the vault (SLIP-0039).

Each share is a line of 33 words. Fewer than k say nothing about the secret. One group, no SLIP-39
passphrase, so iteration exponent 0 (the secret has 256 bits: nothing to slow down). Trezor's and
any other SLIP-39 program puts the same 32 bytes together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from shamir_mnemonic import MnemonicError, combine_mnemonics, generate_mnemonics
from shamir_mnemonic.share import Share

from .errors import RecoverySharesError, SlotParametersError
from .secret import KEY_SIZE, RootKey, Secret
from .slot_parameters import SharesParameters
from .slots import SlotKind, open_slot, seal_slot

MAX_SHARES: Final = 16
"""SLIP-39: four bits number the members of a group."""
_LONGEST: Final = 1000
"""Characters of one typed share; 33 words of 8 letters are 296."""


@dataclass(frozen=True, slots=True)
class ShareSet:
    """The shares of one secret, for the one page that shows them."""

    parameters: SharesParameters
    shares: tuple[str, ...] = field(repr=False)


def split(secret: Secret, *, threshold: int, count: int) -> ShareSet:
    """Make `count` shares, any `threshold` of which give `secret` again.

    Raises:
        SlotParametersError: not 2 ≤ threshold ≤ count ≤ 16, or not 32 bytes.
    """
    if not 2 <= threshold <= count <= MAX_SHARES:
        raise SlotParametersError("shares are 2 to 16, and at least 2 open")
    if len(secret) != KEY_SIZE:
        raise SlotParametersError("a secret behind shares has 32 bytes")
    # The library takes and makes `bytes`, which cannot be zeroed; it lives for this one call.
    lines = generate_mnemonics(
        1, [(threshold, count)], bytes(secret.view), extendable=True, iteration_exponent=0
    )[0]
    identifier = Share.from_mnemonic(lines[0]).identifier
    return ShareSet(SharesParameters(threshold, count, identifier), tuple(lines))


def combine(lines: Sequence[str]) -> tuple[int, Secret]:
    """What a person typed, one share a line, to (set identifier, secret). Case and spaces do not
    matter; more shares than needed are fine.

    Raises:
        RecoverySharesError: mistyped, foreign, mixed, twice, or too few; says which.
    """
    texts = [" ".join(line.lower().split()) for line in lines]
    texts = [text for text in texts if text]
    if not texts:
        raise RecoverySharesError("too-few", have=0, need=2)
    shares: list[Share] = []
    for number, text in enumerate(texts[: MAX_SHARES + 1], 1):
        try:
            if len(text) > _LONGEST:
                raise RecoverySharesError("mistyped", number=number)
            share = Share.from_mnemonic(text)
        except MnemonicError:
            raise RecoverySharesError("mistyped", number=number) from None
        if share.group_count != 1 or len(share.value) != KEY_SIZE or share.member_threshold < 2:
            raise RecoverySharesError("foreign", number=number)
        first = shares[0] if shares else share
        if (
            share.common_parameters() != first.common_parameters()
            or share.member_threshold != first.member_threshold
        ):
            raise RecoverySharesError("mixed", number=number)
        if any(share.index == other.index for other in shares):
            raise RecoverySharesError("twice", number=number)
        shares.append(share)
    need = shares[0].member_threshold
    if len(shares) < need:
        raise RecoverySharesError("too-few", have=len(shares), need=need)
    try:
        # Exactly k: SLIP-39 readers refuse more.
        secret = combine_mnemonics([share.mnemonic() for share in shares[:need]])
    except MnemonicError:
        # Every line's own checksum held: shares of two secrets with the same identifier.
        raise RecoverySharesError("mixed") from None
    return shares[0].identifier, Secret(bytearray(secret))


def seal_shares_slot(
    root: RootKey,
    *,
    threshold: int,
    count: int,
    pepper: bytes | bytearray,
    vault: str,
    ring_key: Secret | None = None,
) -> tuple[bytes, ShareSet]:
    """A slot for a new set of shares, and the shares: show them once. Raises as `split`."""
    with Secret.random() as secret:
        made = split(secret, threshold=threshold, count=count)
        slot = seal_slot(
            root,
            kind=SlotKind.SHARES,
            secret=secret.view,
            pepper=pepper,
            vault=vault,
            parameters=made.parameters.encode(),
            ring_key=ring_key,
        )
    return slot, made


def open_shares_slot(
    data: bytes, secret: Secret, *, pepper: bytes | bytearray, vault: str
) -> RootKey:
    """As `open_slot`, for the secret that `combine` put together."""
    return open_slot(data, secret=secret.view, pepper=pepper, vault=vault)


__all__ = ["MAX_SHARES", "ShareSet", "combine", "open_shares_slot", "seal_shares_slot", "split"]
