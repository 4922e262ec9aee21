"""Asking a company for one's own data (GDPR articles 15 and 20): whom, in which words, until when.

`directory` knows addresses, `letters` writes, `clock` counts the month, `acts` keeps the record.
"""
