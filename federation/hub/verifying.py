"""Verification at the hub: one verifier, over the snapshot in force."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from federation.credentials import (
    Check,
    Outcome,
    Policy,
    StatusSource,
    UnsafeNoOpPolicy,
    UnverifiableError,
    VerificationError,
    VerifiedPresentation,
    Verifier,
    sentence,
    step_name,
)
from federation.did import Resolver
from federation.hub.registry import RegistryService
from federation.ports import CheckView

__all__ = ["VerifyService", "check_views"]


def check_views(checks: Sequence[Check | Mapping[str, Any]]) -> tuple[CheckView, ...]:
    """Checks with their sentences in French and English."""
    views: list[CheckView] = []
    for item in checks:
        check = item if isinstance(item, Check) else Check.from_json(item)
        views.append(
            CheckView(
                step=check.step,
                code=check.code,
                outcome=check.outcome.value,
                detail=check.detail,
                words={
                    "fr": sentence(check, "fr"),
                    "en": sentence(check, "en"),
                    "step_fr": step_name(check.step, "fr"),
                    "step_en": step_name(check.step, "en"),
                },
            )
        )
    return tuple(views)


class VerifyService:
    """Verifies presentations for the intake and any document for the public page."""

    def __init__(
        self,
        registry: RegistryService,
        resolver: Resolver,
        status: StatusSource,
        clock: Callable[[], datetime],
    ) -> None:
        self._registry = registry
        self._resolver = resolver
        self._status = status
        self._clock = clock

    def _verifier(self) -> Verifier:
        return Verifier(
            trust=self._registry.current(), resolver=self._resolver, status=self._status
        )

    def answer(
        self,
        presentation: Mapping[str, Any] | None,
        tokens: Sequence[str],
        policy: Policy,
        *,
        challenge: str,
        domain: str,
        at: datetime,
        presented_at: datetime,
    ) -> VerifiedPresentation:
        """Steps 1 to 8 of a whole answer, both formats.

        Raises:
            VerificationError, UnverifiableError: see `Verifier.verify_answer`.
        """
        return self._verifier().verify_answer(
            presentation,
            tokens,
            policy,
            challenge=challenge,
            domain=domain,
            at=at,
            presented_at=presented_at,
        )

    def public(self, document: Mapping[str, Any]) -> tuple[CheckView, ...]:
        """Every check of any credential or presentation; a failed one is an answer, not an error.

        A presentation is judged without its challenge: each credential in it by itself.
        """
        held = document.get("verifiableCredential")
        documents = held if isinstance(held, list) and held else [document]
        checks: list[Check] = []
        for item in documents[:16]:
            checks += self._one(item if isinstance(item, Mapping) else {})
        return check_views(checks)

    def _one(self, document: Mapping[str, Any]) -> Sequence[Check]:
        try:
            verified = self._verifier().verify_credential(
                document, UnsafeNoOpPolicy(), at=self._clock()
            )
        except (VerificationError, UnverifiableError) as error:
            return error.checks
        return [c for c in verified.checks if not (c.step == 8 and c.outcome is Outcome.PASS)]
