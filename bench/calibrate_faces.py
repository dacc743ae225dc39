"""Fit the confidence of a match: Platt scaling of the distance, on labelled pairs of pictures.

    python bench/calibrate_faces.py FOLDER

FOLDER has people/NAME/*, probes/*, groups/* and truth.csv (picture,people,strangers). A face on a probe or group
picture is labelled with the person among those on it whose portraits are nearest, a stranger with nobody.
"""

from __future__ import annotations

import csv
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from app.faces import distances, match
from app.faces.engine import analyse
from app.faces.matching import confidence

Labelled = list[tuple[str, NDArray[np.float32]]]


def labelled_faces(folder: Path) -> Labelled:
    faces: Labelled = []
    for portrait in sorted(folder.glob("people/*/*")):
        faces += [(portrait.parent.name, face.encoding) for face in analyse(portrait.read_bytes()).faces[:1]]
    portraits = list(faces)
    with (folder / "truth.csv").open() as rows:
        for row in csv.DictReader(rows):
            names = row["people"].split(";")
            known = [(names.index(name), encoding) for name, encoding in portraits if name in names]
            found = np.stack([face.encoding for face in analyse((folder / row["picture"]).read_bytes()).faces])
            who = match(found, np.stack([e for _, e in known]), np.array([i for i, _ in known]), tolerance=2)
            faces += [
                (f"stranger on {row['picture']}" if m.person is None else names[m.person], encoding)
                for m, encoding in zip(who, found, strict=True)
            ]
    return faces


def pairs(faces: Labelled) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Distances of all pairs, and whether they are of one person."""
    away = distances(*[np.stack([encoding for _, encoding in faces])] * 2)
    indexes = list(combinations(range(len(faces)), 2))
    return np.array([away[i, j] for i, j in indexes]), np.array([faces[i][0] == faces[j][0] for i, j in indexes])


def platt(x: NDArray[np.float64], same: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset of P(same | x) = 1 / (1 + exp(-(slope x + offset))), with Platt's smoothed targets (1999) and
    both kinds of pairs weighing as much."""
    positive, negative = same.sum(), (~same).sum()
    target = np.where(same, (positive + 1) / (positive + 2), 1 / (negative + 2))
    weight = np.where(same, 0.5 / positive, 0.5 / negative)

    def loss(parameters: NDArray[np.float64]) -> float:
        z = parameters[0] * x + parameters[1]
        return float((weight * (np.logaddexp(0, z) - target * z)).sum())

    slope, offset = minimize(loss, [-20.0, 12.0], method="Nelder-Mead").x
    return float(slope), float(offset)


def main() -> None:
    faces = labelled_faces(Path(sys.argv[1]))
    x, same = pairs(faces)
    slope, offset = platt(x, same)
    print(f"{len(faces)} faces, {same.sum()} pairs of one person, {(~same).sum()} of two")
    print(f"one person: distance up to {x[same].max():.3f}; two people: from {x[~same].min():.3f}")
    print(f"SLOPE, OFFSET = {slope:.1f}, {offset:.1f}; even odds at {-offset / slope:.3f}")
    for low, high in [(0, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (0.6, 0.7), (0.7, 2)]:
        band = (x >= low) & (x < high)
        if band.any():
            stated = np.mean([confidence(d) for d in x[band]])
            print(f"{low:.1f} to {high:.1f}: {band.sum():4} pairs, stated {stated:.4f}, were {same[band].mean():.4f}")


if __name__ == "__main__":
    main()
