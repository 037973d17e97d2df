"""Fingerprints and properties of SMILES; run as a program, those of the lines of its standard input, as bytes."""

import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcl._descriptors import BITS, PROPERTIES
from graphcl.data._featurise import molecule_of, quiet, rdkit_chem

__all__ = ["ROW", "fingerprints_and_properties"]

ROW = np.dtype([("fingerprint", np.uint8, BITS // 8), ("properties", np.float32, len(PROPERTIES))])
"""What there is of one molecule: the bits packed, and the numbers."""


@lru_cache(maxsize=1)
def _makers() -> tuple[Any, Any]:
    rdkit_chem()
    from rdkit.Chem import rdFingerprintGenerator, rdMolDescriptors

    fingerprint = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=BITS)
    return fingerprint, rdMolDescriptors.Properties(list(PROPERTIES))


def fingerprints_and_properties(smiles: Sequence[str]) -> NDArray[Any]:
    """``[N]`` of type ``ROW``; no bit and unknown numbers (NaN) for what is not a molecule."""
    fingerprint, properties = _makers()
    rows = np.zeros(len(smiles), ROW)
    rows["properties"] = np.nan
    with quiet():
        for row, text in zip(rows, smiles, strict=True):
            molecule = molecule_of(text)
            if molecule is not None:
                row["fingerprint"] = np.packbits(fingerprint.GetFingerprintAsNumPy(molecule))
                row["properties"] = list(properties.ComputeProperties(molecule))
    return rows


def main() -> None:
    """The rows of all lines, one after another."""
    sys.stdout.buffer.write(fingerprints_and_properties(sys.stdin.read().split("\n")[:-1]).tobytes())


if __name__ == "__main__":
    main()
