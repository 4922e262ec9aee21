"""2D-Doc: the signed barcode on tax notices and proofs of address, read and verified offline."""
