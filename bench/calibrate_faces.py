"""Fit the model of distances on labelled pictures: how near strangers come (a normal distribution), and how likely two
encodings at a distance are of one person (Platt scaling).

    python bench/calibrate_faces.py FOLDER

FOLDER has people/NAME/*, probes/*, groups/* and truth.csv (picture,people,strangers). A face on a probe or group
picture is labelled with the person among those on it whose portraits are nearest, a stranger with nobody. Pictures in
others/*, if there are any, show people of whom no more is known than that none of them is anywhere else in the folder:
each is a stranger to all who are labelled.
"""

from __future__ import annotations

import csv
import sys
from itertools import combinations
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from app.faces import Templates, distances, match
from app.faces.engine import analyse
from app.faces.enrolment import LEAST_SCORE
from app.faces.matching import confidence

Labelled = list[tuple[str, NDArray[np.float32]]]
Floats = NDArray[np.float64]
SMALLEST = 50
"""Pixels, of faces on others/*: what is smaller is hardly a face."""
SAMPLES = 1000
RATE = 1e-4


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
            templates = Templates.of(np.stack([e for _, e in known]), np.array([i for i, _ in known]))
            who = match(found, templates, tolerance=2, rate=RATE)
            faces += [
                (f"stranger on {row['picture']}" if m.person is None else names[m.person], encoding)
                for m, encoding in zip(who, found, strict=True)
            ]
    return faces


def other_faces(folder: Path) -> list[NDArray[np.float32]]:
    found = [face for path in sorted(folder.glob("others/*")) for face in analyse(path.read_bytes()).faces]
    return [face.encoding for face in found if face.box.width >= SMALLEST and face.score >= LEAST_SCORE]


def pairs(faces: Labelled) -> tuple[Floats, NDArray[np.bool_]]:
    """Distances of all pairs, and whether they are of one person."""
    away = distances(*[np.stack([encoding for _, encoding in faces])] * 2)
    indexes = list(combinations(range(len(faces)), 2))
    return np.array([away[i, j] for i, j in indexes]), np.array([faces[i][0] == faces[j][0] for i, j in indexes])


def platt(x: Floats, same: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset of P(same | x) = 1 / (1 + exp(-(slope x + offset))), with Platt's smoothed targets (1999) and
    both kinds of pairs weighing as much."""
    positive, negative = same.sum(), (~same).sum()
    target = np.where(same, (positive + 1) / (positive + 2), 1 / (negative + 2))
    weight = weights(same)

    def loss(parameters: Floats) -> float:
        z = parameters[0] * x + parameters[1]
        return float((weight * (np.logaddexp(0, z) - target * z)).sum())

    slope, offset = minimize(loss, [-20.0, 12.0], method="Nelder-Mead").x
    return float(slope), float(offset)


def weights(same: NDArray[np.bool_]) -> Floats:
    """Each pair's, so that both kinds weigh a half."""
    half: Floats = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())
    return half


def nearest_by_chance(faces: Labelled, others: list[NDArray[np.float32]]) -> tuple[float, float]:
    """Between what the distance at the false-match rate lies (95 %), when other people had been in the folder: the
    labelled people drawn anew."""
    names, random = sorted({name for name, _ in faces}), np.random.default_rng(1)
    encodings = np.stack([encoding for _, encoding in faces])
    whose = np.array([names.index(name) for name, _ in faces])
    away = distances(encodings, np.vstack([encodings, *others]))
    strange = np.hstack([whose[:, None] != whose, np.ones((len(faces), len(others)), bool)])
    found = []
    for _ in range(SAMPLES):
        drawn = np.concatenate([np.flatnonzero(whose == n) for n in random.integers(len(names), size=len(names))])
        x = away[drawn][strange[drawn]]
        found.append(NormalDist(x.mean(), x.std()).inv_cdf(RATE))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def main() -> None:
    folder = Path(sys.argv[1])
    faces, others = labelled_faces(folder), other_faces(folder)
    x, same = pairs(faces)
    if others:
        beside = distances(np.stack([encoding for _, encoding in faces]), np.stack(others)).ravel()
        x, same = np.append(x, beside), np.append(same, np.zeros(len(beside), bool))
    print(f"{len(faces)} faces of {len({name for name, _ in faces})} people and {len(others)} others:", end=" ")
    print(f"{same.sum()} pairs of one person, {(~same).sum()} of two")
    print(f"one person: distance up to {x[same].max():.3f}; two people: from {x[~same].min():.3f}")
    strangers = NormalDist(x[~same].mean(), x[~same].std())
    print(f"STRANGERS = NormalDist({strangers.mean:.4f}, {strangers.stdev:.4f})")
    for distance in (0.45, 0.5, 0.55, 0.6, 0.65, 0.7):
        stated, were = strangers.cdf(distance), (x[~same] <= distance).mean()
        print(f"strangers within {distance:.2f}: stated {stated:.6f}, were {were:.6f}")
    low, high = nearest_by_chance(faces, others)
    print(f"within {strangers.inv_cdf(RATE):.3f} ({low:.3f} to {high:.3f} with other people) one in {1 / RATE:.0f}")
    slope, offset = platt(x, same)
    print(f"SLOPE, OFFSET = {slope:.1f}, {offset:.1f}; even odds at {-offset / slope:.3f}")
    reliability(x, same)


def reliability(x: Floats, same: NDArray[np.bool_]) -> None:
    """How the confidence as it is now does on these pairs: Brier score (1950), expected calibration error (Naeini et
    al., 2015), and the table behind that; both kinds of pairs weigh as much."""
    stated, weight = np.array([confidence(d) for d in x]), weights(same)
    error = 0.0
    for low, high in [(0, 0.01), (0.01, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 0.99), (0.99, 1.01)]:
        band = (stated >= low) & (stated < high)
        if band.any():
            mean, share = np.average(stated[band], weights=weight[band]), np.average(same[band], weights=weight[band])
            error += weight[band].sum() * abs(mean - share)
            print(f"{low:.2f} to {min(high, 1):.2f}: {band.sum():5} pairs, stated {mean:.4f}, were {share:.4f}")
    print(f"Brier score {np.sum(weight * (stated - same) ** 2):.5f}, expected calibration error {error:.5f}")


if __name__ == "__main__":
    main()
