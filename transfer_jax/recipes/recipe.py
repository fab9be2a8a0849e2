"""A recipe: what a method is called, what it computes, and how it is built."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import optax

from transfer_jax import training
from transfer_jax.recipes.networks import Networks
from transfer_jax.training import TrainState, optim

Transform = optax.GradientTransformation
Config = TypeVar('Config')  # a frozen dataclass with a field `weight`


class Recipe(NamedTuple):
    """A method with its paper, its hyper-parameters and the networks that it needs.

    `weight` is the published one, converted to the normalisation of our loss, and
    `weight_source` says where it was published. It is used on all pairs of domains.

    Attributes:
      title: the name of the method in docs/methods.md.
      paper: authors and year; '' for a baseline.
      objective: what the method minimises, in a line of docs/methods.md; '' leaves the
        method out of its table.
      method: a function of transfer_jax.methods.
      modules: the fields of Networks that are its positional arguments, in order.
      trains: the networks that it trains, each with an optimiser; None: `modules`.
      options: its other keyword arguments.
      weight_name: the argument that takes the weight; '' if it has none.
      weight: of what the method adds to the source loss; 0 if it has none.
      weight_classes: where the published weight grows with the number of classes, the
        number that `weight` is for; 0: it does not.
      weight_source: who published the weight, in a few words of docs/methods.md.
      rising: further arguments that rise from 0 to 1 as Ganin's strength does.
      ramp: whether the weight rises as Ganin's strength does; else it is constant.
      batch: images of each domain in a step, where the paper prescribes a number;
        None: the experiment's.
      balanced: whether source batches have equally many images of each class.
      norm: the batch-norm policy, a key of networks.NORMS.
      optimisers: {network: optimiser} where one differs from the experiment's.
      start: (fresh state, trained state) -> first state, for a method that starts from
        the state of a first stage of as many steps.
      first: the recipe that trains this first stage, with its own weight.
      validate_as: the domain under whose name validators predict the source's
        validation images: 'target' for a method whose target has a network of its own.
      phases: the names of the phases of a step.
      source_only_at_zero: whether weight 0 is source-only training bit for bit.
      logged_metrics: metrics that show how the method works, printed at each
        evaluation.
      described_by: the function or class whose file docs/methods.md links; None:
        `method`.
    """

    title: str
    paper: str
    objective: str
    method: Callable[..., training.Method]
    modules: tuple[str, ...] = ('encoder', 'classifier')
    trains: tuple[str, ...] | None = None
    options: Mapping[str, Any] = {}
    weight_name: str = 'weight'
    weight: float = 0.0
    weight_classes: int = 0
    weight_source: str = ''
    rising: tuple[str, ...] = ()
    ramp: bool = False
    batch: int | None = None
    balanced: bool = False
    norm: str = 'none'
    optimisers: Mapping[str, Transform] = {}
    start: Callable[[TrainState, TrainState], TrainState] | None = None
    first: str = 'source_only'
    validate_as: str = 'source'
    phases: tuple[str, ...] = ('train',)
    source_only_at_zero: bool = True
    logged_metrics: tuple[str, ...] = ()
    described_by: Any = None

    @property
    def trained(self) -> tuple[str, ...]:
        """The networks that it trains."""
        return self.modules if self.trains is None else self.trains

    def make(
        self,
        nets: Networks,
        tx: Transform | Mapping[str, Transform],
        weight: optim.Schedule,
        steps: int | None = None,
    ) -> training.Method:
        """The method with these networks, their optimisers and a weight.

        Args:
          tx: the optimiser of all networks but those in `optimisers`, or {network:
            optimiser} with '' for the rest. An optimiser given under a network's name
            replaces the paper's.
          steps: of its stage, over which the arguments `rising` rise.

        Raises:
          ValueError: an argument rises, and `steps` is not given.
        """
        modules = [getattr(nets, name) for name in self.modules]
        arguments = {self.weight_name: weight} if self.weight_name else {}
        for name in set(self.rising) - set(self.options):
            if steps is None:
                raise ValueError(
                    f'{self.title}: {name!r} rises during its stage; give make(..., '
                    'steps=...), the steps of the stage'
                )
            arguments[name] = optim.ganin_strength(steps)
        return self.method(
            *modules, txs=self._by_network(tx), **arguments, **self.options
        )

    def schedule(self, weight: float | None, steps: int) -> optim.Schedule:
        """The given weight, or the recipe's, as a function of the step."""
        value = self.weight if weight is None else weight
        if self.ramp:
            return optim.ganin_strength(steps, value)
        return optim.constant(value)

    def weight_for(self, classes: int) -> float:
        """The published weight for a number of classes."""
        if not self.weight_classes:
            return self.weight
        return self.weight * classes / self.weight_classes

    def with_weight(self, config: Config) -> Config:
        """The config of an experiment with this weight where its `weight` is None.

        A result states its config, so it states the weight that was in effect, also
        after the recipe has changed. A method without a weight leaves it None.
        """
        if config.weight is None and self.weight_name:
            return dataclasses.replace(config, weight=self.weight)
        return config

    def _by_network(
        self, tx: Transform | Mapping[str, Transform]
    ) -> dict[str, Transform]:
        given = tx if isinstance(tx, Mapping) else {'': tx}
        known = {**self.optimisers, **given}
        return {
            name: known[name] if name in known else known[''] for name in self.trained
        }
