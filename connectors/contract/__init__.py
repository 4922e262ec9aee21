"""The mobility account: what any operator can serve so that a vault takes a person's trips, passes
and receipts from it (`schemas/contracts/mobility-account.openapi.json`)."""
