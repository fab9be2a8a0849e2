"""The matrix products of a program, and their precision."""

import jax


def products(jaxpr):
    """The equations of matrix products and convolutions, also of inner functions."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in ('dot_general', 'conv_general_dilated'):
            yield equation
        for value in jax.tree.leaves(
            equation.params, is_leaf=lambda v: hasattr(v, 'eqns') or hasattr(v, 'jaxpr')
        ):
            inner = getattr(value, 'jaxpr', value)
            if hasattr(inner, 'eqns'):
                yield from products(inner)


def precisions(function, *arguments):
    """The precision of each product of a function, as a set."""
    traced = jax.make_jaxpr(function)(*arguments)
    return {equation.params['precision'] for equation in products(traced.jaxpr)}
