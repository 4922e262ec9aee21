"""The issuer kit: an operator's rows become signed records in vaults and wallets."""
