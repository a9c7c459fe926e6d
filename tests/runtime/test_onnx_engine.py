import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auricle.core.errors import ArtifactError
from auricle.core.types import Waveform
from auricle.runtime import OnnxEngine, Predictor, load_onnx

RATE = 1000
WriteOnnx = Callable[..., Path]
ConfigText = Callable[..., str]


@pytest.fixture(scope="module")
def model(
    tmp_path_factory: pytest.TempPathFactory, write_onnx: WriteOnnx, config_text: ConfigText
) -> Path:
    folder = tmp_path_factory.mktemp("onnx")
    return write_onnx(folder / "model.onnx", config=config_text(padding_safe=True))


def noise(length: int) -> np.ndarray:
    return np.random.default_rng(length).standard_normal(length).astype(np.float32)


def test_a_file_on_its_own_is_a_classifier(model: Path) -> None:
    predictor = load_onnx(model)
    assert isinstance(predictor, Predictor)
    samples = noise(700)
    prediction = predictor.predict(samples, sample_rate=RATE)
    mean_square = float(np.mean(samples.astype(np.float64) ** 2))
    assert prediction.labels == ("size", "power")
    assert prediction.scores == pytest.approx((2 * mean_square, mean_square), rel=1e-5)
    embedding = predictor.embed(samples, sample_rate=RATE)
    np.testing.assert_allclose(embedding, [[mean_square]], rtol=1e-5)


def test_the_file_may_be_named_by_text_in_any_script(
    tmp_path: Path, write_onnx: WriteOnnx, config_text: ConfigText
) -> None:
    path = write_onnx(tmp_path / "Fledermäuse 蝙蝠.onnx", config=config_text())
    assert load_onnx(str(path), threads=1).labels == ("power", "size")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(lengths=st.lists(st.integers(1, 1400), min_size=1, max_size=12), rows=st.integers(1, 5))
def test_chunks_of_a_batch_change_nothing(
    model: Path, lengths: list[int], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = [Waveform(noise(length), RATE) for length in lengths]
    alone = [next(load_onnx(model, threads=1).score_many([clip])) for clip in clips]
    monkeypatch.setattr("auricle.runtime.onnx_engine._MOST_SAMPLES", rows * 1000)
    together = list(load_onnx(model, threads=1).score_many(clips))
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_an_input_that_the_graph_does_not_read_is_not_fed(
    tmp_path: Path, write_onnx: WriteOnnx
) -> None:
    engine = OnnxEngine(
        write_onnx(tmp_path / "a.onnx", config=None, reads_lengths=False), threads=1
    )
    output = engine(np.full((3, 8), 2.0, np.float32), np.full(3, 8, np.int64))
    assert output.scores is not None
    np.testing.assert_allclose(output.scores, [[4.0, 8.0]] * 3)
    assert output.frame_scores is None
    assert output.embedding is not None


# -- files that are not ours ----------------------------------------------------------------------


def complaint_about(path: Path) -> str:
    with pytest.raises(ArtifactError) as caught:
        load_onnx(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_missing_files_and_folders(tmp_path: Path) -> None:
    assert "not found" in complaint_about(tmp_path / "none.onnx")
    assert "not found" in complaint_about(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x80\x04\x95pickle" * 9])
def test_files_that_are_no_onnx(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    assert "cannot be loaded as an ONNX file" in complaint_about(path)


def test_a_file_cut_in_half(tmp_path: Path, model: Path) -> None:
    path = tmp_path / "half.onnx"
    path.write_bytes(model.read_bytes()[: model.stat().st_size // 2])
    assert "cannot be loaded as an ONNX file" in complaint_about(path)


def test_someone_elses_network(
    tmp_path: Path, write_onnx: WriteOnnx, config_text: ConfigText
) -> None:
    path = tmp_path / "a.onnx"
    write_onnx(path, config=None)
    assert "metadata lacks 'auricle.config'" in complaint_about(path)
    write_onnx(path, config=config_text(), inputs=("pixels", "sizes"))
    assert "it takes pixels, sizes and gives" in complaint_about(path)
    write_onnx(path, config=config_text(), inputs=("waveforms", "temperature"))
    assert "it takes temperature, waveforms" in complaint_about(path)
    write_onnx(path, config=config_text(), outputs=("logits", "pooled"))
    assert "gives logits, pooled" in complaint_about(path)


def test_other_format_versions(
    tmp_path: Path, write_onnx: WriteOnnx, config_text: ConfigText
) -> None:
    tree = json.loads(config_text())
    path = write_onnx(tmp_path / "a.onnx", config=json.dumps(tree | {"format_version": 2}))
    assert "made by a newer Auricle" in complaint_about(path)
    write_onnx(path, config=json.dumps(tree | {"format_version": "one"}))
    assert "format_version 'one'" in complaint_about(path)
    write_onnx(path, config="{")
    assert "not valid JSON" in complaint_about(path)


@pytest.fixture
def batch_of_one(tmp_path: Path, model: Path) -> Path:
    """A file with a batch of one baked in, as a careless export leaves it."""
    network = onnx.load(model)
    for value in (*network.graph.input, *network.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(network, tmp_path / "one.onnx")
    return tmp_path / "one.onnx"


@pytest.fixture
def fixed_size(tmp_path: Path, model: Path) -> Path:
    """A file whose network breaks inside unless it hears 7 windows."""
    network = onnx.load(model)
    shape = onnx.numpy_helper.from_array(np.array([7, 2], np.int64), "seven")
    network.graph.initializer.append(shape)
    network.graph.node[-1].output[0] = "any"
    network.graph.node.append(onnx.helper.make_node("Reshape", ["any", "seven"], ["scores"]))
    onnx.save(network, tmp_path / "seven.onnx")
    return tmp_path / "seven.onnx"


@pytest.mark.parametrize("network", ["batch_of_one", "fixed_size"])
def test_a_network_that_fails_at_work_says_so_in_one_line(
    network: str, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    predictor = load_onnx(request.getfixturevalue(network), threads=1)
    clips = [Waveform(noise(1000), RATE)] * 2
    with pytest.raises(ArtifactError, match="failed on 2 windows of 1000 samples") as caught:
        list(predictor.score_many(clips))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")  # ONNX Runtime's own log included


def test_long_windows_are_not_held_together(
    batch_of_one: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auricle.runtime.onnx_engine._MOST_SAMPLES", 1999)
    clips = [Waveform(noise(1000), RATE)] * 2
    assert len(list(load_onnx(batch_of_one, threads=1).score_many(clips))) == 2


def test_threads_must_be_positive(model: Path) -> None:
    with pytest.raises(ArtifactError, match="threads must be at least 1, got 0"):
        OnnxEngine(model, threads=0)


# -- what a deployed detector costs ----------------------------------------------------------------


def run_python(code: str, *arguments: object) -> str:
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_a_deployed_classifier_imports_nothing_heavy(
    model: Path, tone: Callable[..., Path], tmp_path: Path
) -> None:
    code = """
import sys
import auricle.runtime
assert 'onnxruntime' not in sys.modules
prediction = auricle.runtime.load_onnx(sys.argv[1]).predict(sys.argv[2])
print(prediction.label)
heavy = {'torch', 'scipy', 'pandas', 'librosa', 'matplotlib', 'av', 'pyarrow', 'onnx', 'cyclopts'}
print(sorted(heavy & set(sys.modules)))
"""
    out = run_python(code, model, tone(tmp_path / "a.wav", sample_rate=44100))
    assert out.split() == ["size", "[]"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from /proc")
def test_three_hours_fit_in_memory(
    tmp_path: Path, write_onnx: WriteOnnx, config_text: ConfigText
) -> None:
    # 3 hours at 8 kHz in 16 bits: 173 MB, of which the disk holds a header (a sparse file);
    # as float32 at the network's 16 kHz it is 691 MB.
    seconds = 3 * 3600
    path = tmp_path / "night.wav"
    data = seconds * 8000 * 2
    with path.open("wb") as file:
        file.write(b"RIFF" + (data + 36).to_bytes(4, "little") + b"WAVEfmt ")
        for value, size in ((16, 4), (1, 2), (1, 2), (8000, 4), (16000, 4), (2, 2), (16, 2)):
            file.write(value.to_bytes(size, "little"))
        file.write(b"data" + data.to_bytes(4, "little"))
        file.truncate(44 + data)
    model = write_onnx(
        tmp_path / "m.onnx", config=config_text(sample_rate=16000, window_s=10.0, hop_s=5.0)
    )
    code = """
import sys
from pathlib import Path
from auricle.runtime import load_onnx
predictor = load_onnx(sys.argv[1], threads=1)
assert predictor.predict(sys.argv[2]).scores == (0.0, 0.0)
(prediction,) = predictor.predict_many([sys.argv[2]])
assert prediction.scores == (0.0, 0.0)
assert predictor.detect(sys.argv[2]) == []
# Not ru_maxrss: a process inherits that of the one that started it.
status = Path('/proc/self/status').read_text().splitlines()
print(next(line.split()[1] for line in status if line.startswith('VmHWM:')))
"""
    peak_kb = int(run_python(code, model, path))
    assert peak_kb < 250_000
