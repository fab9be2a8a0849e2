"""A side in a process of its own, which can be stopped, and which knows its memory."""

import ctypes
import gc
import multiprocessing
import time
import warnings
from typing import Any, NamedTuple

START = 300.0  # seconds that imports, data, compilation and comparisons may take


class Stopped(Exception):
    """A side that is over: why, in a few words."""


class Request(NamedTuple):
    """What a process is to make: a side of a method, for data of that size."""

    path: str
    n: int
    d: int


class Child:
    """Answers 'run' (seconds of the clock, of processors), 'memory' and 'answer'."""

    def __init__(self, request: Request):
        context = multiprocessing.get_context('spawn')
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, request))
        self._process.start()
        other.close()
        self.compile = self._answer(START)

    def ask(self, what: str, limit: float) -> Any:
        """Raises Stopped where the answer takes longer, or does not come."""
        try:
            self._pipe.send(what)
        except OSError:
            raise Stopped('failed: ended before') from None
        return self._answer(limit)

    def stop(self) -> None:
        self._process.kill()
        self._process.join()

    def _answer(self, limit):
        try:
            if not self._pipe.poll(limit):
                raise Stopped(f'> {limit:g} s')
            state, content = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode
            raise Stopped(f'failed: ended with {code}') from None
        except Stopped:
            self.stop()
            raise
        if state == 'failed':
            self.stop()
            raise Stopped(f'failed: {content}')
        return content


def _serve(pipe, request: Request) -> None:
    from benchmarks.shallow import methods, problem

    warnings.simplefilter('ignore')  # differences say what did not converge
    try:
        side = methods.build(request.path, problem.problem(request.n, request.d))
        pipe.send(('ready', side.compile))
        result = None
        while True:
            what = pipe.recv()
            if what == 'run':
                result = None
                clock, used = time.perf_counter(), time.process_time()
                result = side.run()
                clock = time.perf_counter() - clock
                found = clock, time.process_time() - used
            elif what == 'memory':
                result = None
                found = _memory(side.run, request.n)
            else:
                result = side.run() if result is None else result
                found = side.answer(result)
            pipe.send(('done', found))
    except EOFError:
        return
    except Exception as error:
        first = (str(error).splitlines() or [''])[0]
        pipe.send(('failed', f'{type(error).__name__}: {first}'))


def _memory(run, n) -> float | None:
    """The peak of resident memory in a run above what was there, in n x n float64.

    None where the system cannot tell (Linux can).
    """
    gc.collect()
    try:
        # What earlier runs freed goes back first, and the peak is forgotten: that of
        # resource.getrusage is the one since the process began, compilation included.
        ctypes.CDLL(None).malloc_trim(0)
        with open('/proc/self/clear_refs', 'w') as file:
            file.write('5')
        start = _status('VmRSS')
        run()
        return (_status('VmHWM') - start) / (8 * n**2)
    except (OSError, AttributeError):
        return None


def _status(field: str) -> int:
    """Bytes."""
    with open('/proc/self/status') as file:
        line = next(line for line in file if line.startswith(field))
    return int(line.split()[1]) * 1024
