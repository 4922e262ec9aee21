"""Mon Compte Mobilité (moB): the file of the GDPR right of access, read once and for all."""
