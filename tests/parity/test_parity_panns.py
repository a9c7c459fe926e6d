"""PANNs against numbers computed by the reference implementation, front-end included."""

import torch

from auricle.frontends import FRONTENDS
from auricle.models import MODELS

FAMILY = "panns"

PRESETS = {
    "Cnn6": "cnn6",
    "Cnn10": "cnn10",
    "Cnn14": "cnn14",
    "Cnn14_16k": "cnn14_16k",
    "Cnn14_8k": "cnn14_8k",
    "Cnn14_mel32": "cnn14_mel32",
    "Cnn14_mel128": "cnn14_mel128",
    "Cnn14_emb32": "cnn14_emb32",
    "Cnn14_emb128": "cnn14_emb128",
    "Cnn14_emb512": "cnn14_emb512",
    "Cnn14_DecisionLevelMax": "cnn14_decision_max",
    "Cnn14_DecisionLevelAvg": "cnn14_decision_avg",
    "Cnn14_DecisionLevelAtt": "cnn14_decision_att",
}


def test_panns_parity(golden):
    preset = MODELS[PRESETS[golden.name]]
    frontend = FRONTENDS[preset.frontend].build(FRONTENDS[preset.frontend].config)
    with torch.device("meta"):  # the values come from the folder
        model = preset.family(preset.config, bins=frontend.bins, classes=527)
    golden.fill(model)
    for _, expected in golden.vectors():
        waveforms = golden.input_of(expected)
        lengths = torch.full((len(waveforms),), waveforms.shape[1])
        for twin in (frontend, frontend.for_export()):
            with torch.no_grad():
                features = twin(waveforms, lengths)
                output = model(features)
            compare(golden, features, output, expected)


def compare(golden, features, output, expected):
    def probabilities(scores):
        return scores.sigmoid() if output.scores_are == "logits" else scores

    golden.close_probabilities(probabilities(output.scores), expected["clipwise_output"])
    if "logmel" in expected:
        tolerance_db = 2e-3 if features.values.shape[1] > 64 else 5e-4
        ours = features.values.transpose(1, 2)[:, None]
        assert (ours - torch.from_numpy(expected["logmel"])).abs().max() <= tolerance_db
    if "logits" in expected:
        golden.close(output.scores, expected["logits"])
    if "embedding" in expected:
        golden.close(output.embedding, expected["embedding"])
    assert (output.frame_scores is not None) == ("framewise_output" in expected)
    if output.frame_scores is not None:
        golden.close_probabilities(probabilities(output.frame_scores), expected["framewise_output"])
        segments = expected["segment_logits"]
        if output.scores_are == "logits":
            rows = output.frame_scores[:, ::32][:, : segments.shape[1]]
            golden.close(rows, segments)
