"""Five receipts of fictitious companies, each laid out another way, as PDF by typst."""

# ruff: noqa: E501 - a page of typst stands as it is written

from functools import cache

import typst

NETWORK = """
#set page(paper: "a5"); #set text(font: "Libertinus Serif", size: 10pt)
#text(14pt)[*Réseau Bleu Mobilités*]

Reçu de paiement n° RB-2026-004512

#grid(columns: (1fr, 1fr), row-gutter: 6pt,
  [Payeur : Marc Lefèvre], [Titulaire : Zoé Lefèvre],
  [Forfait : Mensuel Jeune toutes zones], [Valable du 01/10/2026 au 31/10/2026])

Date d'achat : 28/09/2026

Montant payé : 38,40 €

Réseau Bleu Mobilités, EPIC, 1 place de la Gare, SIRET 732 829 320 00074
"""
TRAIN = """
#set page(paper: "a6"); #set text(font: "Libertinus Serif", size: 9pt)
*Rail Express*
#table(columns: 2, [Dossier], [QX7T4P], [Voyageur], [Ana Durand], [Trajet], [Carcassonne – Toulouse])
#table(columns: (1fr, auto), [Billet 2#super[e] classe], [17,00 €], [Réservation], [1,50 €], [*Total TTC*], [*18,50 €*])
Payé le 3 novembre 2026 par carte. Émetteur : Rail Express SA
"""
CARSHARE = """
#set page(paper: "a4"); #set text(font: "Libertinus Serif", size: 11pt)
#align(right)[Autopart' SCIC \\ 12 rue des Lilas \\ 11000 Carcassonne]
= Facture
Facture n° : 2026-10-0077 \\
Date de facture : 31/10/2026 \\
Client : Ana Durand
#table(columns: (1fr, auto, auto), [Désignation], [Qté], [Montant],
  [Location citadine, 4 h], [4], [24,00 €], [Kilomètres], [62], [21,08 €])
#align(right)[Total HT : 45,08 € \\ TVA 20 % : 9,02 € \\ Total TTC : 54,10 € \\ Net à payer : 54,10 €]
"""
CHARGE = """
#set page(width: 90mm, height: 150mm); #set text(font: "Libertinus Serif", size: 9pt)
VoltPark Ltd \\ Receipt no: VP/88213 \\ Issued on 12 October 2026
#line(length: 100%)
Customer: Ana Durand \\
Charging session 23.4 kWh \\
Subtotal €9.75 \\ VAT 20% €1.95 \\
Total paid €11.70
"""
BARE = """
#set page(width: 70mm, height: 90mm); #set text(font: "Libertinus Serif", size: 9pt)
Vélos du Canal

06/09/2026

Une demi-journée \\ 14,00

Merci et bonne route !
"""
LAYOUTS = {
    "network": NETWORK,
    "train": TRAIN,
    "carshare": CARSHARE,
    "charge": CHARGE,
    "bare": BARE,
}


@cache
def receipt(name: str) -> bytes:
    """One of the five as a PDF."""
    made = typst.compile(LAYOUTS[name].encode(), format="pdf", ignore_system_fonts=True)
    assert isinstance(made, bytes)
    return made
