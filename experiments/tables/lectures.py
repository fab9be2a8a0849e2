"""The lectures, item by item: what implements them, what was run, the real command."""

import json
import pathlib
import statistics
from collections.abc import Iterator

from experiments.lectures import catalogue, listing
from experiments.lectures.item import Here, Item

NAME = 'lectures'
RESULTS = pathlib.Path('results')


def markdown(lecture: str) -> str:
    """The items of a lecture, a paragraph each; or what is left out, with reasons.

    Args:
      lecture: a key of catalogue.LECTURES, or 'out'.
    """
    if lecture == 'out':
        items = [item for item in catalogue.ITEMS if item.out]
        return '\n'.join(f'- {item.title}: {item.out}.' for item in items)
    items = [item for item in catalogue.of(lecture) if not item.out]
    return '\n\n'.join('\n\n'.join(_paragraphs(item)) for item in items)


def number(here: Here) -> str:
    """The mean in %, of the rows of a study or the last step of a run.

    Raises:
      ValueError: the result file has no such rows.
    """
    content = json.loads((RESULTS / here.file).read_text(encoding='utf-8'))
    if 'rows' in content:
        values = [
            row[here.value]
            for row in content['rows']
            if all(row.get(k) == v for k, v in here.where.items())
        ]
    else:
        values = content['scores']['last'][here.value]['values']
    if not values:
        raise ValueError(f'{here.file}: has no rows {dict(here.where)}')
    return f'{100 * statistics.fmean(values):.1f}'


def _paragraphs(item: Item) -> Iterator[str]:
    parts = [f'**{item.title}.** `{item.module}`.']
    if item.here:
        parts.append(f'Run here: {item.here.data}: {number(item.here)}.')
    if item.published:
        parts.append(f'Published: {item.published}.')
    if item.cost:
        parts.append(f'On a GPU: {listing.time(item)}.')
    yield ' '.join(parts)
    if item.command:
        yield f'    {item.command}'
