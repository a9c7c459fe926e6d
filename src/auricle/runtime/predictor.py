"""`Predictor`: the only code that turns windows into clip scores.

source -> mono blocks -> windows -> level, padding -> batches -> network -> activation ->
aggregation. The command line, evaluation, validation in training and a deployed ONNX file all
walk it, so that a number that one reports is the number that the others give.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np

from auricle.audio.reading import Channel
from auricle.core.config import validate
from auricle.core.errors import ArtifactError, AudioError, AuricleError, ConfigError, unknown_name
from auricle.core.types import Event, FloatArray, Label, Prediction, Waveform
from auricle.core.units import seconds_to_samples
from auricle.events import decode_events
from auricle.runtime.aggregate import (
    Aggregate,
    ClipScores,
    FrameTimeline,
    Stack,
    WindowTimeline,
)
from auricle.runtime.batching import Pooled, WindowPool, stack
from auricle.runtime.engine import Engine, EngineOutput
from auricle.runtime.readahead import read_ahead
from auricle.runtime.sources import Source, as_waveform, path_of, read_blocks
from auricle.runtime.spec import ClassifierSpec, EventSpec
from auricle.runtime.windows import LongClips, Window, cut_windows

OnError: TypeAlias = Callable[[Source, AuricleError], None]
"""Called with a source that cannot be used and with the reason; the source is then skipped."""

_READING_THREADS = 4


@dataclass(eq=False)
class _Clip:
    """A clip under way: what its windows have given so far."""

    source: Source
    aggregate: Aggregate
    waiting: int = 0  # windows that are cut and not yet scored
    end_samples: int = 0
    read: bool = False
    error: AuricleError | None = None

    @property
    def is_done(self) -> bool:
        return self.read and self.waiting == 0


@dataclass(frozen=True)
class _Task:
    """What is asked of the network, and how its windows become a clip's answer."""

    pick: Callable[[EngineOutput], FloatArray]
    new_aggregate: Callable[[], Aggregate]
    long_clips: LongClips
    times: bool = False  # the answer says when: all of the recording counts, where it is


class Predictor:
    """A trained classifier at work: sounds in, answers out.

    `engine` scores batches of windows, `spec` says all the rest. `batch_size` windows at most
    go through the network at once; it never changes a result. `channel` (`"mean"` or a number
    from 0) and `allow_truncated` say how files are read.

    A source is the path of a sound file, a `Waveform`, or a NumPy array with `sample_rate=` in
    Hz: `(time,)`, or `(channels, time)` or `(time, channels)` with at most 16 channels, which
    are averaged; floats in [-1, 1], or integers, which are scaled by their range.
    """

    def __init__(
        self,
        engine: Engine,
        spec: ClassifierSpec,
        *,
        batch_size: int = 16,
        channel: Channel = "mean",
        allow_truncated: bool = False,
    ) -> None:
        if batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, got {batch_size}")
        self.engine = engine
        self.spec = spec
        self._batch_size = batch_size
        self._channel: Channel = channel
        self._allow_truncated = allow_truncated

    @property
    def labels(self) -> tuple[Label, ...]:
        """The classes in the order of the scores."""
        return self.spec.labels

    @property
    def has_frame_scores(self) -> bool:
        """Whether `detect` works from frame scores (else from the scores of windows)."""
        return self.spec.frame_period_s is not None

    # -- clips ---------------------------------------------------------------------------------

    def predict(
        self,
        source: Source,
        top_k: int | None = None,
        sample_rate: int | None = None,
        *,
        abstain_below: float | None = None,
    ) -> Prediction:
        """Return the labels of one sound with their probabilities, best first.

        `top_k` keeps the best so many (default: all labels). `sample_rate` (Hz) goes with an
        array. Where even the best probability is lower than `abstain_below`, the answer is "none
        of these" (`spec.none_of_these`, `Prediction.abstained`). Raises `AudioError` for a sound
        that cannot be used.
        """
        answer = self._answerer(top_k, abstain_below)
        return answer(self._run_one(_with_rate(source, sample_rate), self._scores_task()))

    def predict_many(
        self,
        sources: Iterable[Source],
        *,
        top_k: int | None = None,
        abstain_below: float | None = None,
        on_error: OnError | None = None,
    ) -> Iterator[Prediction]:
        """Yield the prediction of each source, in order, as they become ready.

        Files are read ahead by a few threads. A sound that cannot be used goes to
        `on_error(source, error)` and is skipped; without `on_error` its error is raised. The rest
        is as in `predict`.
        """
        answer = self._answerer(top_k, abstain_below)
        clips = self._run(sources, self._scores_task(), on_error, _READING_THREADS)
        return (answer(clip) for clip in clips)

    def score_many(
        self, waveforms: Iterable[Waveform], *, on_error: OnError | None = None
    ) -> Iterator[FloatArray]:
        """Yield the class probabilities `(classes,)` of each waveform, in order.

        Windows of neighbouring waveforms share batches. Nothing is read ahead: `waveforms`
        may come out of data loader workers. `on_error` is that of `predict_many`.
        """
        clips = self._run(waveforms, self._scores_task(), on_error, threads=0)
        return (clip.aggregate.result() for clip in clips)

    def score_outputs(self, outputs: Iterable[EngineOutput]) -> Iterator[FloatArray]:
        """Yield the class probabilities `(classes,)` of clips of one window each.

        `outputs` are what the network gave for the windows, batch by batch: it is for those who
        hold the features of the windows, and gives what `score_many` gives for their sound.
        """
        task = self._scores_task()
        nowhere = Window(np.zeros(0, np.float32), 0, 0, 0)
        for output in outputs:
            for row in _finite(task.pick(output)):
                aggregate = task.new_aggregate()
                aggregate.add(nowhere, row)
                yield aggregate.result()

    def embed(self, source: Source, sample_rate: int | None = None) -> FloatArray:
        """Return the network's embedding of each window of one sound: `(windows, dim)`.

        Raises `ArtifactError` when the network gives none.
        """
        task = _Task(self._embeddings, Stack, self.spec.long_clips)
        return self._run_one(_with_rate(source, sample_rate), task).aggregate.result()

    # -- events --------------------------------------------------------------------------------

    def detect(
        self,
        source: Source,
        *,
        thresholds: Mapping[Label, float] | float | None = None,
        min_gap_s: float | None = None,
        min_length_s: float | None = None,
        sample_rate: int | None = None,
    ) -> list[Event]:
        """Return the events of one sound: label, onset and offset in seconds, score.

        Frame probabilities of overlapping windows are averaged on the frame grid (a window's
        place is rounded to the nearest frame) and decoded. A network without frame scores
        (`has_frame_scores`) is decoded from its window scores, averaged in cells of one hop.
        `thresholds` (one for all, or by label), `min_gap_s` and `min_length_s` take the place of
        the spec's. The background class (`spec.background`) is never an event. The whole recording
        is heard, whatever `spec.long_clips` says.
        """
        decode = self._decoder(thresholds, min_gap_s, min_length_s)
        return decode(self._run_one(_with_rate(source, sample_rate), self._frames_task()))

    def detect_many(
        self,
        sources: Iterable[Source],
        *,
        thresholds: Mapping[Label, float] | float | None = None,
        min_gap_s: float | None = None,
        min_length_s: float | None = None,
        on_error: OnError | None = None,
    ) -> Iterator[tuple[Source, list[Event]]]:
        """Yield each source with its events, in order: an empty list does not name its source.

        Reading ahead and `on_error` are those of `predict_many`, the rest is as in `detect`.
        """
        decode = self._decoder(thresholds, min_gap_s, min_length_s)
        clips = self._run(sources, self._frames_task(), on_error, _READING_THREADS)
        return ((clip.source, decode(clip)) for clip in clips)

    def _decoder(
        self,
        thresholds: Mapping[Label, float] | float | None,
        min_gap_s: float | None,
        min_length_s: float | None,
    ) -> Callable[[_Clip], list[Event]]:
        spec = self.spec
        # Checked here: a wrong limit must not show after hours of scoring.
        by_label = self._thresholds(thresholds)
        given = {"min_gap_s": min_gap_s, "min_length_s": min_length_s}
        given = {name: value for name, value in given.items() if value is not None}
        limits = validate(EventSpec, spec.events.model_dump() | given, "events")
        period_s = spec.frame_period_s if spec.frame_period_s is not None else spec.hop_s

        def decode(clip: _Clip) -> list[Event]:
            events = decode_events(
                clip.aggregate.result(),
                spec.labels,
                period_s,
                thresholds=by_label,
                min_gap_s=limits.min_gap_s,
                min_length_s=limits.min_length_s,
                clip_end_s=clip.end_samples / spec.sample_rate,
                filename=path_of(clip.source),
            )
            return [event for event in events if event.label != spec.background]

        return decode

    def _thresholds(self, given: Mapping[Label, float] | float | None) -> dict[Label, float]:
        if isinstance(given, (int, float)):
            given = dict.fromkeys(self.labels, float(given))
        for label, threshold in (given or {}).items():
            if label not in self.labels:
                raise unknown_name("label", label, self.labels)
            if not 0 <= threshold <= 1:
                raise ConfigError(f"threshold must be a probability, 0 to 1, got {threshold}")
        return {label: self.spec.threshold(label) for label in self.labels} | dict(given or {})

    # -- what is asked of the network ------------------------------------------------------------

    def _scores_task(self) -> _Task:
        spec = self.spec
        return _Task(self._probabilities, lambda: ClipScores(spec.aggregation), spec.long_clips)

    def _frames_task(self) -> _Task:
        spec = self.spec
        period_s = spec.frame_period_s
        if period_s is None:
            return _Task(
                self._probabilities,
                lambda: WindowTimeline(spec.hop_s, spec.sample_rate),
                "windows",
                times=True,
            )
        return _Task(
            self._frame_probabilities,
            lambda: FrameTimeline(period_s, spec.sample_rate),
            "whole" if spec.long_clips == "whole" else "windows",
            times=True,
        )

    def _probabilities(self, output: EngineOutput) -> FloatArray:
        return self._activate(_existing(output.scores, "scores"))

    def _frame_probabilities(self, output: EngineOutput) -> FloatArray:
        frames = self._activate(_existing(output.frame_scores, "frame scores"))
        if frames.shape[1] == 0:
            raise ArtifactError(
                "the network gives no frames for so short a sound: "
                "shortest_samples in its spec is too small; export it again"
            )
        return frames

    def _embeddings(self, output: EngineOutput) -> FloatArray:
        return _existing(output.embedding, "embedding")

    def _activate(self, scores: FloatArray) -> FloatArray:
        if scores.shape[-1] != len(self.labels):
            raise ArtifactError(
                f"the network gives {scores.shape[-1]} scores for {len(self.labels)} labels; "
                "the file is inconsistent: save or export it again"
            )
        if self.spec.activation == "softmax":
            powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
            return powers / powers.sum(axis=-1, keepdims=True)
        if self.spec.activation == "sigmoid":
            # The half-angle form overflows at neither end.
            return np.float32(0.5) * (np.tanh(np.float32(0.5) * scores) + np.float32(1))
        return scores

    def _answerer(
        self, top_k: int | None, abstain_below: float | None
    ) -> Callable[[_Clip], Prediction]:
        # Checked here: a wrong option must not show after hours of scoring.
        if top_k is not None and top_k < 1:
            raise ConfigError(f"top_k must be at least 1, got {top_k}")
        least = checked_abstention(abstain_below)

        def answer(clip: _Clip) -> Prediction:
            scores = clip.aggregate.result()
            best = np.argsort(-scores, kind="stable")[:top_k]
            labels = tuple(self.labels[index] for index in best)
            values = tuple(float(scores[index]) for index in best)
            abstains = bool(scores[best[0]] < least)
            if abstains:
                labels, values = (self.spec.none_of_these,), values[:1]
            return Prediction(labels, values, path_of(clip.source), abstains)

        return answer

    # -- the walk --------------------------------------------------------------------------------

    def _run_one(self, source: Source, task: _Task) -> _Clip:
        (clip,) = self._run([source], task, None, threads=0)
        return clip

    def _run(
        self, sources: Iterable[Source], task: _Task, on_error: OnError | None, threads: int
    ) -> Iterator[_Clip]:
        """Yield each source's clip, in order, once all its windows are scored."""
        window_samples = seconds_to_samples(self.spec.window_s, self.spec.sample_rate)
        pool: WindowPool[_Clip] = WindowPool(
            self._batch_size, window_samples, self.spec.padding_safe
        )
        clips: deque[_Clip] = deque()
        with closing(self._streams(sources, task, threads)) as streams:
            for source, windows in streams:
                clip = _Clip(source, task.new_aggregate())
                clips.append(clip)
                for window in _until_error(clip, windows):
                    clip.waiting += 1
                    clip.end_samples = window.end_samples
                    for batch in pool.add(clip, window):
                        self._score(batch, task)
                        yield from _finished(clips, on_error)
                clip.read = True
                yield from _finished(clips, on_error)
        for batch in pool.drain():
            self._score(batch, task)
        yield from _finished(clips, on_error)

    def _streams(
        self, sources: Iterable[Source], task: _Task, threads: int
    ) -> Generator[tuple[Source, Iterator[Window]], None, None]:
        limits, rate = self.spec.limits, self.spec.sample_rate

        def windows_of(source: Source) -> Iterator[Window]:
            blocks = self._blocks(source)
            if limits and not task.times:
                name = path_of(source) or "the sound"
                blocks = limits.apply(partial(self._blocks, source), rate, name)
            return cut_windows(blocks, self.spec, task.long_clips, keep_start=task.times)

        if threads == 0:
            return ((source, windows_of(source)) for source in sources)
        # While one batch is scored, the next one is read.
        return read_ahead(sources, windows_of, threads=threads, ahead=self._batch_size + threads)

    def _blocks(self, source: Source) -> Iterator[FloatArray]:
        return read_blocks(
            source,
            self.spec.sample_rate,
            channel=self._channel,
            allow_truncated=self._allow_truncated,
        )

    def _score(self, batch: list[Pooled[_Clip]], task: _Task) -> None:
        rows = _finite(task.pick(self.engine(*stack(batch))))
        if len(rows) != len(batch):
            raise ArtifactError("the network gave not one row a window; train or export it again")
        for item, row in zip(batch, rows, strict=True):
            item.owner.waiting -= 1
            item.owner.aggregate.add(item.window, row)


def _existing(values: FloatArray | None, what: str) -> FloatArray:
    if values is None:
        raise ArtifactError(f"this network gives no {what}; use one that does")
    return values


def _finite(rows: FloatArray) -> FloatArray:
    if not np.isfinite(rows).all():
        raise ArtifactError(
            "the network gave scores that are not numbers (NaN or infinite); train or export it "
            "again"
        )
    return rows


def _until_error(clip: _Clip, windows: Iterator[Window]) -> Iterator[Window]:
    """Yield the windows of a clip; an error in reading ends them and is noted on the clip."""
    try:
        yield from windows
    except AuricleError as error:
        clip.error = error


def _finished(clips: deque[_Clip], on_error: OnError | None) -> Iterator[_Clip]:
    """Take the clips that are done off the front; yield them, or report what went wrong."""
    while clips and clips[0].is_done:
        clip = clips.popleft()
        if clip.error is None:
            yield clip
        elif on_error is None:
            raise clip.error
        else:
            on_error(clip.source, clip.error)


def checked_abstention(abstain_below: float | None) -> np.float32:
    """Return the probability below which a classifier abstains (0: never), as scores are.

    Raises `ConfigError` for what is no probability.
    """
    least = 0.0 if abstain_below is None else abstain_below
    if not 0 <= least <= 1:
        raise ConfigError(f"abstain_below must be a probability, 0 to 1, got {least}")
    return np.float32(least)


def _with_rate(source: Source, sample_rate: int | None) -> Source:
    """Join an array and its sample rate (Hz) to a `Waveform`."""
    if isinstance(source, np.ndarray):
        if sample_rate is None:
            raise AudioError("an array does not state its sample rate; give sample_rate= in Hz")
        return as_waveform(source, sample_rate)
    if sample_rate is not None:
        raise AudioError("sample_rate= goes with an array only: a file or Waveform states its own")
    return source
