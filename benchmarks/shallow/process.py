"""Runs a side in a separate process, which can be stopped and measures its memory."""

import ctypes
import gc
import multiprocessing
import time
import warnings
from typing import Any, NamedTuple

START = 300.0  # seconds allowed for imports, data, compilation and comparisons


class Stopped(Exception):
    """A side has been stopped or has failed; the message is the reason."""


class Request(NamedTuple):
    """A side of a method, and the size of its data."""

    path: str
    n: int
    d: int


class Child:
    """A process that replies to 'run' (wall and CPU seconds), 'memory' and 'answer'."""

    def __init__(self, request: Request):
        context = multiprocessing.get_context('spawn')
        self._pipe, child_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(child_end, request))
        self._process.start()
        child_end.close()
        self.compile = self._reply(START)

    def ask(self, what: str, limit: float) -> Any:
        """The reply; raises Stopped if none comes within `limit` seconds."""
        try:
            self._pipe.send(what)
        except OSError:
            raise Stopped('failed: ended before') from None
        return self._reply(limit)

    def stop(self) -> None:
        self._process.kill()
        self._process.join()

    def _reply(self, limit):
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

    warnings.simplefilter('ignore')  # 'differs' reveals what has not converged
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
                reply = clock, time.process_time() - used
            elif what == 'memory':
                result = None
                reply = _memory(side.run, request.n)
            else:
                result = side.run() if result is None else result
                reply = side.answer(result)
            pipe.send(('done', reply))
    except EOFError:
        return
    except Exception as error:
        first = (str(error).splitlines() or [''])[0]
        pipe.send(('failed', f'{type(error).__name__}: {first}'))


def _memory(run, n) -> float | None:
    """Growth of the peak of resident memory in a run, in n x n matrices of float64.

    None if the system cannot measure it (Linux can).
    """
    gc.collect()
    try:
        # Return freed memory to the system and reset the peak. The peak of
        # resource.getrusage would include everything since the process began.
        ctypes.CDLL(None).malloc_trim(0)
        with open('/proc/self/clear_refs', 'w') as file:
            file.write('5')
        start = _status('VmRSS')
        run()
        return (_status('VmHWM') - start) / (8 * n**2)
    except (OSError, AttributeError):
        return None


def _status(field: str) -> int:
    """A field of the process's status, in bytes."""
    with open('/proc/self/status') as file:
        line = next(line for line in file if line.startswith(field))
    return int(line.split()[1]) * 1024
