"""Numbers of networks and phases, with which their random keys are folded."""

import zlib

# A renamed network draws the same bits as before, so that results recorded under the
# old name can be reproduced.
_RECORDED_AS = {'discriminator': 'critic', 'discriminators': 'critics'}


def number(name: str) -> int:
    """A 32-bit number that depends on this name only."""
    return zlib.crc32(_RECORDED_AS.get(name, name).encode())
