"""The content of a table of adaptation, in the form that is asked for."""

from collections.abc import Sequence

from experiments.tables import adaptation, baselines, digit_rows
from experiments.tasks import tuned_weights
from transfer_jax import recipes, selection
from transfer_jax.reports import gains, selection_cost, tables


def table(name: str, lines: Sequence[tables.Row], results: Sequence[dict], form: str):
    """A table as text, markdown (explained or not) or JSON; empty without results.

    Args:
      name: of adaptation.NAMED.
      form: text, markdown, explained or json.
    """
    results = [baselines.completed(result) for result in results]
    if name == 'selection_cost':
        chosen, notes = with_cost(results), digit_rows.notes(tuned_weights.read())
        if form == 'json':
            return selection_cost.rows(chosen, notes)
        return chosen and selection_cost.table(
            chosen, markdown=form != 'text', notes=notes
        )
    if not any(line.seeds for line in lines):
        return [] if form == 'json' else ''
    if form == 'json':
        return tables.as_json(lines)
    if form == 'text':
        table = tables.text(lines)
    else:
        table = tables.markdown(lines, explain=form == 'explained')
    return table + ranked(results) if name == 'digits' else table


def with_cost(results: Sequence[dict]) -> list[dict]:
    """The results in the table of the cost of selection, by task, method and norm."""
    return [
        result
        for block in adaptation.NAMED['selection_cost']()
        for result in sorted(results, key=_of_method)
        if adaptation.belongs(result, block) and result['method'] in block.commands
    ]


def ranked(results: Sequence[dict]) -> str:
    """Methods ordered by the fixed validator, with the rank correlation; '' for few."""
    of_digits = [r for r in results if r['experiment'] == adaptation.DIGITS]
    notes = digit_rows.notes(tuned_weights.read())
    parts = []
    for protocol in adaptation.PUBLISHED:
        tasks = [f'{pair}, {protocol}' for pair in adaptation.ADDA]
        rows = selection_cost.ranking(of_digits, tasks, selection.FIXED, notes)
        correlation = selection_cost.correlation(rows)
        if correlation is None:
            continue
        listed = ', '.join(f'{_label(row)} {100 * row.accuracy:.1f}' for row in rows)
        parts.append(
            f'\n\nBy the fixed validator on {protocol}, the highest score first, with '
            f'the mean accuracy of both directions: {listed}. The rank correlation of '
            f'its score with accuracy is {correlation:.2f} (Spearman, over '
            f'{len(rows)} rows of {len({row.method for row in rows})} methods).'
        )
    return ''.join(parts)


def _of_method(result: dict) -> tuple[str, bool, str]:
    norm = gains.compared(result).norm
    return result['method'], norm != 'none', norm


def _label(row: selection_cost.Ranked) -> str:
    norm = f'norm {row.norm}' if row.norm != recipes.get(row.method).norm else ''
    about = ', '.join(filter(None, [norm, row.config]))
    return row.method.replace('_', ' ') + (f' ({about})' if about else '')
