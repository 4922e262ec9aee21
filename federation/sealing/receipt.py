"""The home's signed word that it holds a deposit: proof of the day it arrived, and the answer to a
resend.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from schemas.ids import Did, Digest

from .deposit import SealedDeposit
from .errors import ReceiptSignatureError, SuiteUnknownError
from .layout import Reader, head, lp, to_ms
from .manifest import _ALGORITHM_OF, ALGORITHMS, SIGNATURE_SIZE, ManifestSigner, VerificationKey

SIGNING_LABEL: Final = b"mobility-vault/receipt/1\x00"


@dataclass(frozen=True, slots=True)
class DepositReceipt:
    """What the home says about one deposit. Identical bytes deposited again get the same
    receipt.
    """

    home: Did
    vault: str
    depositor: Did
    account: str
    seq: int
    digest: Digest
    """Of the sealed deposit."""
    manifest_digest: Digest
    received_at: datetime
    verification_method: str
    algorithm: str
    signature: bytes
    data: bytes
    """The whole layout."""

    @classmethod
    def issue(
        cls, deposit: SealedDeposit, *, home: Did, received_at: datetime, signer: ManifestSigner
    ) -> Self:
        """Sign a receipt for `deposit`.

        Layout: `"MVA" ‖ 1 ‖ lp(home) ‖ lp(vault) ‖ lp(depositor) ‖ lp(account) ‖ seq u64 ‖ deposit
        digest(32) ‖ manifest digest(32) ‖ received_at u64 ‖ lp(verification method) ‖ algorithm(1)
        ‖ signature(64)`; signed are the label and everything before the signature.
        """
        if signer.algorithm not in ALGORITHMS:
            raise SuiteUnknownError(0)
        body = b"".join(
            (
                head(b"A"),
                lp(home),
                lp(deposit.vault),
                lp(deposit.depositor),
                lp(deposit.account),
                deposit.seq.to_bytes(8, "big"),
                deposit.digest,
                deposit.manifest_digest,
                to_ms(received_at).to_bytes(8, "big"),
                lp(signer.verification_method),
                bytes([ALGORITHMS[signer.algorithm]]),
            )
        )
        return cls.parse(body + signer.sign(SIGNING_LABEL + body))

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a receipt without trusting it.

        Raises:
            LayoutError: not this layout.
            SuiteUnknownError: a signature algorithm of the future.
        """
        reader = Reader(data, "receipt")
        reader.head(b"A")
        home, vault, depositor, account = (reader.text() for _ in range(4))
        seq = reader.uint(8)
        deposit, manifest = Digest(reader.take(32)), Digest(reader.take(32))
        received_at, method, algorithm = reader.instant(), reader.text(), reader.uint(1)
        signature = reader.take(SIGNATURE_SIZE)
        reader.end()
        if algorithm not in _ALGORITHM_OF:
            raise SuiteUnknownError(algorithm)
        return cls(
            Did(home),
            vault,
            Did(depositor),
            account,
            seq,
            deposit,
            manifest,
            received_at,
            method,
            _ALGORITHM_OF[algorithm],
            signature,
            data,
        )

    def verify(self, key: VerificationKey) -> None:
        """Check the signature.

        Raises:
            ReceiptSignatureError: not by this key, or changed bytes.
        """
        from federation.keys import SignatureMismatchError

        if key.algorithm != self.algorithm:
            raise ReceiptSignatureError("the receipt names another signature algorithm")
        try:
            key.verify(SIGNING_LABEL + self.data[:-SIGNATURE_SIZE], self.signature)
        except SignatureMismatchError:
            raise ReceiptSignatureError("the signature does not match the receipt") from None


__all__ = ["DepositReceipt"]
