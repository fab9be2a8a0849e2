"""The numbers that random keys are folded with, by the name of a network or phase."""

import zlib

# Networks that were renamed draw the same bits as before, so that results recorded
# under the old name can be reproduced.
_RECORDED_AS = {'discriminator': 'critic', 'discriminators': 'critics'}


def number(name: str) -> int:
    """A 32-bit number of a name; it does not depend on any other name."""
    return zlib.crc32(_RECORDED_AS.get(name, name).encode())
