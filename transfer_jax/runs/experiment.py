"""An experiment: everything about a training run except its folder."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from transfer_jax import selection
from transfer_jax.evaluation import Predict
from transfer_jax.runs import scoring
from transfer_jax.training import Method, TrainState, feed

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Stage(NamedTuple):
    """A stretch of training with one method.

    Stage i has its own checkpoint folder and the key fold_in(key of the seed, i).
    """

    name: str
    steps: int
    method: Method
    # (data of the seed, last state of the previous stage) -> training batches
    stream: Callable[[Any, TrainState | None], feed.BatchStream]
    # (fresh state, last state of the previous stage) -> first state
    start: Callable[[TrainState, TrainState | None], TrainState] | None = None
    logged_metrics: tuple[str, ...] = ()  # of the method, printed at each evaluation


class Inputs(NamedTuple):
    """How a photograph becomes an input of the trained model."""

    size: tuple[int, int]  # (h, w) in pixels
    channels: int  # 3, or 1 for gray
    mean: tuple[float, ...]  # the input is (image / 255 - mean) / std, per channel
    std: tuple[float, ...]
    # None stretches an image to `size`; 1.0 keeps the square in its middle
    zoom: float | None = None
    domain: str = 'target'  # under which the model is asked to predict


class Compared(NamedTuple):
    """What tables must know to compare a result with others of its task.

    A gain is over a result of the same network and training whose method is a baseline.
    """

    norm: str = ''  # the batch-norm policy in effect, a column of tables
    network: str = ''  # the same for results whose networks may be compared
    training: str = ''  # the same for results whose batches and rates may be compared
    baseline: bool = False  # whether the method puts no loss on the target


class Experiment(NamedTuple):
    """A training run, but for its folder. Building one loads no data."""

    name: str  # 'adaptation.dann'
    config: Any  # frozen dataclass of plain values
    method: str  # 'dann': the row of a table
    task: str  # 'mnist_to_mnist_m, full': what the table is about
    seeds: tuple[int, ...]
    data: Callable[[int, str | None], Any]  # (seed, data folder) -> data of the seed
    held_out: Callable[[Any], Any]  # data of the seed -> what `measure` reads
    stages: tuple[Stage, ...]
    # data of the seed -> pretrained networks, as the state of a stage before the first
    before: Callable[[Any], TrainState] | None = None
    classes: Callable[[Any], Sequence[str]] | None = None
    evaluations: int = 20  # per stage
    # The domains under whose names `predict` is bound for measure and pictures
    domains: tuple[str, ...] = ('source', 'target')
    # ({domain: predict}, held out, whether it is the last evaluation) -> numbers
    measure: Callable[[Mapping[str, Predict], Any, bool], Mapping[str, float]] = (
        scoring.measure_adaptation
    )
    numbers: Mapping[str, scoring.Number] = scoring.ADAPTATION
    rules: Mapping[str, selection.Rule] = selection.RULES
    # ({domain: predict}, held out) -> {file name: figure} of the final model
    pictures: Callable[[Mapping[str, Predict], Any], Mapping[str, 'Figure']] | None = (
        None
    )
    # data of the seed -> {domain: .image (n, h, w, c) uint8, .label (n,)} for a figure
    samples: Callable[[Any], Mapping[str, Any]] | None = None
    inputs: Callable[[Any], Inputs] | None = None  # for model.json; None: no predict
    compared: Compared | None = None  # None: by its method and its config's `norm`
    golden: str | None = None  # digest of the golden run of its method
    fast: bool = False  # a run of seconds for tests; tables refuse it
