"""Invoices and passes: moB's metadata, Factur-X and UBL with their sums checked, receipts.

`en16931` reads and checks, `mob` reads moB's shape, `receipts` guesses from text with a confidence
for each field, `files` tells which a file is, `draft` is what all of them give.
"""
