"""The strength of a gradient reversal, and a warning of one that is full at once."""

import warnings

import jax
import numpy as np

from transfer_jax.training import optim


def schedule(strength: optim.Schedule | float) -> optim.Schedule:
    """The strength as a function of the step.

    Warns if it is 1 or more at step 0: the encoder then often makes all features equal
    before they carry the classes. Ganin et al. (2016), section 5.2.2, raise it from 0,
    so that a discriminator that has learned nothing yet does not disturb the encoder.

    Raises:
      ValueError: neither a number nor a function.
    """
    strength = optim.as_schedule(strength, 'strength')
    first = strength(np.int32(0))
    if not isinstance(first, jax.core.Tracer) and first >= 1:
        warnings.warn(
            f'the strength of the reversal is {float(first):g} at step 0, and the '
            'features often collapse under full strength from the start: use '
            'optim.ganin_strength(steps), which rises from 0',
            stacklevel=4,  # the call of the method
        )
    return strength
