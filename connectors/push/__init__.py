"""Push: any app leaves trips with a token that can only add. See connectors/README.md."""
