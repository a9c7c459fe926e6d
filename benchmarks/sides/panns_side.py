"""The side of `panns_inference` in a comparison; runs under the Python of its own environment.

    PYTHON panns_side.py HOME prepare
    PYTHON panns_side.py HOME tag WAVEFORMS.npy SCORES.npy

HOME stands in for the user's folder, where it keeps its checkpoint and its table of labels:
`prepare` writes an untrained checkpoint of its layout and a table of made-up labels, so that
nothing is downloaded. The last line printed is a JSON object.
"""

import argparse
import csv
import json
import os
import time
from pathlib import Path

LABELS = 527
CHECKPOINT = "Cnn14_mAP=0.431.pth"
TABLE = "class_labels_indices.csv"


def main() -> None:
    """Do what the arguments ask for and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("what", choices=("prepare", "tag"))
    parser.add_argument("waveforms", nargs="?", type=Path)
    parser.add_argument("scores", nargs="?", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    os.environ["HOME"] = str(args.home)  # the package looks there when it is imported
    if args.what == "prepare":
        print(json.dumps({"checkpoint": str(prepare(args.home / "panns_data"))}))
    else:
        print(json.dumps(tag(args.waveforms, args.scores, args.repeats)))


def prepare(folder: Path) -> Path:
    """Write the labels and a checkpoint whose batch norms have seen something; return its path."""
    import torch

    folder.mkdir(parents=True)
    with (folder / TABLE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "mid", "display_name"])
        writer.writerows([at, f"/m/{at}", f"label {at}"] for at in range(LABELS))
    from panns_inference.models import Cnn14

    torch.manual_seed(0)
    network = Cnn14(
        sample_rate=32000,
        window_size=1024,
        hop_size=320,
        mel_bins=64,
        fmin=50,
        fmax=14000,
        classes_num=LABELS,
    )
    network.spec_augmenter = torch.nn.Identity()  # it drops frames in training
    with torch.no_grad():
        for _ in range(3):
            network.train()(0.1 * torch.randn(4, 64000))
    path = folder / CHECKPOINT
    torch.save({"iteration": 0, "model": network.state_dict()}, path)
    return path


def tag(waveforms: Path, scores: Path, repeats: int) -> dict[str, float]:
    """Time the scores of waveforms, one alone and all at once; write the scores of all."""
    import numpy as np
    from panns_inference import AudioTagging

    sounds = np.load(waveforms)
    tagging = AudioTagging(checkpoint_path=None, device="cpu")

    def milliseconds(batch: np.ndarray) -> float:
        start = time.perf_counter()
        for _ in range(repeats):
            tagging.inference(batch)
        return 1000 * (time.perf_counter() - start) / repeats

    np.save(scores, tagging.inference(sounds)[0])
    milliseconds(sounds[:1])
    return {"one_ms": milliseconds(sounds[:1]), "all_ms": milliseconds(sounds)}


if __name__ == "__main__":
    main()
