"""The vectors that RDKit can make of a molecule, by name: known without RDKit, because settings name them."""

from typing import Literal

__all__ = ["BITS", "PROPERTIES", "VECTOR_WIDTHS", "VectorKind"]

VectorKind = Literal["fingerprint", "properties", "descriptors"]
"""Morgan bits; numbers such as weight, ring counts and logP; both."""

BITS = 1024
# By name, so that every version of RDKit gives the same columns.
PROPERTIES = (
    *("exactmw", "amw", "lipinskiHBA", "lipinskiHBD", "NumRotatableBonds", "NumHBD", "NumHBA", "NumHeavyAtoms"),
    *("NumAtoms", "NumHeteroatoms", "NumAmideBonds", "FractionCSP3", "NumRings", "NumAromaticRings"),
    *("NumAliphaticRings", "NumSaturatedRings", "NumHeterocycles", "NumAromaticHeterocycles"),
    *("NumSaturatedHeterocycles", "NumAliphaticHeterocycles", "NumSpiroAtoms", "NumBridgeheadAtoms"),
    *("NumAtomStereoCenters", "NumUnspecifiedAtomStereoCenters", "labuteASA", "tpsa", "CrippenClogP", "CrippenMR"),
    *("chi0v", "chi1v", "chi2v", "chi3v", "chi4v", "chi0n", "chi1n", "chi2n", "chi3n", "chi4n", "hallKierAlpha"),
    *("kappa1", "kappa2", "kappa3", "Phi"),
)

VECTOR_WIDTHS = {"fingerprint": BITS, "properties": len(PROPERTIES), "descriptors": BITS + len(PROPERTIES)}
"""How many numbers each kind has."""
